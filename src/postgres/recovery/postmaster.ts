// Whether a server runs on a data directory, found by its own pid file and checked against the process itself.

import path from 'node:path';
import { fail } from '../../errors/index.ts';
import { identify, type ProcessIdentity, worksIn } from '../../process/index.ts';
import { readIfThere } from './durable-files.ts';

export interface Postmaster {
  readonly identity: ProcessIdentity;
  readonly port: number;
  readonly socketDirectory: string | undefined;
  /** Of its first listener on a network: empty where there is none, absent until it is known. */
  readonly listenAddress?: string;
  /** `starting`, `stopping`, `standby`, `ready`; the last line of the file (PostgreSQL, `pidfile.h`). */
  readonly status: string;
}

/**
 * `undefined` when no server runs there: no file, or the process of that number is none of this directory, in which a
 * postmaster works. Throws `TARGET_UNFIT` when the kernel does not let us see where it works.
 */
export async function findPostmaster(dataDirectory: string): Promise<Postmaster | undefined> {
  const text = await readIfThere(path.join(dataDirectory, 'postmaster.pid'));
  if (text === undefined) return undefined;
  const [pid, , , port, socketDirectory, listenAddress, , status] = text.split('\n');
  const number = Number(pid);
  if (!Number.isInteger(number) || number <= 0) return undefined;
  const identity = await identify(number);
  if (identity === undefined) return undefined;
  const isOurs = await worksIn(number, dataDirectory);
  if (isOurs === undefined) {
    fail('TARGET_UNFIT', `whether process ${number} is the server of '${dataDirectory}' cannot be told`, {
      hint: 'run the worker as root or as the user of the server',
    });
  }
  if (!isOurs) return undefined;
  return {
    ...{ identity, port: Number(port), socketDirectory: socketDirectory || undefined, status: (status ?? '').trim() },
    ...(listenAddress !== undefined && { listenAddress: listenAddress.trim() }),
  };
}
