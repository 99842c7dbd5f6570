// One pass over the changes of a run, in their order; directories are settled last, those below others first, because every rename in one changes its time.

import { lookAt, pathIn } from '../../system/index.ts';
import type { Aspect } from '../compare/differences.ts';
import type { Change, Metadata } from './change.ts';
import { NOT_KEPT, notKept, notKeptOn } from './not-kept.ts';
import { settleEntry, settleHandle } from './settle.ts';
import { isOfDirectory, only, sortedChanges } from './sorted-changes.ts';
import type { Trees } from './trees.ts';

export interface PassHooks {
  readonly check: () => Promise<void>;
  /** A property that this user or file system does not allow. */
  readonly onLacking: (path: string, what: string, code: string) => void;
  /** Somebody has changed it since it was listed. */
  readonly onChangedSince: (path: string) => void;
  /** Times are kept in steps of so many nanoseconds. Where it is given, what the file system does not keep is told too; what goes back was kept before. */
  readonly grainNs?: bigint;
}

export interface Direction {
  readonly act: (trees: Trees, change: Change) => Promise<void>;
  /** What is settled gets this. */
  readonly wanted: 'before' | 'after';
  readonly rootHandle: number;
  /** Of the run, for what does not fit into memory. */
  readonly directory: string;
}

type Look = NonNullable<ReturnType<typeof lookAt>>;

export async function pass(
  trees: Trees,
  changes: () => AsyncIterable<Change>,
  direction: Direction,
  hooks: PassHooks,
): Promise<void> {
  for await (const change of only(changes(), (each) => !isOfDirectory(each))) {
    if (change.kind === 'settle') await settle(trees, change, direction, hooks);
    else await direction.act(trees, change);
  }
  const { directory } = direction;
  for await (const change of sortedChanges(only(changes(), isOfDirectory), { directory, key: deepestFirst })) {
    if (change.kind === 'remove') await direction.act(trees, change);
    await settle(trees, change, direction, hooks);
  }
}

/** Deeper than a path of the system can lead. */
const DEEPEST = 100_000;

function deepestFirst({ path }: Change): string {
  const depth = path === '' ? 0 : path.split('/').length;
  return `${DEEPEST - depth}`.padStart(6, '0');
}

async function settle({ root }: Trees, change: Change, direction: Direction, hooks: PassHooks): Promise<void> {
  const wanted = change[direction.wanted];
  if (!wanted) return;
  const { path } = change;
  const { grainNs } = hooks;
  const refused = new Set<string>();
  const onLacking = (what: string, code: string) => {
    refused.add(what);
    hooks.onLacking(path, what, code);
  };
  const tellNotKept = (aspects: readonly Aspect[]) => {
    for (const what of aspects) if (!isTold(what, refused)) hooks.onLacking(path, what, NOT_KEPT);
  };
  if (path === '') {
    await hooks.check();
    settleHandle(direction.rootHandle, { wanted, keepsTime: false, onLacking });
    if (grainNs !== undefined) tellNotKept(notKeptOn(direction.rootHandle, wanted, grainNs));
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
  const now = grainNs === undefined ? undefined : lookAt(name);
  if (grainNs === undefined || now?.ino !== look.ino) return;
  tellNotKept(notKept(pathIn(name), now, wanted, { keepsTime: isChanged, grainNs }));
}

const BY_THEIR_WORD: ReadonlySet<string> = new Set<Aspect>(['owner', 'mode', 'time']);

/** Attributes are told by their names. */
function isTold(what: Aspect, refused: ReadonlySet<string>): boolean {
  if (what !== 'attributes') return refused.has(what);
  return [...refused].some((each) => !BY_THEIR_WORD.has(each));
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
