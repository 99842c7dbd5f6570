// A whole estate on real components with a worker in this process: PostgreSQL, three copies in directories, a Temporal server.

import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Connection, Client as TemporalClient } from '@temporalio/client';
import { pino } from 'pino';
import { type Configuration, parseConfiguration } from '../../config/index.ts';
import type { HoldfastClient } from '../../src/domain/client.ts';
import { vaultOptions } from '../../src/host/open-vault.ts';
import type { PostgresServer } from '../../src/sandbox/index.ts';
import { connectClient } from '../../src/temporal/client.ts';
import { runWorker } from '../../src/temporal/worker.ts';
import { createVault, generateKeyFile } from '../../src/vault/index.ts';
import { testPostgres, testTemporal } from './components.ts';
import { temporaryDirectory } from './temporary.ts';

type Scope = { after(fn: () => Promise<void>): void };

export interface TestEstate {
  readonly configuration: Configuration;
  readonly postgres: PostgresServer;
  readonly client: HoldfastClient;
  readonly temporal: TemporalClient;
  readonly directory: string;
  /** Fields that every input carries. */
  readonly input: { estate: string; component: 'database/main'; host: string; digest: string; by: string };
}

/** `more` is added to the configuration's database. */
export async function testEstate(
  t: Scope,
  options: { approval?: 'always' | 'never'; major?: number } = {},
): Promise<TestEstate> {
  const logger = pino({ level: process.env.HOLDFAST_TEST_LOG ?? 'silent' });
  // Hooks run in the order they were given: the worker ends before the servers it talks to.
  const ends: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const end of ends) await end();
  });
  const address = await testTemporal(t);
  const postgres = await testPostgres(t, options.major === undefined ? {} : { major: options.major });
  const directory = await temporaryDirectory(t);
  const configuration = await writeConfiguration(directory, address, postgres, options.approval ?? 'never');
  const vault = await createVault(await vaultOptions(configuration, { host: 'here', logger }));
  await vault.close();
  const stop = new AbortController();
  const ready = Promise.withResolvers<void>();
  const worker = runWorker({ configuration, hosts: ['here'], logger, signal: stop.signal, onReady: ready.resolve });
  ends.push(async () => {
    stop.abort();
    await worker;
  });
  await Promise.race([ready.promise, worker]);
  const client = await connectClient(configuration);
  const connection = await Connection.connect({ address });
  ends.push(
    () => connection.close(),
    () => client.close(),
  );
  const { name, digest } = configuration;
  const input = { estate: name, component: 'database/main', host: 'here', digest, by: 'test@here' } as const;
  return { configuration, postgres, client, temporal: new TemporalClient({ connection }), directory, input };
}

async function writeConfiguration(
  directory: string,
  address: string,
  postgres: PostgresServer,
  approval: string,
): Promise<Configuration> {
  const file = path.join(directory, 'holdfast.yaml');
  await mkdir(path.join(directory, 'secrets'), { mode: 0o700 });
  await generateKeyFile(path.join(directory, 'secrets', 'vault.key'));
  await writeFile(path.join(directory, 'secrets', 'database-url'), postgres.url, { mode: 0o600 });
  const runAs = postgres.runAs === undefined ? '' : `, runAs: ${postgres.runAs}`;
  const text = `name: t${randomUUID().slice(0, 8)}
timezone: UTC
temporal: { address: "${address}" }
sites: { home: {}, dr: {} }
hosts: { here: { site: home, stateDirectory: state${runAs} } }
vault:
  keys: [ { name: host, file: secrets/vault.key } ]
  copies:
    local: { file: copies/local, site: home }
    eu: { file: copies/eu, site: dr, offsite: true }
  commit: { copies: 2, offsite: 1 }
approval: { restoreInPlace: ${approval} }
database:
  main:
    host: here
    url: file:secrets/database-url
    dataDirectory: ${postgres.dataDirectory}
    service: { pgCtl: {} }
    backup: { full: "daily 02:00" }
`;
  await writeFile(file, text);
  for (const copy of ['local', 'eu']) await mkdir(path.join(directory, 'copies', copy), { recursive: true });
  return parseConfiguration(text, file);
}
