// What was given back, looked at once more: every entry of the snapshot beside what is on the disk now.

import { closeSync, constants, openSync } from 'node:fs';
import { pathOfText, shownPath } from '../../domain/path-text.ts';
import type { SnapshotReader, TreeEntry } from '../../vault/index.ts';
import { comparableOf, metadataOf, typeOf } from '../in-place/change.ts';
import { givenAgain, mayBeNotKept } from '../in-place/not-kept.ts';
import { sha256Of } from '../in-place/options.ts';
import { Ways } from '../in-place/ways.ts';
import { Owners } from '../owners.ts';
import { UNFINISHED } from '../restore/beside.ts';
import { type Selection, Selector, treePath, wantedEntries } from '../restore/select.ts';
import type { Found } from '../scan/found.ts';
import { scan } from '../scan/scan.ts';
import { Telling } from '../told.ts';
import type { Told } from '../types.ts';
import { type Aspect, differingAspects } from './differences.ts';
import { sideBySide } from './side-by-side.ts';

export interface ComparedTree {
  readonly entries: number;
  /** In words. */
  readonly differing: Told<string>;
  /** The same of what a user or a file system may not allow: owners, attributes, devices. */
  readonly notGiven: Told<string>;
  /** The same of what the file system takes and does not keep, also when it is given once more. */
  readonly notKept: Told<string>;
}

const everything = { exclude: [], oneFileSystem: false, cacheTags: false } as const;

/**
 * Names, types, sizes, links, modes, times, attributes, and owners where this user can give them; bytes were compared with their SHA-256 when they
 * were written. What is there and not in the snapshot differs too. `directory`: nobody else works in it. Throws what the vault says.
 */
export async function compareBeside(
  reader: SnapshotReader,
  directory: string,
  selection: Selection,
): Promise<ComparedTree> {
  const handle = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  const ways = new Ways(handle, directory);
  try {
    return await new Comparison(reader, directory, selection, ways).run();
  } finally {
    ways.close();
    closeSync(handle);
  }
}

class Comparison {
  readonly #reader: SnapshotReader;
  readonly #directory: string;
  readonly #selector: Selector;
  readonly #ways: Ways;
  readonly #owners = new Owners();
  readonly #givesOwners = process.geteuid?.() === 0;
  readonly #differing = new Telling<string>();
  readonly #notGiven = new Telling<string>();
  readonly #notKept = new Telling<string>();

  constructor(reader: SnapshotReader, directory: string, selection: Selection, ways: Ways) {
    this.#reader = reader;
    this.#directory = directory;
    this.#selector = new Selector(selection);
    this.#ways = ways;
  }

  async run(): Promise<ComparedTree> {
    let entries = 0;
    const wanted = wantedEntries(this.#reader, (entry) => this.#selector.takes(entry));
    for await (const { path, one: entry, other: found } of sideBySide(wanted, foundBelow(this.#directory))) {
      if (entry) entries++;
      if (!found) (entry?.type === 'device' ? this.#notGiven : this.#differing).add(`/${shownPath(path)} is missing`);
      else if (!entry) {
        // Directories on the way to a root are nobody's entries.
        if (found.type !== 'directory') this.#differing.add(`/${shownPath(path)} is not in the snapshot`);
      } else if (!isSameLink(entry, found)) await this.#compare(entry, found);
    }
    return {
      entries,
      differing: this.#differing.told,
      notGiven: this.#notGiven.told,
      notKept: this.#notKept.told,
    };
  }

  async #compare(entry: TreeEntry, found: Found): Promise<void> {
    const { path } = entry;
    const { uid, gid } = (this.#givesOwners ? await this.#owners.here(entry) : undefined) ?? found;
    const wanted = { ...entry, uid, gid };
    const aspects = this.#aspects(wanted, found);
    if (aspects.length === 0) return;
    const isNotGiven = aspects.every((aspect) => aspect === 'attributes' || aspect === 'owner');
    const list = (await this.#isNotKept(wanted, found)) ? this.#notKept : isNotGiven ? this.#notGiven : this.#differing;
    list.add(`/${shownPath(path)} differs in ${aspects.join(', ')}`);
  }

  /** What is other once it was given again was wrong by somebody's doing, and not the file system's. */
  async #isNotKept(wanted: TreeEntry, found: Found): Promise<boolean> {
    const { path, type, sizeBytes, sha256 } = wanted;
    // Where the size is right, another time says nothing of the bytes: they are read.
    const withoutBytes = this.#aspects(wanted, found).filter(
      (aspect) => aspect !== 'content' || sizeBytes !== found.sizeBytes,
    );
    if (!mayBeNotKept(withoutBytes)) return false;
    if (givenAgain(this.#ways, path, found, metadataOf(wanted)) !== 'same') return false;
    return type !== 'file' || (await sha256Of(pathOfText(`${this.#directory}/${path}`))) === sha256;
  }

  #aspects(wanted: TreeEntry, found: Found): readonly Aspect[] {
    const present = comparableOf(found, pathOfText(`${this.#directory}/${wanted.path}`));
    return differingAspects(wanted, present).filter((aspect) => aspect !== 'content?');
  }
}

/** A hard link is a file with more names than one. */
function isSameLink(entry: TreeEntry, found: Found): boolean {
  if (entry.type !== 'hardlink') return false;
  return typeOf(found) !== 'directory' && found.links > 1n;
}

async function* foundBelow(directory: string): AsyncGenerator<Found> {
  const top = treePath(directory);
  for await (const { found, unseen } of scan({ roots: [directory], rules: everything, seesAll: true })) {
    for (const { path, code } of unseen)
      throw Object.assign(new Error(`'/${shownPath(path)}' cannot be looked at`), { code });
    for (const each of found) {
      if (each.path !== top && each.path !== `${top}/${UNFINISHED}`)
        yield { ...each, path: each.path.slice(top.length + 1) };
    }
  }
}
