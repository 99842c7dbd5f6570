// What was given back, looked at once more: every entry of the snapshot beside what is on the disk now.

import { pathOfText } from '../../domain/path-text.ts';
import type { SnapshotReader, TreeEntry } from '../../vault/index.ts';
import { comparableOf, typeOf } from '../in-place/change.ts';
import { Owners } from '../owners.ts';
import { UNFINISHED } from '../restore/beside.ts';
import { type Selection, Selector, treePath, wantedEntries } from '../restore/select.ts';
import type { Found } from '../scan/found.ts';
import { scan } from '../scan/scan.ts';
import { Telling } from '../told.ts';
import type { Told } from '../types.ts';
import { differingAspects } from './differences.ts';
import { sideBySide } from './side-by-side.ts';

export interface ComparedTree {
  readonly entries: number;
  /** In words. */
  readonly differing: Told<string>;
  /** The same of what a user or a file system may not allow: owners, attributes, devices. */
  readonly notGiven: Told<string>;
}

const everything = { exclude: [], oneFileSystem: false, cacheTags: false } as const;

/**
 * Names, types, sizes, links, modes, times, attributes, and owners where this user can give them; bytes were compared with their SHA-256 when they
 * were written. What is there and not in the snapshot differs too. Throws what the vault says.
 */
export async function compareBeside(
  reader: SnapshotReader,
  directory: string,
  selection: Selection,
): Promise<ComparedTree> {
  const selector = new Selector(selection);
  const owners = new Owners();
  const givesOwners = process.geteuid?.() === 0;
  const differing = new Telling<string>();
  const notGiven = new Telling<string>();
  let entries = 0;
  const wanted = wantedEntries(reader, (entry) => selector.takes(entry));
  for await (const { path, one: entry, other: found } of sideBySide(wanted, foundBelow(directory))) {
    if (entry) entries++;
    if (!found) (entry?.type === 'device' ? notGiven : differing).add(`/${path} is missing`);
    else if (!entry) {
      // Directories on the way to a root are nobody's entries.
      if (found.type !== 'directory') differing.add(`/${path} is not in the snapshot`);
    } else if (!isSameLink(entry, found)) {
      const owner = givesOwners ? await owners.here(entry) : undefined;
      const present = comparableOf(found, pathOfText(`${directory}/${path}`));
      const aspects = differingAspects({ ...entry, ...owner }, present).filter(
        (aspect) => aspect !== 'content?' && (aspect !== 'owner' || givesOwners),
      );
      const isNotGiven = aspects.every((aspect) => aspect === 'attributes' || aspect === 'owner');
      if (aspects.length > 0) (isNotGiven ? notGiven : differing).add(`/${path} differs in ${aspects.join(', ')}`);
    }
  }
  return { entries, differing: differing.told, notGiven: notGiven.told };
}

/** A hard link is a file with more names than one. */
function isSameLink(entry: TreeEntry, found: Found): boolean {
  if (entry.type !== 'hardlink') return false;
  return typeOf(found) !== 'directory' && found.links > 1n;
}

async function* foundBelow(directory: string): AsyncGenerator<Found> {
  const top = treePath(directory);
  for await (const { found, unseen } of scan({ roots: [directory], rules: everything, seesAll: true })) {
    for (const { path, code } of unseen) throw Object.assign(new Error(`'/${path}' cannot be looked at`), { code });
    for (const each of found) {
      if (each.path !== top && each.path !== `${top}/${UNFINISHED}`)
        yield { ...each, path: each.path.slice(top.length + 1) };
    }
  }
}
