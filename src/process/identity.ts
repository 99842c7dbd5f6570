// Tells one process from another that later got its number, and stops exactly the one that is meant.

import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail } from '../errors/index.ts';
import type { ProcessIdentity } from './types.ts';

/** After SIGKILL only the kernel is in the way (a disk that hangs); it gets this long. */
const killWaitMs = 30_000;

interface Stat {
  readonly state: string;
  /** Of its process group. */
  readonly group: number;
  readonly startTicks: string;
}

/** The program's name, in parentheses, may itself hold spaces and parentheses (proc(5)). */
export function statIn(text: string): Stat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', group: Number(fields[2]), startTicks: fields[19] ?? '' };
}

/** `undefined` only when the kernel says that there is no such process. */
export async function readStat(pid: number): Promise<Stat | undefined> {
  try {
    return statIn(await readFile(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}

/** Ticks count from boot, so the boot's own id belongs to the identity. */
async function startTimeOf(stat: Stat): Promise<string> {
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  return `${bootId}/${stat.startTicks}`;
}

/** The identity of a live process; `undefined` when there is none, or only the zombie of one. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const stat = await readStat(pid);
  if (stat === undefined || stat.state === 'Z' || stat.state === 'X') return undefined;
  return { pid, startTime: await startTimeOf(stat) };
}

/** True when exactly this process is alive: the number and the start time agree. */
export async function isAlive(pid: number, startTime: string): Promise<boolean> {
  return (await identify(pid))?.startTime === startTime;
}

export interface StopOptions {
  /** First signal; default SIGTERM. */
  readonly signal?: NodeJS.Signals;
  /** Until SIGKILL; default 10,000. */
  readonly graceMs?: number;
  /** Also signal the other members of the group that this process leads; default false. */
  readonly group?: boolean;
}

/**
 * Stops one process that need not be our child. `absent`: it was gone already, and whoever has the number now was left
 * alone. Throws `PROCESS_TIMEOUT` when not even SIGKILL ends it.
 */
export async function stopByPid(
  identity: ProcessIdentity,
  { signal = 'SIGTERM', graceMs = 10_000, group = false }: StopOptions = {},
): Promise<'stopped' | 'absent'> {
  if (!(await isAlive(identity.pid, identity.startTime))) return 'absent';
  // A group that it does not lead is somebody else's, and one of its own number is not there.
  const leads = group && (await readStat(identity.pid))?.group === identity.pid;
  const target = leads ? -identity.pid : identity.pid;
  sendSignal(target, signal);
  if (!(await waitForEnd(identity, graceMs))) {
    sendSignal(target, 'SIGKILL');
    if (!(await waitForEnd(identity, killWaitMs))) {
      fail('PROCESS_TIMEOUT', `process ${identity.pid} does not end, not even by SIGKILL`);
    }
  }
  return 'stopped';
}

async function waitForEnd({ pid, startTime }: ProcessIdentity, limitMs: number): Promise<boolean> {
  const giveUpAt = performance.now() + limitMs;
  for (let pauseMs = 5; await isAlive(pid, startTime); pauseMs = Math.min(pauseMs * 2, 100)) {
    if (performance.now() > giveUpAt) return false;
    await sleep(pauseMs);
  }
  return true;
}

/** A target that is gone is fine; a negative number is a process group. */
export function sendSignal(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
