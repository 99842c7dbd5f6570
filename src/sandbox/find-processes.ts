// Finds every process of a sandbox by looking at the processes there are, so that a crash between start and record hides none.

import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import path from 'node:path';
import { identify, isAlive, type ProcessIdentity, worksIn } from '../process/index.ts';
import { markedRun, SERVER } from '../redis/index.ts';
import { isThere } from './is-there.ts';
import { type PartialSandbox, stateFile } from './state.ts';

/** Variables that every server of a sandbox gets, and that its own children do not (they end with it). */
export function sandboxMark(directory: string, part: string): Record<string, string> {
  return { HOLDFAST_SANDBOX: directory, HOLDFAST_SANDBOX_PART: part };
}

export interface FoundProcess extends ProcessIdentity {
  /** `temporal`, `s3-eu`, …; `postgres` for every database server below the directory, whoever started it; `redis` for one that a restore left there. */
  readonly part: string;
  /** Of `postgres` and `redis`: where it works. */
  readonly dataDirectory?: string;
}

/** Servers that carry the sandbox's mark, database servers that work below its directory, such as a recovered one, and servers of Redis that restores have left there. */
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

/** Directories of all sandboxes of which a server runs. */
export async function markedSandboxes(): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const marks = await Promise.all(pids.map((pid) => unlessGone(async () => (await marksOf(Number(pid))).directory)));
  return [...new Set(marks.filter((mark) => mark !== undefined))].toSorted();
}

function recognise(pid: number, directory: string): Promise<FoundProcess | undefined> {
  return unlessGone(async () => {
    const identity = await identify(pid);
    if (identity === undefined || pid === process.pid) return undefined;
    const dataDirectory = await workingBelow(pid, directory);
    if (dataDirectory !== undefined && (await isPostmaster(pid)))
      return { ...identity, part: 'postgres', dataDirectory };
    if (dataDirectory !== undefined && (await isRestoredRedis(pid, dataDirectory)))
      return { ...identity, part: 'redis', dataDirectory };
    const part = await markedPart(pid, directory);
    return part === undefined ? undefined : { ...identity, part };
  });
}

/** Gone in the meantime, or another user's: then it is none of ours. */
async function unlessGone<Value>(look: () => Promise<Value | undefined>): Promise<Value | undefined> {
  try {
    return await look();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(code)) return undefined;
    throw error;
  }
}

async function markedPart(pid: number, directory: string): Promise<string | undefined> {
  const mark = await marksOf(pid);
  if (mark.directory !== directory) return undefined;
  // A server process of PostgreSQL has inherited the mark, but is its postmaster's to stop.
  return (await isPostgres(pid)) ? undefined : mark.part;
}

async function marksOf(pid: number): Promise<{ readonly directory?: string; readonly part?: string }> {
  const variables = (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0');
  const variable = (name: string) => variables.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1);
  const [directory, part] = [variable('HOLDFAST_SANDBOX'), variable('HOLDFAST_SANDBOX_PART')];
  return { ...(directory !== undefined && { directory }), ...(part !== undefined && { part }) };
}

/** Where it works, when that is the directory or below it; what belongs to a sandbox which lies in this one's directory is the other's to stop. */
async function workingBelow(pid: number, directory: string): Promise<string | undefined> {
  const workingDirectory = await readlink(`/proc/${pid}/cwd`);
  if (!`${workingDirectory}/`.startsWith(`${directory}/`)) return undefined;
  const { directory: marked } = await marksOf(pid);
  if ((marked ?? directory) !== directory) return undefined;
  // The name of a directory that was removed leads nowhere: then only the mark tells.
  if (!(await isThere(workingDirectory))) return marked === undefined ? undefined : workingDirectory;
  // In a mount namespace of its own the same name is another place.
  if ((await worksIn(pid, workingDirectory)) !== true) return undefined;
  return (await isNested(workingDirectory, directory)) ? undefined : workingDirectory;
}

/** Whoever started it there: it may bear no mark, as when a person starts it again. */
async function isNested(workingDirectory: string, directory: string): Promise<boolean> {
  for (let place = workingDirectory; place !== directory; place = path.dirname(place))
    if (await isThere(stateFile(place))) return true;
  return false;
}

/** A server of the user to whom the restore has given the directory, which bears its mark: whoever has a server of his own there has made it himself. */
async function isRestoredRedis(pid: number, dataDirectory: string): Promise<boolean> {
  if (!SERVER.test(await nameOf(pid)) || (await worksIn(pid, dataDirectory)) !== true) return false;
  if ((await markedRun(dataDirectory)) === undefined) return false;
  return (await stat(`/proc/${pid}`)).uid === (await stat(dataDirectory)).uid;
}

/** A postmaster works in its data directory, as do its children, which have it as their parent. */
async function isPostmaster(pid: number): Promise<boolean> {
  if (!(await isPostgres(pid))) return false;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const parent = Number(/^PPid:\t(\d+)$/m.exec(status)?.[1]);
  return !(parent > 0 && (await isPostgres(parent).catch(() => false)));
}

async function isPostgres(pid: number): Promise<boolean> {
  return (await nameOf(pid)) === 'postgres';
}

async function nameOf(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/comm`, 'utf8')).trim();
}
