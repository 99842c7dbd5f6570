// The exchange undone, change by change, from wherever it or an earlier undoing has come to; what others have written since is put aside, never lost.

import { mkdirSync } from 'node:fs';
import { shownPath } from '../../domain/path-text.ts';
import { fail } from '../../errors/index.ts';
import { pathIn } from '../../system/index.ts';
import type { Change, Identity } from './change.ts';
import { exchange, move, moveAside } from './moving.ts';
import type { Trees } from './trees.ts';

export interface UndoHooks {
  /** Right before each step that touches a name: throws when this run may not go on. */
  readonly check: () => Promise<void>;
  /** By the clock of the file system, when the exchange was over: what changed since was changed by others. Undefined where it never was. */
  readonly doneNs: bigint | undefined;
}

interface Look {
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  isDirectory(): boolean;
  isFile(): boolean;
}

const MOST_ATTEMPTS = 100;

/** Everything but settling. May be called again after it was killed. */
export async function takeBack(trees: Trees, change: Change, hooks: UndoHooks): Promise<void> {
  const { kind, type, path } = change;
  if (kind === 'settle' || kind === 'compare') return;
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
    const isOver =
      kind !== 'remove'
        ? await goOut(trees, change, hooks)
        : type === 'directory'
          ? await makeAgain(trees, path, hooks)
          : await putBack(trees, path, hooks);
    if (isOver) return;
    // Where a directory on the way is another one by now, it is opened again.
    trees.root.forget(attempt > 1 ? '' : path);
  }
  fail('TARGET_UNFIT', `'${shownPath(path)}' is made again and again while it is taken back`, {
    hint: 'stop whoever writes there, then roll back again',
  });
}

/** Whether others have changed what came in. Of an entry with several names a rename of one changes the time of all. */
export function isWrittenSince(look: Look, brought: Identity, doneNs: bigint | undefined): boolean {
  if (`${look.ino}` !== brought.inode) return true;
  if (look.isDirectory()) return false;
  if (look.isFile() && Number(look.size) !== brought.sizeBytes) return true;
  if (`${look.mtimeNs}` !== brought.mtimeNs) return true;
  return !brought.isShared && doneNs !== undefined && look.ctimeNs >= doneNs;
}

/** One step of a change that brought something in; true when there is none left. */
async function goOut(trees: Trees, change: Change, hooks: UndoHooks): Promise<boolean> {
  const { root, staged, kept, written } = trees;
  const { path, brought } = change;
  if (!brought) return true;
  const [here, waiting, before] = [root.look(path), staged.look(path), kept.look(path)];
  const isBrought = (look: Look | undefined) => look !== undefined && `${look.ino}` === brought.inode;
  if (waiting && !isBrought(waiting)) {
    // What an exchange of both names left there, and nobody has put away yet.
    await hooks.check();
    moveAside(staged.make(path), before ? written : kept, path);
    return false;
  }
  if (isBrought(before)) {
    await hooks.check();
    move(kept.make(path), staged.make(path));
    return true;
  }
  if (here && isBrought(here))
    return await takeOut(trees, path, { here, brought, hasBefore: before !== undefined }, hooks);
  if (before) return await putBack(trees, path, hooks);
  // Something was there that was not on the list, or this was done already, where the one that came in is elsewhere.
  const isSomebodys = here && !waiting && change.kind === 'create' && !isBrought(written.look(path));
  if (isSomebodys) {
    await hooks.check();
    moveAside(root.make(path), written, path);
  }
  return true;
}

async function takeOut(
  { root, staged, kept, written }: Trees,
  path: string,
  { here, brought, hasBefore }: { readonly here: Look; readonly brought: Identity; readonly hasBefore: boolean },
  { check, doneNs }: UndoHooks,
): Promise<false> {
  const isWritten = !here.isDirectory() && isWrittenSince(here, brought, doneNs);
  await check();
  if (hasBefore && !isWritten && exchange(root.make(path), kept.make(path)) !== false) return false;
  moveAside(root.make(path), isWritten ? written : staged, path);
  return false;
}

/** What was there, where it was; whatever has its place by now is somebody's. True when it is there. */
async function putBack({ root, kept, written }: Trees, path: string, { check }: UndoHooks): Promise<boolean> {
  if (!kept.look(path)) return true;
  await check();
  const to = root.make(path, (inTheWay) => asideFrom({ root, written }, inTheWay));
  if (root.look(path)) asideFrom({ root, written }, path);
  return move(kept.make(path), to) === 'moved';
}

/** A directory that was removed when it was empty. */
async function makeAgain({ root, written }: Trees, path: string, { check }: UndoHooks): Promise<boolean> {
  await check();
  const clear = (inTheWay: string) => asideFrom({ root, written }, inTheWay);
  const name = root.make(path, clear);
  const here = root.look(path);
  if (here?.isDirectory()) return true;
  if (here) clear(path);
  try {
    mkdirSync(pathIn(name), 0o700);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' || code === 'ENOENT') return false;
    throw error;
  }
}

function asideFrom({ root, written }: Pick<Trees, 'root' | 'written'>, path: string): void {
  const name = root.find(path);
  if (name) moveAside(name, written, path);
  root.forget(path);
}
