// Whether a process has the file of a name open, told by device and inode: one that was removed or replaced since is another file.

import { readdir, stat } from 'node:fs/promises';

interface File {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** False where there is no such file, or no such process. `undefined`: it cannot be told, as where the kernel does not let us look (proc(5), `/proc/pid/fd`). */
export async function hasOpen(pid: number, file: string): Promise<boolean | undefined> {
  try {
    const named = await look(file);
    if (named === undefined) return false;
    const folder = `/proc/${pid}/fd`;
    for (const name of await readdir(folder)) {
      const open = await look(`${folder}/${name}`);
      if (open?.dev === named.dev && open.ino === named.ino) return true;
    }
    return false;
  } catch (error) {
    return isGone(error) ? false : undefined;
  }
}

async function look(file: string): Promise<File | undefined> {
  return await stat(file, { bigint: true }).catch((error: unknown) => {
    if (isGone(error)) return undefined;
    throw error;
  });
}

function isGone(error: unknown): boolean {
  return ['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '');
}
