// A whole estate on real components with a worker in this process: two copies in directories, a Temporal server, and what is protected.

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

export interface OpenEstate {
  readonly configuration: Configuration;
  readonly client: HoldfastClient;
  readonly temporal: TemporalClient;
  readonly directory: string;
}

export interface TestEstate extends OpenEstate {
  readonly postgres: PostgresServer;
  /** Fields that every input carries. */
  readonly input: { estate: string; component: 'database/main'; host: string; digest: string; by: string };
}

/** With a PostgreSQL server as its one component. */
export async function testEstate(
  t: Scope,
  options: { approval?: 'always' | 'never'; major?: number } = {},
): Promise<TestEstate> {
  const { major, approval = 'never' } = options;
  let postgres: PostgresServer | undefined;
  const estate = await openEstate(t, { approval }, async () => {
    postgres = await testPostgres(t, major === undefined ? {} : { major });
    const host = postgres.runAs === undefined ? '' : `, runAs: ${postgres.runAs}`;
    return { components: databaseText(postgres), host, secrets: { 'database-url': postgres.url } };
  });
  const { name, digest } = estate.configuration;
  const input = { estate: name, component: 'database/main', host: 'here', digest, by: 'test@here' } as const;
  return { ...estate, postgres: postgres as PostgresServer, input };
}

function databaseText({ dataDirectory }: PostgresServer): string {
  return `database:
  main:
    host: here
    url: file:secrets/database-url
    dataDirectory: ${dataDirectory}
    service: { pgCtl: {} }
    backup: { full: "daily 02:00" }
`;
}

interface EstateOptions {
  readonly approval?: 'always' | 'never';
  /** Files below `secrets/`, by name. */
  readonly secrets?: Readonly<Record<string, string>>;
}

/** What an estate protects. */
interface Protected {
  /** As YAML. */
  readonly components: string;
  /** More of the host, as YAML that begins with a comma. */
  readonly host?: string;
  readonly secrets?: Readonly<Record<string, string>>;
  /** What remains to be done once no worker runs any more. */
  readonly end?: () => Promise<void>;
}

/** `protect`: makes what is protected, in an estate of this directory; as YAML where there is nothing more to say. */
export async function openEstate(
  t: Scope,
  { approval = 'never', secrets = {} }: EstateOptions,
  protect: (directory: string) => string | Promise<Protected>,
): Promise<OpenEstate> {
  const logger = pino({ level: process.env.HOLDFAST_TEST_LOG ?? 'silent' });
  // Hooks run in the order they were given: the worker ends before the servers it talks to.
  const ends: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const end of ends) await end();
  });
  const address = await testTemporal(t);
  const directory = await temporaryDirectory(t);
  const made = await protect(directory);
  const given: Protected = typeof made === 'string' ? { components: made } : made;
  const text = configurationText(address, approval, given);
  const configuration = await writeConfiguration(directory, text, { ...secrets, ...given.secrets });
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
    async () => await given.end?.(),
  );
  return { configuration, client, temporal: new TemporalClient({ connection }), directory };
}

function configurationText(address: string, approval: string, { components, host = '' }: Protected): string {
  return `name: t${randomUUID().slice(0, 8)}
timezone: UTC
temporal: { address: "${address}" }
sites: { home: {}, dr: {} }
hosts: { here: { site: home, stateDirectory: state${host} } }
vault:
  keys: [ { name: host, file: secrets/vault.key } ]
  copies:
    local: { file: copies/local, site: home }
    eu: { file: copies/eu, site: dr, offsite: true }
  commit: { copies: 2, offsite: 1 }
approval: { restoreInPlace: ${approval} }
${components}`;
}

async function writeConfiguration(
  directory: string,
  text: string,
  secrets: Readonly<Record<string, string>>,
): Promise<Configuration> {
  const file = path.join(directory, 'holdfast.yaml');
  await mkdir(path.join(directory, 'secrets'), { mode: 0o700 });
  await generateKeyFile(path.join(directory, 'secrets', 'vault.key'));
  for (const [name, secret] of Object.entries(secrets))
    await writeFile(path.join(directory, 'secrets', name), secret, { mode: 0o600 });
  await writeFile(file, text);
  for (const copy of ['local', 'eu']) await mkdir(path.join(directory, 'copies', copy), { recursive: true });
  return parseConfiguration(text, file);
}
