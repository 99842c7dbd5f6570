// The exchange of one root: for each change the names, and what they stand for, tell how far it is, so that it goes on from anywhere.

import { rmdirSync } from 'node:fs';
import { shownPath } from '../../domain/path-text.ts';
import { fail } from '../../errors/index.ts';
import { pathIn } from '../../system/index.ts';
import type { Change } from './change.ts';
import { exchange, move, moveAside } from './moving.ts';
import type { Trees } from './trees.ts';

export interface ExchangeHooks {
  /** Right before each step that touches a name: throws when this run may not go on. */
  readonly check: () => Promise<void>;
  /** Before a directory gives way as a whole: throws when something in it is to be left alone by now. */
  readonly requireWhole: (path: string) => Promise<void>;
}

/** Somebody who makes a name again and again is given up on. */
const MOST_ATTEMPTS = 100;

/** Everything but settling. May be called again after it was killed. */
export async function bringIn(trees: Trees, change: Change, hooks: ExchangeHooks): Promise<void> {
  const { kind, type, path } = change;
  if (kind === 'create' || kind === 'replace') await comeIn(trees, change, hooks);
  else if (kind === 'remove' && type === 'directory') await removeEmpty(trees, change, hooks);
  else if (kind === 'remove') await takeAway(trees, path, hooks);
}

/** In: the name stands for what was staged. Or it was, and somebody has taken it away since. */
async function comeIn(trees: Trees, { path, brought }: Change, hooks: ExchangeHooks): Promise<void> {
  const { root, staged, kept, written } = trees;
  if (!brought) return;
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
    const [here, waiting] = [root.look(path), staged.look(path)];
    if (!waiting) return;
    const isWaiting = `${waiting.ino}` === brought.inode;
    await hooks.check();
    if (isWaiting && here?.isDirectory()) {
      await hooks.requireWhole(path);
      await hooks.check();
    }
    const [to, from] = [root.make(path), staged.make(path)];
    if (!isWaiting) {
      // What an exchange of both names left here: what was there before, or what somebody put there meanwhile.
      moveAside(from, kept.look(path) ? written : kept, path);
      return;
    }
    if (!here && move(from, to) === 'moved') return;
    const exchanged = here && exchange(from, to);
    if (exchanged === false) moveAside(to, kept.look(path) ? written : kept, path);
    // Where a directory on the way is another one by now, it is opened again.
    root.forget(exchanged === 'gone' ? '' : path);
  }
  fail('TARGET_UNFIT', `'${shownPath(path)}' is made again and again while it is exchanged`, {
    hint: 'stop whoever writes there, then go on or roll back',
  });
}

/** What is there although it was taken away is somebody else's, and new; so is a directory that was none. */
async function takeAway({ root, kept }: Trees, path: string, hooks: ExchangeHooks): Promise<void> {
  const here = root.look(path);
  if (!here || here.isDirectory() || kept.look(path)) return;
  await hooks.check();
  const [from, to] = [root.find(path), kept.make(path)];
  if (from) move(from, to);
}

/** What is left in it is not ours to take away. */
async function removeEmpty({ root }: Trees, { path, inode }: Change, hooks: ExchangeHooks): Promise<void> {
  const here = root.look(path);
  if (!here?.isDirectory() || `${here.ino}` !== inode) return;
  await hooks.check();
  const name = root.find(path);
  root.forget(path);
  try {
    if (name) rmdirSync(pathIn(name));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'ENOENT' && code !== 'EEXIST' && code !== 'EBUSY' && code !== 'ENOTDIR')
      throw error;
  }
}
