// Whether the files of the server are at hand: its data directory is on this host, is really its own, and its role may do what reading them takes.

import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { compareLsn, type Lsn } from '../../domain/lsn.ts';
import { identify } from '../../process/index.ts';
import { quoteIdentifier, withPlain } from '../connection/index.ts';
import { readIfThere } from '../recovery/durable-files.ts';
import { findPostmaster } from '../recovery/postmaster.ts';
import type { Source } from '../types.ts';
import { becomesStream } from './becomes-stream.ts';
import { CONTROL_FILE, type ControlFile, readControlFile } from './control-file.ts';
import { findTablespaces } from './data-directory.ts';

export interface FilesAtHand {
  readonly dataDirectory: string;
  readonly control: ControlFile;
  readonly tablespaces: NonNullable<Awaited<ReturnType<typeof findTablespaces>>>;
}

interface Facts {
  readonly in_recovery: boolean;
  readonly data_directory: string | null;
  readonly port: number;
  readonly role: string;
  readonly may_start: boolean;
}

const functions = ['pg_catalog.pg_backup_start(text, boolean)', 'pg_catalog.pg_backup_stop(boolean)'] as const;

const factsSql = `select pg_is_in_recovery() as in_recovery,
  (select setting from pg_settings where name = 'data_directory') as data_directory,
  current_setting('port')::int as port,
  current_user::text as role,
  ${functions.map((name) => `has_function_privilege('${name}', 'execute')`).join(' and ')} as may_start`;

/** What lets a role take base backups so. */
export const backupFunctions: readonly string[] = functions;

/** Throws `BecomesStream` with what is in the way, and the `DATABASE_…` errors of asking. */
export async function findFilesAtHand(source: Source, systemId: string): Promise<FilesAtHand> {
  const facts = await withPlain(source, async (plain) => {
    const [row] = await plain.query<Facts & Record<string, unknown>>('ask for its files', factsSql);
    return row!;
  });
  if (facts.in_recovery) becomesStream('the server is a standby');
  const role = quoteIdentifier(facts.role);
  const { data_directory: dataDirectory } = facts;
  if (!dataDirectory)
    return becomesStream('the role does not see the data directory', `GRANT pg_read_all_settings TO ${role};`);
  const control = await readIdentity(dataDirectory, systemId);
  if ((await portOfProcess(dataDirectory).catch(() => undefined)) !== facts.port)
    becomesStream(`the server of '${dataDirectory}' cannot be seen among the processes of this host`);
  const tablespaces = await findReadable(dataDirectory);
  if (!facts.may_start) {
    const grants = functions.map((name) => `GRANT EXECUTE ON FUNCTION ${name} TO ${role};`);
    becomesStream('the role may not start a backup', grants.join(' '));
  }
  return { dataDirectory, control, tablespaces };
}

/**
 * To be asked after the backup's checkpoint: a server that we talk to has just moved on in the file that lies here, or it is another one's
 * file, whatever both say of themselves. Throws `BecomesStream`.
 */
export async function requireOwnFiles({ dataDirectory, control }: FilesAtHand, startLsn: Lsn): Promise<void> {
  const now = await readControlFile(path.join(dataDirectory, CONTROL_FILE));
  const isMoved = compareLsn(control.redoLsn, startLsn) < 0 && compareLsn(now.redoLsn, startLsn) >= 0;
  if (!isMoved || !now.isInProduction || now.systemId !== control.systemId)
    becomesStream(`the checkpoint at ${startLsn} of the server cannot be seen in '${dataDirectory}' of this host`);
}

async function readIdentity(dataDirectory: string, systemId: string): Promise<ControlFile> {
  const control = await readControlFile(path.join(dataDirectory, CONTROL_FILE)).catch(
    ({ code }: NodeJS.ErrnoException) => {
      if (code === 'ENOENT' || code === 'ENOTDIR')
        return becomesStream(`the data directory '${dataDirectory}' is not on this host`);
      return becomesStream(`the data directory '${dataDirectory}' cannot be read here (${code})`);
    },
  );
  if (control.systemId !== systemId)
    becomesStream(`'${dataDirectory}' of this host is of cluster ${control.systemId}, the server is ${systemId}`);
  return control;
}

/** By its own file, of a process that works in the directory; to who may not see where it works, of one that is there. */
export async function portOfProcess(dataDirectory: string): Promise<number | undefined> {
  try {
    return (await findPostmaster(dataDirectory))?.port;
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    const [pid, , , port] = ((await readIfThere(path.join(dataDirectory, 'postmaster.pid'))) ?? '').split('\n');
    return Number(pid) > 0 && (await identify(Number(pid))) !== undefined ? Number(port) : undefined;
  }
}

async function findReadable(dataDirectory: string): Promise<FilesAtHand['tablespaces']> {
  try {
    const tablespaces = await findTablespaces(dataDirectory);
    if (tablespaces === undefined) return becomesStream('a tablespace is inside of the data directory');
    const read = constants.R_OK | constants.X_OK;
    for (const place of [path.join(dataDirectory, 'base'), ...tablespaces.map(({ location }) => location)])
      await access(place, read);
    return tablespaces;
  } catch (error) {
    const { code, path: place } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return becomesStream(`'${place}' cannot be read here (${code})`);
  }
}
