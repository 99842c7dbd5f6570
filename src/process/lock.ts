// Holds a file lock for as long as this process lives, whatever ends it: the lock belongs to a child whose stdin is our life line.

import { readFile, stat, writeFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail, HoldfastError } from '../errors/index.ts';
import { hasOpen } from './has-open.ts';
import { processError } from './outcome.ts';
import { run } from './run.ts';
import { start } from './start.ts';
import type { RunningProcess } from './types.ts';

/** Exit status we ask flock(1) to use when another process has the lock; none of its own (65 to 73) or of a shell. */
const takenStatus = 97;
const unlessTaken = ['--nonblock', '--no-fork', '--conflict-exit-code', String(takenStatus)];

/** A look at the lock lasts as long as `true` does; one that takes longer than this is stopped, and whoever wants the lock waits so long for it. */
const lookMs = 10_000;

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
 * Takes the exclusive lock on a file, which is created when needed (its directory must exist). Another holder is not waited for, one who
 * only looks (`isLockHeld`) is. Throws `LOCKED`, with the holder's process id where it is known. The lock ends with this process, also by
 * SIGKILL, and is advisory: it keeps out only those who ask. The file stays; its content names the last holder, for people, where it could be
 * written: on a full or read-only disk the lock is held without, and whoever goes back there gets his turn. A holder may remove the file, and
 * only he: who was about to lock it then takes the lock of the file that is there.
 */
export async function holdLock(path: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<HeldLock> {
  for (const giveUpAt = performance.now() + lookMs; ; await sleep(20)) {
    const command = ['--exclusive', ...unlessTaken, path, 'sh', '-c', 'echo held; exec cat'];
    const holder = await start('flock', command, signal ? { signal } : {});
    if (await saysHeld(holder)) {
      if ((await hasOpen(holder.pid, path)) !== false) return await heldBy(holder, path);
      await end(holder);
    } else {
      const result = await holder.finished;
      if (result.exitCode !== takenStatus) throw processError(result);
      if (await isLockHeld(path)) await taken(path);
    }
    if (performance.now() > giveUpAt)
      fail('LOCKED', `the lock '${path}' is looked at, or replaced, without end`, { details: { path } });
  }
}

/**
 * Whether somebody holds the lock; changes nothing, and those who look at the same time are not in each other's way. Throws when it cannot be
 * told.
 */
export async function isLockHeld(path: string): Promise<boolean> {
  // flock(1) would make it.
  if (!(await isThere(path))) return false;
  const options = { okExitCodes: [0, takenStatus], deadlineMs: lookMs };
  const { exitCode } = await run('flock', ['--shared', ...unlessTaken, path, 'true'], options);
  return exitCode === takenStatus;
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}

async function heldBy(holder: RunningProcess, path: string): Promise<HeldLock> {
  const note = `${JSON.stringify({ pid: process.pid, since: new Date().toISOString() })}\n`;
  // Nothing depends on the note, and a throw from here would leave the lock with a child that nobody ends.
  await writeFile(path, note).catch(() => {});
  let isReleased = false;
  const lost = new Promise<HoldfastError>((resolve) => {
    void holder.finished.then(() => {
      if (!isReleased)
        resolve(new HoldfastError('FENCED', `the lock '${path}' was lost: its holder ${holder.pid} ended`));
    });
  });
  const release = async () => {
    isReleased = true;
    await end(holder);
  };
  return { path, holderPid: holder.pid, release, lost };
}

async function end(holder: RunningProcess): Promise<void> {
  holder.stdin?.end();
  await holder.finished;
}

/** True once the child says that it has the lock; false when it ends without. */
async function saysHeld(holder: RunningProcess): Promise<boolean> {
  const stdout = holder.stdout as Readable;
  return new Promise((resolve) => {
    stdout.once('data', () => resolve(true));
    void holder.finished.then(() => resolve(false));
  });
}

async function taken(path: string): Promise<never> {
  const pid = await readFile(path, 'utf8').then(
    (text) => /"pid":(\d+)/.exec(text)?.[1],
    () => undefined,
  );
  return fail('LOCKED', `another process${pid ? ` (${pid})` : ''} holds the lock '${path}'`, {
    details: { path, pid },
  });
}
