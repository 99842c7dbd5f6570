// Finds every process of a sandbox by looking at the processes there are, so that a crash between start and record hides none.

import { readdir, readFile, readlink } from 'node:fs/promises';
import { identify, isAlive, type ProcessIdentity } from '../process/index.ts';
import type { PartialSandbox } from './state.ts';

/** Variables that every server of a sandbox gets, and that its own children do not (they end with it). */
export function sandboxMark(directory: string, part: string): Record<string, string> {
  return { HOLDFAST_SANDBOX: directory, HOLDFAST_SANDBOX_PART: part };
}

export interface FoundProcess extends ProcessIdentity {
  /** `temporal`, `s3-eu`, …; `postgres` for every database server below the directory, whoever started it. */
  readonly part: string;
}

/** Servers that carry the sandbox's mark, and database servers that work below its directory, such as a recovered one. */
export async function findSandboxProcesses(directory: string): Promise<FoundProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(pids.map((pid) => recognise(Number(pid), directory)));
  return found.filter((one) => one !== undefined);
}

/** What is seen, and what was recorded and is still that process. */
export async function findParts(directory: string, recorded: PartialSandbox['pids']): Promise<FoundProcess[]> {
  const found = await findSandboxProcesses(directory);
  for (const [part, identity] of Object.entries(recorded)) {
    if (identity === null || found.some(({ pid }) => pid === identity.pid)) continue;
    if (await isAlive(identity.pid, identity.startTime)) found.push({ ...identity, part });
  }
  return found;
}

async function recognise(pid: number, directory: string): Promise<FoundProcess | undefined> {
  try {
    const identity = await identify(pid);
    if (identity === undefined || pid === process.pid) return undefined;
    const part = (await isPostmasterBelow(pid, directory)) ? 'postgres' : await markedPart(pid, directory);
    return part === undefined ? undefined : { ...identity, part };
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    // Gone in the meantime, or another user's: then it is none of ours.
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(code)) return undefined;
    throw error;
  }
}

async function markedPart(pid: number, directory: string): Promise<string | undefined> {
  const variables = (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0');
  if (!variables.includes(`HOLDFAST_SANDBOX=${directory}`)) return undefined;
  // A server process of PostgreSQL has inherited the mark, but is its postmaster's to stop.
  if (await isPostgres(pid)) return undefined;
  return variables.find((one) => one.startsWith('HOLDFAST_SANDBOX_PART='))?.split('=')[1];
}

/** A postmaster works in its data directory, as do its children, which have it as their parent. */
async function isPostmasterBelow(pid: number, directory: string): Promise<boolean> {
  if (!(await isPostgres(pid))) return false;
  const workingDirectory = await readlink(`/proc/${pid}/cwd`);
  if (!`${workingDirectory}/`.startsWith(`${directory}/`)) return false;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const parent = Number(/^PPid:\t(\d+)$/m.exec(status)?.[1]);
  return !(parent > 0 && (await isPostgres(parent).catch(() => false)));
}

async function isPostgres(pid: number): Promise<boolean> {
  return (await readFile(`/proc/${pid}/comm`, 'utf8')).trim() === 'postgres';
}
