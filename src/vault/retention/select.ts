// What would be marked now: the unneeded things of every component that are not named yet, unless that is more than one run may take.

import type { Refusal } from '../../domain/retention-report.ts';
import { type HoldfastError, isHoldfastError } from '../../errors/index.ts';
import { listAll, type VaultCore } from '../core.ts';
import { decideLog, freeGenerations, type JudgeParts, judgeManifests, wholeHold } from './decide.ts';
import { findGarbage } from './garbage.ts';
import { beyondMaximum } from './maximum.ts';
import type { RetentionRequest } from './request.ts';
import { type NamedGeneration, namesIn, type SizedKey, type Tombstone, type TombstoneList } from './tombstone.ts';
import { doubt, type World } from './world.ts';

export interface Selection {
  readonly list: TombstoneList;
  /** Manifests that only `beyondMaximum` would take. */
  readonly waiting: readonly string[];
  readonly refused: readonly Refusal[];
}

/** Keys, and paths of generations, that tombstones name. */
export function namedKeys(tombstones: readonly Tombstone[]): ReadonlySet<string> {
  return new Set(tombstones.flatMap(({ list }) => [...namesIn(list)]));
}

export async function select(core: VaultCore, world: World, request: RetentionRequest): Promise<Selection> {
  const selecting = new Selecting(core, world, request);
  const refused: Refusal[] = [];
  for (const [component, parts] of world.components) {
    if (isHoldfastError(parts)) refused.push({ component, error: parts.toJSON() });
    else if (wholeHold(parts) === undefined) {
      await selecting.add(parts).catch((error: unknown) => {
        const reason = isHoldfastError(error, 'RETENTION_MAXIMUM') ? error : doubtAbout(component, error);
        refused.push({ component, error: reason.toJSON() });
      });
    }
  }
  const { list, waiting } = selecting;
  return { list, waiting, refused };
}

function doubtAbout(component: string, error: unknown): HoldfastError {
  return doubt(`'${component}' cannot be judged`, error);
}

class Selecting {
  readonly waiting: string[] = [];
  readonly #core: VaultCore;
  readonly #world: World;
  readonly #request: RetentionRequest;
  readonly #named: ReadonlySet<string>;
  readonly #manifests: SizedKey[] = [];
  readonly #generations: NamedGeneration[] = [];
  readonly #packs: SizedKey[] = [];
  readonly #log: SizedKey[] = [];

  constructor(core: VaultCore, world: World, request: RetentionRequest) {
    this.#core = core;
    this.#world = world;
    this.#request = request;
    this.#named = namedKeys(world.tombstones);
  }

  get list(): TombstoneList {
    return { manifests: this.#manifests, generations: this.#generations, packs: this.#packs, log: this.#log };
  }

  /** Throws `RETENTION_MAXIMUM` before anything of it is taken. */
  async add(parts: JudgeParts): Promise<void> {
    const going = this.#takeManifests(parts);
    await this.#takeGenerations(parts, going);
    this.#takeLog(parts, going);
    await this.#takeGarbage(parts);
  }

  /** Keys of the manifests that go, by this or an earlier tombstone. */
  #takeManifests(parts: JudgeParts): ReadonlySet<string> {
    const { manifests } = parts.facts;
    const unneeded = judgeManifests(parts)
      .filter(({ reasons }) => reasons.length === 0)
      .map(({ snapshot }) => snapshot.manifest)
      .filter(({ key }) => !this.#named.has(key))
      .reverse();
    const present = manifests.filter(({ key }) => !this.#named.has(key));
    const beyond = this.#request.beyondMaximum ? undefined : beyondMaximum(unneeded, present, this.#request);
    if (beyond !== undefined) {
      this.waiting.push(...unneeded.map(({ key }) => key));
      throw beyond;
    }
    for (const { key, sizeBytes } of unneeded) this.#manifests.push([key, sizeBytes]);
    const named = manifests.map(({ key }) => key).filter((key) => this.#named.has(key));
    return new Set([...named, ...unneeded.map(({ key }) => key)]);
  }

  async #takeGenerations(parts: JudgeParts, going: ReadonlySet<string>): Promise<void> {
    const free = freeGenerations(parts, going).filter(({ path }) => !this.#named.has(path));
    for (const { path } of [...free].sort((a, b) => a.startMs - b.startMs)) {
      this.#generations.push({ path, objects: await this.#objectsBelow(path) });
    }
  }

  async #objectsBelow(path: string): Promise<SizedKey[]> {
    const sizes = new Map<string, number>();
    for (const { store } of this.#world.copies) {
      for (const { key, sizeBytes } of await listAll(store, `${path}/`)) {
        sizes.set(key.slice(path.length + 1), sizeBytes);
      }
    }
    return [...sizes].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #takeLog(parts: JudgeParts, going: ReadonlySet<string>): void {
    for (const { unneeded } of decideLog(parts, going)) {
      for (const { key, onCopies } of unneeded) {
        if (!this.#named.has(key)) this.#log.push([key, Math.max(...onCopies.values())]);
      }
    }
  }

  async #takeGarbage(parts: JudgeParts): Promise<void> {
    const packs = await findGarbage(this.#core, this.#world.copies, parts, ({ path }) => !this.#named.has(path));
    for (const { key, onCopies } of packs) {
      if (!this.#named.has(key)) this.#packs.push([key, Math.max(...onCopies.values())]);
    }
  }
}
