// Which servers work in a data directory: they make it their working directory, which the kernel tells, in whatever container they run.

import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail } from '../../errors/index.ts';
import { findWorkers, secondsAlive } from '../../process/index.ts';
import { isThere } from '../../system/index.ts';

/** After its manager said that it has stopped. */
const END_LIMIT_MS = 60_000;
const POLL_MS = 100;
/** Also `redis-stack-server`, of which the kernel keeps 15 characters. */
export const SERVER = /^(redis|valkey)(-stack)?-ser/;

export interface ServerProcess {
  readonly pid: number;
  /** As the server itself counts it: its own namespace may have other numbers (proc(5), `NSpid`). */
  readonly ownPid: number;
  /** Of one that counts itself otherwise than this host does: how long it runs. Numbers are the same in every container. */
  readonly aliveSeconds?: number;
}

/** Throws `TARGET_UNFIT` when there is a server of which it cannot be told. */
export async function serversIn(directory: string): Promise<readonly ServerProcess[]> {
  if (!(await isThere(directory))) return [];
  const { pids, unknown } = await findWorkers(directory, SERVER);
  if (unknown.length > 0) {
    fail('TARGET_UNFIT', `whether the server of process ${unknown[0]} works in '${directory}' cannot be told`, {
      hint: 'run the worker as root or as the user of the server',
    });
  }
  return await Promise.all(pids.map(processOf));
}

async function processOf(pid: number): Promise<ServerProcess> {
  const ownPid = await ownPidOf(pid);
  const aliveSeconds = ownPid === pid ? undefined : await secondsAlive(pid);
  return { pid, ownPid, ...(aliveSeconds !== undefined && { aliveSeconds }) };
}

async function ownPidOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const numbers = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
  return Number(numbers.at(-1) ?? pid);
}

/** Waits for a server that was told to end. Throws `TARGET_UNFIT` when it stays. */
export async function untilUnused(directory: string): Promise<void> {
  for (const giveUpAt = performance.now() + END_LIMIT_MS; performance.now() < giveUpAt; await sleep(POLL_MS)) {
    if ((await serversIn(directory)).length === 0) return;
  }
  await requireUnused(directory);
}

/** Throws `TARGET_UNFIT`. */
export async function requireUnused(directory: string): Promise<void> {
  const [server] = await serversIn(directory);
  if (server === undefined) return;
  fail('TARGET_UNFIT', `a server (process ${server.pid}) works in '${directory}'`, {
    hint: "stop it first, or name its 'service' in the configuration; or restore live",
  });
}
