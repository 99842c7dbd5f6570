// One quickstart a directory: a second one is refused while the first lives, and a directory of somebody else is not touched.

import { chmod, mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { fail, isHoldfastError } from '../../errors/index.ts';
import { type HeldLock, holdLock } from '../../process/index.ts';
import { isThere } from '../is-there.ts';
import { readSandbox } from '../state.ts';

/** The lock, and the mark that says that `home` is a quickstart's; it stays as long as anything else is there. */
const LOCK = 'quickstart.lock';

export interface Claim {
  /** Gives the directory back; where nothing but the mark is left in it, that goes too, and with it a directory that is a quickstart's own. */
  leave(): Promise<void>;
}

/**
 * Makes `home` where it is not there; `sandbox` below it belongs to the caller until he leaves it or this process ends, however that happens.
 * Throws `LOCKED` while another quickstart lives in it, `TARGET_UNFIT` for a directory with anything else in it; nothing is touched then.
 */
export async function claimDirectory(home: string, sandbox: string): Promise<Claim> {
  try {
    return await claimOnce(home, sandbox);
  } catch (error) {
    // One who left it has taken it away between our making it and our lock.
    if (isHoldfastError(error, 'PROCESS_FAILED') && !(await isThere(home))) return await claimOnce(home, sandbox);
    throw error;
  }
}

async function claimOnce(home: string, sandbox: string): Promise<Claim> {
  // The server's user must get through, whatever our umask says; a directory that was there is left as it is.
  const made = await mkdir(home, { recursive: true });
  if (made !== undefined) await chmod(home, 0o755);
  const names = await readdir(home);
  if (names.length > 0 && !names.includes(LOCK)) {
    fail('TARGET_UNFIT', `'${home}' is not empty, and not the directory of a quickstart`, {
      hint: `choose another one: \`npm run quickstart -- --dir DIR\`; if nothing in it is needed, end a sandbox in it with \`bin/holdfast sandbox down --dir ${home}\` and remove it`,
    });
  }
  try {
    const lock = await holdLock(path.join(home, LOCK));
    return { leave: () => leave(home, lock, made !== undefined || names.includes(LOCK)) };
  } catch (error) {
    if (isHoldfastError(error, 'LOCKED')) return await refuseSecond(home, sandbox, error.details?.pid);
    throw error;
  }
}

async function leave(home: string, lock: HeldLock, isOwn: boolean): Promise<void> {
  let isEmpty = false;
  try {
    isEmpty = (await namesIn(home)).every((name) => name === LOCK);
    if (isEmpty) await rm(lock.path, { force: true });
  } finally {
    // Whatever has become of the directory: the one that holds it would keep this process alive.
    await lock.release();
  }
  // Somebody may have begun there meanwhile.
  if (isEmpty && isOwn) await rmdir(home).catch(() => undefined);
}

/** None where somebody has removed it. */
async function namesIn(home: string): Promise<string[]> {
  return await readdir(home).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

async function refuseSecond(home: string, sandbox: string, pid: unknown): Promise<never> {
  const parts = Object.keys((await readSandbox(sandbox))?.pids ?? {});
  const running = parts.length === 0 ? '' : `: ${parts.join(', ')}`;
  const process = pid === undefined ? '' : ` (process ${String(pid)})`;
  const kill = pid === undefined ? '' : ` or \`kill ${String(pid)}\``;
  return fail('LOCKED', `a quickstart${process} is running in '${home}'${running}`, {
    hint: `stop it with Ctrl-C in its terminal${kill}, or choose another directory: \`npm run quickstart -- --dir DIR\``,
    details: { directory: home, pid },
  });
}
