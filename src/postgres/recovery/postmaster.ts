// Whether a server runs on a data directory, found by its own pid file and checked against the process itself.

import { readlink, realpath } from 'node:fs/promises';
import path from 'node:path';
import { identify, type ProcessIdentity } from '../../process/index.ts';
import { ifAbsent, readIfThere } from './durable-files.ts';

export interface Postmaster {
  readonly identity: ProcessIdentity;
  readonly port: number;
  readonly socketDirectory: string | undefined;
  /** `starting`, `stopping`, `standby`, `ready`; the last line of the file (PostgreSQL, `pidfile.h`). */
  readonly status: string;
}

/** `undefined` when no server runs there: no file, or the process of that number is none of this directory. */
export async function findPostmaster(dataDirectory: string): Promise<Postmaster | undefined> {
  const text = await readIfThere(path.join(dataDirectory, 'postmaster.pid'));
  if (text === undefined) return undefined;
  const [pid, , , port, socketDirectory, , , status] = text.split('\n');
  const number = Number(pid);
  if (!Number.isInteger(number) || number <= 0) return undefined;
  const identity = await identify(number);
  if (identity === undefined || !(await worksIn(number, dataDirectory))) return undefined;
  return { identity, port: Number(port), socketDirectory: socketDirectory || undefined, status: (status ?? '').trim() };
}

/** A postmaster works in its data directory; the link follows a rename of it. */
async function worksIn(pid: number, dataDirectory: string): Promise<boolean> {
  const [works, real] = await Promise.all([
    readlink(`/proc/${pid}/cwd`).catch(ifAbsent(undefined)),
    realpath(dataDirectory),
  ]);
  return works === real;
}
