// Changes in another order than that of their list, with a bounded number of them in memory: sorted runs in files without a name, merged. On a disk that is
// full they stay in memory: a rollback is what makes room on it.

import { randomBytes } from 'node:crypto';
import { closeSync, constants, createReadStream, openSync, unlinkSync, writeSync } from 'node:fs';
import type { Change } from './change.ts';

/** A change of a directory takes about a kilobyte. */
const MOST_IN_MEMORY = 20_000;
const WRITE_LINES = 1_000;

export interface Sorting {
  /** For a file without a name, when there are many. */
  readonly directory: string;
  readonly key: (change: Change) => string;
  readonly mostInMemory?: number;
}

/** All of them, by their keys; of equal keys in the order in which they came. */
export async function* sortedChanges(
  changes: AsyncIterable<Change>,
  { directory, key, mostInMemory = MOST_IN_MEMORY }: Sorting,
): AsyncGenerator<Change> {
  const handles: number[] = [];
  const runs: AsyncGenerator<Keyed>[] = [];
  const compare = (a: Keyed, b: Keyed) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
  let held: Keyed[] = [];
  try {
    for await (const change of changes) {
      held.push({ key: key(change), change });
      if (held.length < mostInMemory) continue;
      const run = held.sort(compare);
      const handle = writtenRun(directory, run);
      if (handle !== undefined) handles.push(handle);
      runs.push(handle === undefined ? each(run) : linesOf(handle, key));
      held = [];
    }
    runs.push(each(held.sort(compare)));
    for await (const { change } of merged(runs)) yield change;
  } finally {
    for (const handle of handles) closeSync(handle);
  }
}

/** Of a directory that stays, or goes when it is empty: it comes behind, or before, what is in it. */
export function isOfDirectory({ type, kind }: Change): boolean {
  return type === 'directory' && (kind === 'settle' || kind === 'remove');
}

export async function* only(
  changes: AsyncIterable<Change>,
  takes: (change: Change) => boolean,
): AsyncGenerator<Change> {
  for await (const change of changes) if (takes(change)) yield change;
}

interface Keyed {
  readonly key: string;
  readonly change: Change;
}

const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EROFS']);

/** It is gone with the process, whatever happens. Undefined where there is no room for it. */
function writtenRun(directory: string, sorted: readonly Keyed[]): number | undefined {
  try {
    return written(`${directory}/sorted-${randomBytes(8).toString('hex')}`, sorted);
  } catch (error) {
    if (NO_ROOM.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

function written(file: string, sorted: readonly Keyed[]): number {
  const handle = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    unlinkSync(file);
    for (let at = 0; at < sorted.length; at += WRITE_LINES) {
      const lines = sorted.slice(at, at + WRITE_LINES).map(({ change }) => `${JSON.stringify(change)}\n`);
      writeWhole(handle, Buffer.from(lines.join('')));
    }
    return handle;
  } catch (error) {
    closeSync(handle);
    throw error;
  }
}

function writeWhole(handle: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(handle, bytes, at);
}

async function* linesOf(handle: number, key: Sorting['key']): AsyncGenerator<Keyed> {
  let rest = '';
  const pieces = createReadStream('', { fd: handle, autoClose: false, start: 0, encoding: 'utf8' });
  for await (const text of pieces as AsyncIterable<string>) {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const change = JSON.parse(line) as Change;
      yield { key: key(change), change };
    }
  }
}

async function* each(items: readonly Keyed[]): AsyncGenerator<Keyed> {
  yield* items;
}

/** The first of the first that has the smallest key; there are few. */
async function* merged(runs: readonly AsyncGenerator<Keyed>[]): AsyncGenerator<Keyed> {
  const heads = await Promise.all(runs.map((run) => run.next()));
  try {
    for (;;) {
      let least: number | undefined;
      for (const [at, head] of heads.entries()) {
        if (head.done) continue;
        const best = least === undefined ? undefined : heads[least];
        if (best === undefined || best.done || head.value.key < best.value.key) least = at;
      }
      const head = least === undefined ? undefined : heads[least];
      if (least === undefined || head === undefined || head.done) return;
      yield head.value;
      heads[least] = await (runs[least] as AsyncGenerator<Keyed>).next();
    }
  } finally {
    for (const run of runs) await run.return(undefined);
  }
}
