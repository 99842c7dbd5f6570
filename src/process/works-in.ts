// Whether a process works in a directory, told by device and inode: in another mount namespace the same name is another place.

import { readdir, readFile, stat } from 'node:fs/promises';

interface Place {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** `undefined`: the kernel does not let us look (proc(5), `/proc/pid/cwd`). Throws what the directory itself does not allow. */
export async function worksIn(pid: number, directory: string): Promise<boolean | undefined> {
  return await isAt(pid, await placeOf(directory));
}

export interface Workers {
  readonly pids: readonly number[];
  /** Of which it cannot be told. */
  readonly unknown: readonly number[];
}

/** Processes of those programs, by the name that the kernel shows (15 bytes at most), that work in a directory. */
export async function findWorkers(directory: string, program: RegExp): Promise<Workers> {
  const place = await placeOf(directory);
  const pids: number[] = [];
  const unknown: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const shown = await readFile(`/proc/${name}/comm`, 'utf8').catch(() => '');
    if (!program.test(shown.trim())) continue;
    const isThere = await isAt(Number(name), place);
    if (isThere === undefined) unknown.push(Number(name));
    else if (isThere) pids.push(Number(name));
  }
  return { pids, unknown };
}

async function placeOf(directory: string): Promise<Place> {
  return await stat(directory, { bigint: true });
}

async function isAt(pid: number, { dev, ino }: Place): Promise<boolean | undefined> {
  try {
    const works = await stat(`/proc/${pid}/cwd`, { bigint: true });
    return works.dev === dev && works.ino === ino;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // It ended meanwhile, or is a zombie, which works nowhere.
    if (code === 'ENOENT' || code === 'ESRCH') return false;
    if (code === 'EACCES' || code === 'EPERM') return undefined;
    throw error;
  }
}
