// What is on the host now and not as the newest snapshot has it: told by names, sizes and times, read only where those do not tell.

import { type NamedPath, namedPath } from '../domain/path-text.ts';
import { toHoldfastError } from '../errors/index.ts';
import { differingAspects, presentEntries, type ScanRules, Telling, type Told } from '../files/index.ts';
import type { SnapshotId, TreeEntry, Vault } from '../vault/index.ts';
import { isBelowRoot } from './own-entries.ts';
import { expandPaths } from './paths.ts';
import type { Place } from './place.ts';
import { sha256Of } from './read-as-captured.ts';
import { readSeen, type SeenEntry, writeSeen } from './seen.ts';
import type { ConfigurationDetails } from './types.ts';

/** The path is absolute. */
export interface DriftedName extends NamedPath {
  readonly what: 'created' | 'removed' | 'type' | 'content' | 'target' | 'mode' | 'owner' | 'attributes';
}

export type Drift =
  | {
      readonly state: 'none' | 'drifted';
      readonly since: SnapshotId;
      readonly names: Told<DriftedName>;
      /** Files that only reading tells of, beyond what is read for a status. */
      readonly notRead: number;
    }
  | { readonly state: 'unknown'; readonly because: string };

export interface DriftOptions {
  readonly vault: Vault;
  readonly place: Place;
  /** The newest one. */
  readonly snapshot: SnapshotId;
  readonly paths: readonly string[];
  readonly rules: ScanRules;
}

/** A status must not cost what a backup costs. */
const READ_BYTES = 64 * 1024 * 1024;

/** Never throws: what cannot be told is `unknown`. */
export async function driftOf(options: DriftOptions): Promise<Drift> {
  try {
    const then = new Map((await seenOf(options)).map((entry) => [entry.path, entry]));
    return await new Comparison(options, then).run();
  } catch (error) {
    return { state: 'unknown', because: toHoldfastError(error).message };
  }
}

async function seenOf({ vault, place, snapshot }: DriftOptions): Promise<readonly SeenEntry[]> {
  const seen = await readSeen(place, snapshot);
  if (seen) return seen;
  const entries: TreeEntry[] = [];
  const reader = await vault.openSnapshot(snapshot);
  try {
    const { roots } = reader.snapshot.engine as unknown as ConfigurationDetails;
    for await (const entry of reader.entries()) if (isBelowRoot(entry.path, roots)) entries.push(entry);
  } finally {
    reader.close();
  }
  // Another host may look too: there is no place for it there.
  await writeSeen(place, snapshot, entries).catch(() => {});
  return entries;
}

class Comparison {
  readonly #options: DriftOptions;
  readonly #then: Map<string, SeenEntry>;
  readonly #names = new Telling<DriftedName>();
  #left = READ_BYTES;
  #notRead = 0;

  constructor(options: DriftOptions, then: Map<string, SeenEntry>) {
    this.#options = options;
    this.#then = then;
  }

  async run(): Promise<Drift> {
    const { paths, rules, snapshot: since } = this.#options;
    const { roots } = await expandPaths(paths);
    const unseen: string[] = [];
    for await (const now of presentEntries({
      roots: [...roots].sort(),
      rules,
      onUnseen: ({ path }) => unseen.push(path),
    })) {
      const then = this.#then.get(now.path);
      this.#then.delete(now.path);
      if (then) await this.#compare(then, now);
      else this.#names.add({ ...namedPath(`/${now.path}`), what: 'created' });
    }
    for (const path of this.#then.keys()) {
      const isHidden = unseen.some((each) => path === each || path.startsWith(`${each}/`));
      if (!isHidden) this.#names.add({ ...namedPath(`/${path}`), what: 'removed' });
    }
    const names = this.#names.told;
    return { state: names.count === 0 ? 'none' : 'drifted', since, names, notRead: this.#notRead + unseen.length };
  }

  async #compare(then: SeenEntry, now: TreeEntry): Promise<void> {
    for (const aspect of differingAspects(then, now)) {
      if (aspect === 'time') continue;
      if ((aspect === 'content' || aspect === 'content?') && (await this.#isSame(then, now))) continue;
      this.#names.add({ ...namedPath(`/${now.path}`), what: aspect === 'content?' ? 'content' : aspect });
    }
  }

  /** Also when it is not known: then it is counted. */
  async #isSame(then: SeenEntry, now: TreeEntry): Promise<boolean> {
    if (then.sizeBytes !== now.sizeBytes) return false;
    this.#left -= now.sizeBytes;
    const sha256 = this.#left < 0 ? undefined : await sha256Of(now.path);
    if (sha256 !== undefined) return sha256 === then.sha256;
    this.#notRead++;
    return true;
  }
}
