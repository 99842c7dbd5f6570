// How long a process has been there, by the kernel's ticks alone: what else tells the time may be a container's own.

import { readStat, statIn } from './identity.ts';
import { run } from './run.ts';

/** What Linux shows to programs on every usual architecture (`USER_HZ`, times(2)). */
const TICKS_PER_SECOND = 100;
const LIMIT_MS = 60_000;

/** `undefined` when there is none, and when it cannot be: then it is not known. */
export async function secondsAlive(pid: number): Promise<number | undefined> {
  const stat = await readStat(pid);
  if (stat === undefined) return undefined;
  // A process that begins now says what now is. `/proc/uptime` is the container's own under LXC, and our own age leaves out what was before `exec`.
  const { stdout } = await run('cat', ['/proc/self/stat'], { deadlineMs: LIMIT_MS });
  const seconds = (Number(statIn(stdout).startTicks) - Number(stat.startTicks)) / TICKS_PER_SECOND;
  return seconds >= 0 ? seconds : undefined;
}
