// One durable barrier for everything that was written below a directory: syncfs(2), by the `sync` program, because Node has no call for it.

import { platform, release } from 'node:os';
import { run } from '../../process/index.ts';

/** Since then syncfs reports writes that failed before it was called (syncfs(2), "Versions"). */
const TELLS_FAILURES_SINCE = [5, 8] as const;

/** Whether a sync of the file system tells as much as a sync of each file would. */
export function canSyncFileSystem(system = platform(), kernel = release()): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  const [sinceMajor, sinceMinor] = TELLS_FAILURES_SINCE;
  return system === 'linux' && (major > sinceMajor || (major === sinceMajor && minor >= sinceMinor));
}

/** Everything that was written to the file system of `directory` is on the disk. Throws `PROCESS_FAILED`, `PROGRAM_MISSING`. */
export async function syncFileSystem(directory: string): Promise<void> {
  await run('sync', ['-f', '--', directory]);
}
