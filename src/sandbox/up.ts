// Starts a whole small estate on loopback: Temporal, PostgreSQL, two S3 regions, the configuration, and a worker on it.

import { chmod, mkdir, readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../errors/index.ts';
import { holdLock } from '../process/index.ts';
import { settleAsked } from './asked-again.ts';
import { findPostgres } from './components.ts';
import { writeConfiguration } from './configuration.ts';
import { stopAll } from './down.ts';
import { logsOf, placeOf } from './part.ts';
import { type PostgresServer, startPostgres } from './postgres.ts';
import { type S3Server, startSeaweed } from './seaweed.ts';
import type { ServerOptions } from './server.ts';
import { readSandboxOf, type Sandbox, type SandboxPart, SandboxRecord } from './state.ts';
import { writeStatements } from './statements.ts';
import { startTemporal } from './temporal.ts';
import { type SandboxUp, upAgain } from './up-again.ts';
import { setUpVault, startWorkerOf } from './worker-part.ts';

export interface UpOptions {
  /** Made when it is not there; must be empty otherwise. Its parents must be open to the user that PostgreSQL runs as. */
  readonly dir: string;
  /** Major version of PostgreSQL; default: the newest that is set up. */
  readonly postgres?: number;
  /** Whether the vault is set up and a worker is started, too; default true. */
  readonly worker?: boolean;
  /** Whether incremental backups are on a schedule where the server takes them; default true. */
  readonly incremental?: boolean;
  /** Whether a folder of files is protected, too; default false. */
  readonly files?: boolean;
  /** Told in words what is ready. */
  readonly onProgress?: (text: string) => void;
}

/**
 * Returns when everything answers; the servers go on without this process. Of a sandbox whose servers were all up once, what is down is started
 * again (see `upAgain`, which may have to leave its database server to a restore). When a first start fails, what was started is stopped
 * again. Throws `TARGET_UNFIT` for a directory with other content and for a sandbox that was moved or copied, `USAGE` when one that is there
 * has another major version than the one asked for.
 */
export async function sandboxUp(options: UpOptions): Promise<SandboxUp> {
  // The server's user must get through, whatever our umask says; a directory that was there is left as it is.
  const made = await mkdir(options.dir, { recursive: true });
  if (made !== undefined) await chmod(options.dir, 0o755);
  const directory = await realpath(options.dir);
  const lock = await holdLock(path.join(directory, 'sandbox.lock'));
  try {
    const existing = await findExisting(directory);
    if (existing !== undefined) {
      await settleAsked(existing, options);
      return await upAgain(existing, options);
    }
    // Before anything is there that would have to go again.
    await findPostgres(options.postgres);
    return await startAll(directory, options).catch(async (error: unknown) => {
      await stopAll(directory);
      throw error;
    });
  } finally {
    await lock.release();
  }
}

async function findExisting(directory: string): Promise<Sandbox | undefined> {
  const sandbox = await readSandboxOf(directory);
  if (sandbox === undefined) {
    const others = (await readdir(directory)).filter((name) => name !== 'sandbox.lock');
    if (others.length === 0) return undefined;
    return fail('TARGET_UNFIT', `'${directory}' is not empty`, {
      hint: 'choose a directory that is empty or not there',
    });
  }
  // It is written when everything else is known.
  if (sandbox.configuration !== undefined) return sandbox as Sandbox;
  return fail('TARGET_UNFIT', `'${directory}' holds a sandbox whose first start did not come to its end`, {
    hint: `run \`holdfast sandbox down --dir ${directory}\`, then remove the directory or choose another`,
  });
}

async function startAll(directory: string, options: UpOptions): Promise<Sandbox> {
  const { onProgress = () => undefined } = options;
  const record = new SandboxRecord({ state: 'starting', directory, pids: {} });
  const logs = logsOf(directory);
  await record.update({ logs });
  for (const folder of [logs, path.join(directory, 'copies'), path.join(directory, 'state')]) await mkdir(folder);
  await chmod(logs, 0o755);
  await startServers(record, directory, options);
  if (options.files === true) await writeStatements(directory);
  const written = await writeConfiguration(record.current as Sandbox, options);
  await record.update(written);
  if (options.worker ?? true) {
    await setUpVault(written, onProgress);
    await startWorkerOf(record, onProgress);
  }
  await record.update({ state: 'ready' });
  return record.current as Sandbox;
}

async function startServers(
  record: SandboxRecord,
  directory: string,
  { postgres: major, onProgress = () => undefined }: UpOptions,
): Promise<void> {
  const at = (name: SandboxPart) => placeOf(record, name);
  const starts = await Promise.allSettled([
    at('temporal').then(async (where) => {
      const { address, ui } = await startTemporal({ ...where, persistent: true });
      await record.update({ temporal: { address, ui } });
      onProgress(`Temporal answers at ${address}, its UI at ${ui}`);
    }),
    at('postgres').then(async (where) => {
      const server = await startPostgres({ ...where, ...(major === undefined ? {} : { major }) });
      await record.update({ postgres: describePostgres(server) });
      onProgress(`PostgreSQL ${server.version} answers on port ${server.port}`);
    }),
    at('s3-eu').then((where) => startRegion(where, 'eu-central-1', 'sandbox-eu', onProgress)),
    at('s3-us').then((where) => startRegion(where, 'us-east-1', 'sandbox-us', onProgress)),
  ]);
  const failed = starts.find((start) => start.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  const [, , eu, us] = starts.map((start) => (start as PromiseFulfilledResult<unknown>).value);
  const local = { path: path.join(directory, 'copies', 'local') };
  await record.update({ copies: { local, eu, us } as Sandbox['copies'] });
}

async function startRegion(
  where: ServerOptions,
  region: string,
  bucket: string,
  onProgress: (text: string) => void,
): Promise<Sandbox['copies']['eu']> {
  const server: S3Server = await startSeaweed({ ...where, region, buckets: [bucket] });
  onProgress(`the S3 region ${region} answers at ${server.endpoint}`);
  const { endpoint, accessKeyId, secretAccessKey } = server;
  return { endpoint, region, bucket, accessKeyId, secretAccessKey };
}

function describePostgres(server: PostgresServer): Sandbox['postgres'] {
  const { superuserUrl, url, major, version, bindir, dataDirectory, port, runAs } = server;
  return {
    ...{ url: superuserUrl, holdfastUrl: url, major, version, bindir, dataDirectory, port },
    ...(runAs === undefined ? {} : { runAs }),
  };
}
