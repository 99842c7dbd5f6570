// An estate whose one component is a Redis server, on real components with a worker in this process: two copies in directories, a Temporal server.

import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Connection, Client as TemporalClient } from '@temporalio/client';
import { pino } from 'pino';
import { type Configuration, parseConfiguration } from '../../config/index.ts';
import type { HoldfastClient } from '../../src/domain/client.ts';
import { vaultOptions } from '../../src/host/open-vault.ts';
import { connectClient } from '../../src/temporal/client.ts';
import { runWorker } from '../../src/temporal/worker.ts';
import { createVault, generateKeyFile } from '../../src/vault/index.ts';
import { testTemporal } from './components.ts';
import { type TestRedis, testRedis } from './redis-server.ts';
import { temporaryDirectory } from './temporary.ts';

type Scope = { after(fn: () => Promise<void>): void };

export interface RedisEstate {
  readonly configuration: Configuration;
  readonly server: TestRedis;
  readonly client: HoldfastClient;
  readonly temporal: TemporalClient;
  readonly directory: string;
  /** Fields that every input carries. */
  readonly input: { estate: string; component: 'redis/cache'; host: string; digest: string; by: string };
}

export const PASSWORD = 'only-for-the-test';

export async function redisEstate(t: Scope, settings: readonly string[] = []): Promise<RedisEstate> {
  const logger = pino({ level: process.env.HOLDFAST_TEST_LOG ?? 'silent' });
  // Hooks run in the order they were given: the worker ends before the servers it talks to.
  const ends: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const end of ends) await end();
  });
  const address = await testTemporal(t);
  const server = await testRedis(t, { kind: 'redis8', settings });
  await server.cli('ACL', 'SETUSER', 'holdfast', 'on', `>${PASSWORD}`, 'allkeys', 'allchannels', '+@all');
  const directory = await temporaryDirectory(t);
  const configuration = await writeConfiguration(directory, address, server);
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
    // A restore into the stopped server starts one that is not a child of ours.
    async () => void (await server.cli('SHUTDOWN', 'NOSAVE').catch(() => undefined)),
  );
  const { name, digest } = configuration;
  const input = { estate: name, component: 'redis/cache', host: 'here', digest, by: 'test@here' } as const;
  return { configuration, server, client, temporal: new TemporalClient({ connection }), directory, input };
}

async function writeConfiguration(directory: string, address: string, server: TestRedis): Promise<Configuration> {
  const file = path.join(directory, 'holdfast.yaml');
  const { programs, socket, configuration, dataDirectory, flavour } = server;
  await mkdir(path.join(directory, 'secrets'), { mode: 0o700 });
  await generateKeyFile(path.join(directory, 'secrets', 'vault.key'));
  const url = `unix://${socket}?username=holdfast&password=${PASSWORD}`;
  await writeFile(path.join(directory, 'secrets', 'redis-url'), url, { mode: 0o600 });
  const users = path.join(directory, 'user.conf');
  await writeFile(users, `user holdfast on >${PASSWORD} allkeys allchannels +@all\n`);
  const program = (name: string) => path.join(programs, `${flavour}-${name}`);
  const startCommand = `${program('server')} ${configuration} --include ${users} --daemonize yes`;
  const text = `name: t${randomUUID().slice(0, 8)}
timezone: UTC
temporal: { address: "${address}" }
sites: { home: {}, dr: {} }
hosts: { here: { site: home, stateDirectory: state } }
vault:
  keys: [ { name: host, file: secrets/vault.key } ]
  copies:
    local: { file: copies/local, site: home }
    eu: { file: copies/eu, site: dr, offsite: true }
  commit: { copies: 2, offsite: 1 }
redis:
  cache:
    host: here
    url: file:secrets/redis-url
    programs: ${programs}
    dataDirectory: ${dataDirectory}
    service: { commands: { start: "${startCommand}", stop: "${program('cli')} -s ${socket} shutdown save" } }
    backup: { rdb: "every 2h", aof: "every 15min" }
    keep: { rdb: 30d, aof: 7d }
    objective: { rpo: 2h }
`;
  await writeFile(file, text);
  for (const copy of ['local', 'eu']) await mkdir(path.join(directory, 'copies', copy), { recursive: true });
  return parseConfiguration(text, file);
}
