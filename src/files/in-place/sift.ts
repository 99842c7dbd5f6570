// What an undoing has taken out, sifted: what others wrote into it, or made in it, goes to `written`; the rest is what the snapshot has anyway.

import { sideBySide } from '../compare/side-by-side.ts';
import { isWithin } from '../restore/select.ts';
import type { Found } from '../scan/found.ts';
import { Telling } from '../told.ts';
import type { Told } from '../types.ts';
import { type Brought, foundIn } from './brought.ts';
import { moveAside } from './moving.ts';
import type { RunPlace } from './place.ts';
import type { Trees } from './trees.ts';
import { isWrittenSince, type UndoHooks } from './undo.ts';

/** May be called again after it was killed. */
export async function sift(
  place: RunPlace,
  trees: Trees,
  brought: AsyncIterable<Brought>,
  { check, doneNs }: UndoHooks,
): Promise<void> {
  let around: string | undefined;
  let gone: string | undefined;
  for await (const { path, one: known, other: found } of sideBySide(brought, foundIn(place, 'new'))) {
    if (known?.isChange) around = path;
    if (!found || (gone !== undefined && isWithin(path, gone))) continue;
    const isOnTheWay = found.type === 'directory' && !(around !== undefined && isWithin(path, around));
    if (isOnTheWay || (known && !isWritten(found, known, doneNs))) continue;
    gone = path;
    await check();
    const name = trees.staged.find(path);
    if (name) moveAside(name, trees.written, path);
    trees.staged.forget(path);
  }
}

/** The time of the change's own name was changed by taking it out; it was looked at before. */
function isWritten(found: Found, known: Brought, doneNs: bigint | undefined): boolean {
  const look = {
    ino: found.inode,
    size: BigInt(found.sizeBytes),
    mtimeNs: found.mtimeNs,
    ctimeNs: found.ctimeNs,
    isDirectory: () => found.type === 'directory',
    isFile: () => found.type === 'file',
  };
  return isWrittenSince(look, known, known.isChange ? undefined : doneNs);
}

/** All that is kept of what others wrote, but for directories. */
export async function writtenIn(place: RunPlace): Promise<Told<string>> {
  const files = new Telling<string>();
  for await (const { path, type } of foundIn(place, 'written')) if (type !== 'directory') files.add(path);
  return files.told;
}
