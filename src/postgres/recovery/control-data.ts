// Who a data directory is: identity and state as `pg_controldata` reads them, whether or not a server runs on it.

import path from 'node:path';
import { type Lsn, parseLsn } from '../../domain/lsn.ts';
import { fail } from '../../errors/index.ts';
import { run } from '../../process/index.ts';
import { findTools } from '../tools.ts';
import { exists, readIfThere } from './durable-files.ts';

export interface ControlData {
  readonly systemId: string;
  readonly timeline: number;
  /** As the program says it: `in production`, `shut down`, `in archive recovery`, … */
  readonly state: string;
  readonly redoLsn: Lsn;
  readonly checkpointLsn: Lsn;
}

/** Throws `DATABASE_IDENTITY` when the directory does not say who it is. */
export async function readControlData(binDirectory: string, dataDirectory: string): Promise<ControlData> {
  const program = path.join(binDirectory, 'pg_controldata');
  const { stdout } = await run(program, ['-D', dataDirectory], { deadlineMs: 60_000 });
  const value = (name: string) => {
    const line = stdout.split('\n').find((text) => text.startsWith(`${name}:`));
    const found = line?.slice(name.length + 1).trim();
    if (!found) fail('DATABASE_IDENTITY', `'${dataDirectory}' does not tell its '${name.toLowerCase()}'`);
    return found;
  };
  return {
    systemId: value('Database system identifier'),
    timeline: Number(value("Latest checkpoint's TimeLineID")),
    state: value('Database cluster state'),
    redoLsn: parseLsn(value("Latest checkpoint's REDO location")),
    checkpointLsn: parseLsn(value('Latest checkpoint location')),
  };
}

/** The same with the programs that the directory itself asks for; `undefined` when it holds no cluster at all. */
export async function readDirectoryIdentity(
  dataDirectory: string,
): Promise<(ControlData & { readonly major: number; readonly binDirectory: string }) | undefined> {
  const version = await readIfThere(path.join(dataDirectory, 'PG_VERSION'));
  if (version === undefined && !(await exists(path.join(dataDirectory, 'global')))) return undefined;
  const major = Number(version?.trim());
  if (!Number.isInteger(major) || !(await exists(path.join(dataDirectory, 'global', 'pg_control')))) {
    fail('DATABASE_IDENTITY', `'${dataDirectory}' holds part of a cluster, but not what says which one`, {
      hint: 'nothing was touched; move it away by hand if it may go, then try again',
    });
  }
  const { binDirectory } = await findTools(major);
  return { ...(await readControlData(binDirectory, dataDirectory)), major, binDirectory };
}
