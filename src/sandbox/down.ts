// Stops everything that belongs to a sandbox and nothing else, also after an `up` that was killed half-way.

import { readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../errors/index.ts';
import { holdLock } from '../process/index.ts';
import { type FoundProcess, findParts, markedSandboxes } from './find-processes.ts';
import { postgresStop } from './postgres.ts';
import { removeSocketsOf } from './seaweed.ts';
import { stopServer } from './server.ts';
import { readSandbox, readSandboxOf, SandboxRecord } from './state.ts';

export interface DownResult {
  readonly directory: string;
  readonly stopped: readonly StoppedPart[];
}

interface StoppedPart {
  readonly part: string;
  readonly pid: number;
  /** Of a server that a restore had left in the directory of the sandbox. */
  readonly dataDirectory?: string;
}

/** A server that is starting something while it is being stopped shows up in the next look. */
const looks = 5;

/** Idempotent. Throws `NOT_FOUND` where there is none, `LOCKED` while an `up` is at work in it, `TARGET_UNFIT` for one that was moved or copied. */
export async function sandboxDown({ dir }: { readonly dir: string }): Promise<DownResult> {
  const directory = await requireSandbox(dir);
  const lock = await holdLock(path.join(directory, 'sandbox.lock'));
  try {
    return await stopAll(directory);
  } finally {
    await lock.release();
  }
}

/**
 * Its real path. A directory in which nothing is may be one whose `up` was killed before it could write anything; any other without a record is
 * none of a sandbox, whatever servers work below it. Throws `NOT_FOUND`.
 */
export async function requireSandbox(dir: string): Promise<string> {
  const directory = await realpath(dir).catch(() => undefined);
  if (directory === undefined) return await nothingThere(dir);
  if ((await readSandbox(directory)) !== undefined) return directory;
  const others = (await readdir(directory)).filter((name) => name !== 'sandbox.lock');
  if (others.length === 0) return directory;
  const marked = await markedSandboxes();
  return marked.includes(directory) ? directory : await nothingThere(dir, marked);
}

async function nothingThere(dir: string, running?: readonly string[]): Promise<never> {
  const known = (running ?? (await markedSandboxes())).map((each) => `'${each}'`);
  const run = known.length === 0 ? 'none runs here now' : `those that run here now: ${known.join(', ')}`;
  return fail('NOT_FOUND', `there is no sandbox in '${dir}'`, {
    hint: `\`--dir\` is the directory that \`holdfast sandbox up\` was given; ${run}`,
  });
}

/** For a caller that holds the lock of the directory. */
export async function stopAll(directory: string): Promise<DownResult> {
  const sandbox = await readSandboxOf(directory);
  const stopped: StoppedPart[] = [];
  for (let look = 0; look < looks; look++) {
    const found = await findParts(directory, sandbox?.pids ?? {});
    if (found.length === 0) break;
    // The worker first: it would report the others as failed, and start servers again.
    const workers = found.filter(({ part }) => part === 'worker');
    const next = workers.length > 0 ? workers : found;
    await Promise.all(next.map(stopPart));
    stopped.push(...next.map((one) => stoppedPart(one, sandbox?.postgres?.dataDirectory)));
  }
  const left = await findParts(directory, {});
  if (left.length > 0) {
    const names = left.map(({ part, pid }) => `${part} (${pid})`).join(', ');
    fail('PROCESS_FAILED', `processes of the sandbox in '${directory}' start again and again: ${names}`);
  }
  for (const part of ['s3-eu', 's3-us']) await removeSocketsOf(path.join(directory, part));
  if (sandbox !== undefined) await new SandboxRecord(sandbox).update({ state: 'stopped', pids: {} });
  return { directory, stopped };
}

function stoppedPart({ part, pid, dataDirectory }: FoundProcess, own: string | undefined): StoppedPart {
  return { part, pid, ...(dataDirectory !== undefined && dataDirectory !== own && { dataDirectory }) };
}

async function stopPart(one: FoundProcess): Promise<void> {
  if (one.part === 'postgres') return stopServer(one, postgresStop('fast'));
  if (!one.part.startsWith('s3-')) return stopServer(one, { signal: 'SIGTERM', graceMs: 30_000 });
  await stopServer(one, { signal: 'SIGKILL', graceMs: 30_000 });
}
