// Stops everything that belongs to a sandbox and nothing else, also after an `up` that was killed half-way.

import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../errors/index.ts';
import { holdLock } from '../process/index.ts';
import { type FoundProcess, findParts } from './find-processes.ts';
import { isThere } from './is-there.ts';
import { postgresStop } from './postgres.ts';
import { removeSocketsOf } from './seaweed.ts';
import { stopServer } from './server.ts';
import { readSandboxOf, SandboxRecord, stateFile } from './state.ts';

export interface DownResult {
  readonly directory: string;
  readonly stopped: readonly { readonly part: string; readonly pid: number }[];
}

/** A server that is starting something while it is being stopped shows up in the next look. */
const looks = 5;

/**
 * Idempotent. Throws `NOT_FOUND` when `up` was never begun in this very directory: whatever runs in it or below is somebody else's. Throws `LOCKED` while
 * an `up` is at work in it, `TARGET_UNFIT` for one that was moved or copied.
 */
export async function sandboxDown({ dir }: { readonly dir: string }): Promise<DownResult> {
  const directory = await realpath(dir).catch(() => noSandbox(dir));
  const lockFile = path.join(directory, 'sandbox.lock');
  if (!(await isThere(lockFile)) && !(await isThere(stateFile(directory)))) noSandbox(directory);
  const lock = await holdLock(lockFile);
  try {
    return await stopAll(directory);
  } finally {
    await lock.release();
  }
}

function noSandbox(directory: string): never {
  return fail('NOT_FOUND', `there is no sandbox in '${directory}'`, {
    hint: 'name the directory that `holdfast sandbox up --dir` was given',
  });
}

/** For a caller that holds the lock of the directory. */
export async function stopAll(directory: string): Promise<DownResult> {
  const sandbox = await readSandboxOf(directory);
  // Written down before anything is started: without it nothing here was.
  if (sandbox === undefined) return { directory, stopped: [] };
  const stopped: { part: string; pid: number }[] = [];
  for (let look = 0; look < looks; look++) {
    const found = await findParts(directory, sandbox.pids);
    if (found.length === 0) break;
    // The worker first: it would report the others as failed, and start servers again.
    const workers = found.filter(({ part }) => part === 'worker');
    const next = workers.length > 0 ? workers : found;
    await Promise.all(next.map(stopPart));
    stopped.push(...next.map(({ part, pid }) => ({ part, pid })));
  }
  const left = await findParts(directory, {});
  if (left.length > 0) {
    const names = left.map(({ part, pid }) => `${part} (${pid})`).join(', ');
    fail('PROCESS_FAILED', `processes of the sandbox in '${directory}' start again and again: ${names}`);
  }
  for (const part of ['s3-eu', 's3-us']) await removeSocketsOf(path.join(directory, part));
  await new SandboxRecord(sandbox).update({ state: 'stopped', pids: {} });
  return { directory, stopped };
}

async function stopPart(one: FoundProcess): Promise<void> {
  if (one.part === 'postgres') return stopServer(one, postgresStop('fast'));
  if (!one.part.startsWith('s3-')) return stopServer(one, { signal: 'SIGTERM', graceMs: 30_000 });
  await stopServer(one, { signal: 'SIGKILL', graceMs: 30_000 });
}
