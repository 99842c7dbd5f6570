// One pass over the changes of a run, in their order; directories are settled last, those below others first, because every rename in one changes its time.

import { lookAt } from '../../system/index.ts';
import type { Change, Metadata } from './change.ts';
import { settleEntry, settleHandle } from './settle.ts';
import type { Trees } from './trees.ts';

export interface PassHooks {
  readonly check: () => Promise<void>;
  /** A property that this user or file system does not allow. */
  readonly onLacking: (path: string, what: string, code: string) => void;
  /** Somebody has changed it since it was listed. */
  readonly onChangedSince: (path: string) => void;
}

export interface Direction {
  readonly act: (trees: Trees, change: Change) => Promise<void>;
  /** What is settled gets this. */
  readonly wanted: 'before' | 'after';
  readonly rootHandle: number;
}

type Look = NonNullable<ReturnType<typeof lookAt>>;

export async function pass(
  trees: Trees,
  changes: AsyncIterable<Change>,
  direction: Direction,
  hooks: PassHooks,
): Promise<void> {
  const directories: Change[] = [];
  for await (const change of changes) {
    const { kind, type } = change;
    if (type === 'directory' && (kind === 'settle' || kind === 'remove')) directories.push(change);
    else if (kind === 'settle') await settle(trees, change, direction, hooks);
    else await direction.act(trees, change);
  }
  for (const change of directories.sort((a, b) => depth(b.path) - depth(a.path))) {
    if (change.kind === 'remove') await direction.act(trees, change);
    await settle(trees, change, direction, hooks);
  }
}

function depth(text: string): number {
  return text === '' ? 0 : text.split('/').length;
}

async function settle({ root }: Trees, change: Change, direction: Direction, hooks: PassHooks): Promise<void> {
  const wanted = change[direction.wanted];
  if (!wanted) return;
  const { path } = change;
  const onLacking = (what: string, code: string) => hooks.onLacking(path, what, code);
  if (path === '') {
    await hooks.check();
    settleHandle(direction.rootHandle, { wanted, keepsTime: false, onLacking });
    return;
  }
  const name = root.find(path);
  const look = name && lookAt(name);
  if (!name || !look || typeOf(look) !== change.type) return;
  const isChanged = isChangedSince(look, change);
  if (isChanged) hooks.onChangedSince(path);
  // What was written since stays; going back, it gets what it had but for the time, which is that of its content.
  if (isChanged && (direction.wanted === 'after' || `${look.ino}` !== change.inode)) return;
  await hooks.check();
  settleEntry(name, look, { wanted, keepsTime: isChanged, onLacking });
}

/** Of a file, and whatever else is no directory: by what it was when it was listed, or by what it was settled to. */
function isChangedSince(look: Look, { type, inode, amount, before, after }: Change): boolean {
  if (type === 'directory') return false;
  if (inode !== undefined && `${look.ino}` !== inode) return true;
  const times = [before, after].map((metadata: Metadata | undefined) => metadata?.mtimeNs);
  return !times.includes(`${look.mtimeNs}`) || (look.isFile() && Number(look.size) !== amount.bytes);
}

function typeOf(look: Look): Change['type'] {
  if (look.isFile()) return 'file';
  if (look.isDirectory()) return 'directory';
  if (look.isSymbolicLink()) return 'symlink';
  if (look.isFIFO()) return 'fifo';
  if (look.isBlockDevice() || look.isCharacterDevice()) return 'device';
  return 'hardlink'; // A socket: nothing that is settled is one.
}
