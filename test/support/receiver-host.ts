// A host as its worker sees it: one real server, a vault in directories, and the receivers that bring the log of the one to the other.

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import type { Configuration } from '../../config/index.ts';
import { type Lsn, parseLsn } from '../../src/domain/lsn.ts';
import { ensureSlot } from '../../src/postgres/receiver/index.ts';
import { createReceivers, type ReceiversOptions, type RunningReceivers } from '../../src/temporal/receivers.ts';
import { startScratchPostgres } from './scratch-postgres.ts';
import { temporaryDirectory } from './temporary.ts';
import { COMPONENT, type TestVaultOptions, testVault } from './vault.ts';

export const slot = 'holdfast_acme_main';
export const logger = pino({ level: process.env.HOLDFAST_TEST_LOG ?? 'silent' });

export interface HostSetup extends TestVaultOptions {
  readonly limits?: ReceiversOptions['limits'];
  readonly stalledAfterMs?: number;
  readonly ensureWithinMs?: number;
  /** Commits are to wait for the copies. */
  readonly synchronous?: boolean;
  readonly settings?: Readonly<Record<string, string | number>>;
}

/** The slot is there and the log is received when it resolves. */
export async function hostOf(
  t: TestContext,
  { limits, stalledAfterMs, ensureWithinMs, synchronous = false, settings = {}, ...setup }: HostSetup = {},
) {
  const server = await startScratchPostgres(t, { major: 17, initdb: ['--wal-segsize=1'], settings });
  await ensureSlot({ component: COMPONENT, url: server.url() }, slot, { immediatelyReserve: true });
  const made = await testVault(setup);
  const { vault } = made;
  const directory = await temporaryDirectory(t);
  const url = path.join(directory, 'url');
  const setUrl = (text: string) => writeFile(url, text, { mode: 0o600 });
  await setUrl(server.url());
  const dataDirectory = path.join(directory, 'data');
  const copies = Object.fromEntries(
    vault.copies.map(({ name, offsite }) => [name, { file: made.path(name), site: 'home', medium: 'disk', offsite }]),
  );
  const how = { backup: {}, reading: { way: 'auto' } };
  const main = {
    kind: 'database',
    id: COMPONENT,
    name: 'main',
    host: 'here',
    url: `file:${url}`,
    dataDirectory,
    ...how,
  };
  const configuration = {
    name: 'acme',
    timezone: 'UTC',
    sites: { home: {} },
    hosts: { here: { site: 'home', stateDirectory: path.join(directory, 'state') } },
    vault: { keys: [{ name: 'host', file: made.keyFile }], copies, commit: vault.policy },
    database: { main: { ...main, log: { withinSeconds: 900, synchronous }, objective: {} } },
    redis: {},
    files: {},
    configuration: {},
  } as unknown as Configuration;
  const running: { stop: AbortController; receivers: RunningReceivers }[] = [];
  const start = () => {
    const stop = new AbortController();
    const receivers = createReceivers({
      ...{ configuration, host: 'here', vault: async () => vault, logger, signal: stop.signal },
      ...(limits === undefined ? {} : { limits }),
      ...(stalledAfterMs === undefined ? {} : { stalledAfterMs }),
      ...(ensureWithinMs === undefined ? {} : { ensureWithinMs }),
    });
    running.push({ stop, receivers });
    return receivers;
  };
  /** As if the worker were stopped. */
  const stop = async () => {
    for (const each of running.splice(0)) {
      each.stop.abort();
      await each.receivers.stop();
    }
  };
  t.after(async () => {
    await stop();
    await made[Symbol.asyncDispose]();
  });
  const receivers = start();
  await receivers.ensure(COMPONENT);
  const flushed = async (): Promise<Lsn> => {
    const [row] = await server.query('select pg_current_wal_flush_lsn()::text as lsn');
    return parseLsn(row!.lsn!);
  };
  const phase = () => receivers.state(COMPONENT)?.phase;
  return { server, made, vault, configuration, receivers, start, stop, setUrl, dataDirectory, flushed, phase };
}
