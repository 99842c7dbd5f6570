// The programs of Redis or Valkey on this host that can read what a server writes: of its kind, and no older.

import path from 'node:path';
import { fail, isHoldfastError } from '../errors/index.ts';
import { findProgram, run } from '../process/index.ts';
import type { Flavour } from './identity.ts';

export interface RedisTools {
  readonly flavour: Flavour;
  readonly version: string;
  readonly server: string;
  readonly checkRdb: string;
}

export interface FindToolsOptions {
  /** Directory of the programs; default: looked for on PATH. */
  readonly programs?: string;
}

type Wanted = { readonly flavour: Flavour; readonly version: string };

/**
 * Throws `TOOL_VERSION` when there are none, or only older ones: files of a newer server cannot be read by an older one. The same kind is
 * wanted, because Redis and Valkey went their own ways after 7.2.
 */
export async function findTools(wanted: Wanted, { programs }: FindToolsOptions = {}): Promise<RedisTools> {
  const { flavour, version } = wanted;
  const named = (program: string) => (programs === undefined ? program : path.join(programs, program));
  const [server, checkRdb] = await Promise.all([
    findOrNot(named(`${flavour}-server`)),
    findOrNot(named(`${flavour}-check-rdb`)),
  ]);
  const hint = `install ${flavour} ${version} or later on this host, or name the directory of its programs with 'programs'`;
  if (server === undefined || checkRdb === undefined) {
    fail('TOOL_VERSION', `${flavour}-server and ${flavour}-check-rdb are not both on this host`, { hint });
  }
  const { stdout } = await run(server, ['--version'], { deadlineMs: 60_000 });
  const found = /v=(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (found === undefined || isOlder(found, version)) {
    fail(
      'TOOL_VERSION',
      `the server is ${flavour} ${version}, the programs of this host are ${found ?? 'of no version'}`,
      {
        hint,
        details: { wanted: version, found, server },
      },
    );
  }
  return { flavour, version: found, server, checkRdb };
}

/** A patch level changes no format. */
export function isOlder(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [thanMajor = 0, thanMinor = 0] = than.split('.').map(Number);
  return major < thanMajor || (major === thanMajor && minor < thanMinor);
}

async function findOrNot(program: string): Promise<string | undefined> {
  return await findProgram(program).catch((error: unknown) => {
    if (isHoldfastError(error, 'PROGRAM_MISSING')) return undefined;
    throw error;
  });
}
