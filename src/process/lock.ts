// Holds a file lock for as long as this process lives, whatever ends it: the lock belongs to a child whose stdin is our life line.

import { readFile, writeFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { fail, HoldfastError } from '../errors/index.ts';
import { processError } from './outcome.ts';
import { start } from './start.ts';
import type { RunningProcess } from './types.ts';

/** Exit status we ask flock(1) to use when another process has the lock; none of its own (65 to 73) or of a shell. */
const takenStatus = 97;

export interface HeldLock {
  readonly path: string;
  /** The child that has the lock for us. */
  readonly holderPid: number;
  /** Gives the lock back; harmless when called twice. */
  release(): Promise<void>;
  /** Resolves, with the error to act on, when the lock is gone though nobody released it. Stays pending otherwise. */
  readonly lost: Promise<HoldfastError>;
}

/**
 * Takes the exclusive lock on a file, which is created when needed (its directory must exist), without waiting. Throws
 * `LOCKED`, with the holder's process id where it is known. The lock ends with this process, also by SIGKILL, and is
 * advisory: it keeps out only those who ask. The file stays; its content names the last holder, for people.
 */
export async function holdLock(path: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<HeldLock> {
  const flock = ['--exclusive', '--nonblock', '--no-fork', '--conflict-exit-code', String(takenStatus), path];
  const holder = await start('flock', [...flock, 'sh', '-c', 'echo held; exec cat'], signal ? { signal } : {});
  if (!(await saysHeld(holder))) await explain(holder, path);
  await writeFile(path, `${JSON.stringify({ pid: process.pid, since: new Date().toISOString() })}\n`);
  let isReleased = false;
  const lost = new Promise<HoldfastError>((resolve) => {
    void holder.finished.then(() => {
      if (!isReleased)
        resolve(new HoldfastError('FENCED', `the lock '${path}' was lost: its holder ${holder.pid} ended`));
    });
  });
  const release = async () => {
    isReleased = true;
    holder.stdin?.end();
    await holder.finished;
  };
  return { path, holderPid: holder.pid, release, lost };
}

/** True once the child says that it has the lock; false when it ends without. */
async function saysHeld(holder: RunningProcess): Promise<boolean> {
  const stdout = holder.stdout as Readable;
  return new Promise((resolve) => {
    stdout.once('data', () => resolve(true));
    void holder.finished.then(() => resolve(false));
  });
}

async function explain(holder: RunningProcess, path: string): Promise<never> {
  const result = await holder.finished;
  if (result.exitCode !== takenStatus) throw processError(result);
  const pid = await readFile(path, 'utf8').then(
    (text) => /"pid":(\d+)/.exec(text)?.[1],
    () => undefined,
  );
  fail('LOCKED', `another process${pid ? ` (${pid})` : ''} holds the lock '${path}'`, { details: { path, pid } });
}
