// What was staged, looked at before any of it goes in: that all of it is there, and by what each is known afterwards.

import { closeSync, fstatSync, unlinkSync } from 'node:fs';
import { pathOfText, shownPath } from '../../domain/path-text.ts';
import { fail } from '../../errors/index.ts';
import { pathIn, setTimes } from '../../system/index.ts';
import type { TreeEntry } from '../../vault/index.ts';
import { sideBySide } from '../compare/side-by-side.ts';
import { isWithin } from '../restore/select.ts';
import type { Found } from '../scan/found.ts';
import { scan } from '../scan/scan.ts';
import { walkKey } from '../walk-order.ts';
import type { AsGiven } from './as-given.ts';
import { belowTop, type Change, type Identity, joined, typeOf } from './change.ts';
import { type Listed, readList, writeList } from './list.ts';
import { givenAgain, mayBeNotKept, NOT_KEPT } from './not-kept.ts';
import { openPart, type Part, type RunPlace } from './place.ts';
import type { Lacking } from './types.ts';
import { Ways } from './ways.ts';

/** A name that comes in, in walk order; `isChange` for one that a change names, not only what is below. */
export interface Brought extends Identity {
  readonly path: string;
  readonly type: TreeEntry['type'];
  readonly isChange?: true;
}

export interface BroughtLists {
  /** The changes, each with what comes in by it. */
  readonly exchange: Listed;
  /** Every name that comes in. */
  readonly brought: Listed;
}

/** What the threads of an unfinished stage have left. */
const UNFINISHED = /\.holdfast-part$/;

export interface Coming {
  /** The root as entries name it. */
  readonly top: string;
  /** What comes in, by its path below the root. */
  readonly entries: () => AsyncIterable<TreeEntry>;
  readonly given: AsGiven;
  /** Told what the file system took and does not keep. */
  readonly onNotKept: (lacking: Lacking) => void;
}

/** Throws `TARGET_UNFIT` when something of it was not staged, or not as it is wanted: bytes were compared when they were written. */
export async function listBrought(place: RunPlace, changes: Listed, coming: Coming): Promise<BroughtLists> {
  const names = () => comingNames(readList<Change>(place.changes, changes));
  const brought = await writeList(place.brought, broughtOf(place, names, coming));
  const lines = readList<Brought>(place.brought, brought);
  const exchange = await writeList(place.exchange, withBrought(readList<Change>(place.changes, changes), lines));
  return { exchange, brought };
}

/** Names of what is created or replaced, in walk order. */
export async function* comingNames(changes: AsyncIterable<Change>): AsyncGenerator<{ readonly path: string }> {
  for await (const { path, kind } of changes) if (kind === 'create' || kind === 'replace') yield { path };
}

/** Of a sorted stream, what one of the names is, or holds; whether it is that name itself. */
export async function* covered<Each extends { readonly path: string }>(
  each: AsyncIterable<Each>,
  names: AsyncIterable<{ readonly path: string }>,
): AsyncGenerator<{ readonly path: string; readonly each: Each; readonly isName: boolean }> {
  let around: string | undefined;
  for await (const { path, one, other } of sideBySide(each, names)) {
    if (other) around = path;
    if (one && around !== undefined && isWithin(path, around)) yield { path, each: one, isName: other !== undefined };
  }
}

/** Everything in a tree of a run, by its path in it. */
export async function* foundIn(place: RunPlace, part: Part): AsyncGenerator<Found> {
  const handle = openPart(place, part);
  const root = `/proc/self/fd/${handle}/.`;
  try {
    const rules = { exclude: [], oneFileSystem: true, cacheTags: false };
    for await (const { found, unseen } of scan({ roots: [root], rules, seesAll: true })) {
      const [first] = unseen;
      if (first)
        fail(
          'TARGET_UNFIT',
          `'${shownPath(belowTop(first.path, root.slice(1)))}' in '${place.shown}/${part}' cannot be looked at (${first.code})`,
        );
      for (const each of found) {
        const path = belowTop(each.path, root.slice(1));
        if (path !== '') yield { ...each, path };
      }
    }
  } finally {
    closeSync(handle);
  }
}

async function* broughtOf(
  place: RunPlace,
  names: () => AsyncIterable<{ readonly path: string }>,
  { top, entries, given, onNotKept }: Coming,
): AsyncGenerator<Brought> {
  const handle = openPart(place, 'new');
  const staged = new Ways(handle, place.shown);
  /** Of files with several names, by the first. */
  const leaders = new Map<string, bigint>();
  try {
    const found = covered(foundIn(place, 'new'), names());
    for await (const { path, one: entry, other } of sideBySide(entries(), found)) {
      if (!entry) removeUnfinished(staged, path);
      else if (!other) requireNothing(entry);
      else {
        const whole = joined(top, path);
        const { each, isName } = other;
        if (entry.type === 'file' && each.links > 1n) leaders.set(whole, each.inode);
        if (entry.type === 'hardlink') {
          requireLink(entry, each, leaders.get(entry.linkTarget ?? ''));
          yield broughtAs(entry, each, isName);
          continue;
        }
        const there = pathOfText(`/proc/self/fd/${handle}/${path}`);
        const differing = given.aspects(whole, entry, each, there).filter((aspect) => aspect !== 'content?');
        if (differing.length > 0) {
          const isNotKept =
            mayBeNotKept(differing) && givenAgain(staged, path, each, given.wanted(entry, each)) !== 'other';
          if (!isNotKept) notAsAsked(path, `it differs in ${differing.join(', ')}`);
        }
        for (const what of differing) onNotKept({ path: whole, what, code: NOT_KEPT });
        yield broughtAs(entry, each, isName);
      }
    }
  } finally {
    staged.close();
    closeSync(handle);
  }
}

/** The directory keeps its own time, which it was given. */
function removeUnfinished(staged: Ways, path: string): void {
  if (!UNFINISHED.test(path)) notAsAsked(path, 'nobody wants it');
  const name = staged.find(path);
  if (!name) return;
  const { atimeNs, mtimeNs } = fstatSync(name.directory, { bigint: true });
  unlinkSync(pathIn(name));
  setTimes(pathIn({ directory: name.directory, name: '.' }), { atimeNs, mtimeNs });
}

/** A device that this user may not make was told when it was staged. */
function requireNothing({ path, type }: TreeEntry): void {
  if (type !== 'device') notAsAsked(path, 'it is not there');
}

function requireLink({ path }: TreeEntry, { inode, type }: Found, leader: bigint | undefined): void {
  if (type === 'directory' || (leader !== undefined && leader !== inode)) notAsAsked(path, 'it is another file');
}

function broughtAs({ path }: TreeEntry, found: Found, isChange: boolean): Brought {
  return {
    path,
    type: typeOf(found),
    inode: `${found.inode}`,
    sizeBytes: found.sizeBytes,
    mtimeNs: `${found.mtimeNs}`,
    ...(found.links > 1n && found.type !== 'directory' && { isShared: true }),
    ...(isChange && { isChange }),
  };
}

function notAsAsked(path: string, what: string): never {
  fail('TARGET_UNFIT', `'${shownPath(path)}' was not staged as it is wanted: ${what}`, {
    hint: 'somebody else writes into the directory of the run; roll it back and start again: nothing was exchanged',
  });
}

/** Both in walk order, as far as changes bring something in. */
async function* withBrought(changes: AsyncIterable<Change>, lines: AsyncIterable<Brought>): AsyncGenerator<Change> {
  const all = lines[Symbol.asyncIterator]();
  let next = await all.next();
  for await (const change of changes) {
    if (change.kind !== 'create' && change.kind !== 'replace') {
      yield change;
      continue;
    }
    while (!next.done && walkKey(next.value.path) < walkKey(change.path)) next = await all.next();
    if (next.done || next.value.path !== change.path) yield change;
    else yield { ...change, brought: identityOf(next.value) };
  }
  // To its end, where its hash is compared.
  while (!next.done) next = await all.next();
}

function identityOf({ inode, sizeBytes, mtimeNs, isShared }: Brought): Identity {
  return { inode, sizeBytes, mtimeNs, ...(isShared && { isShared }) };
}
