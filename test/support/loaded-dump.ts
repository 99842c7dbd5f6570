// A dump of a database in a vault, and loads of it: what the tests of loads begin with.

import assert from 'node:assert/strict';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { takeDump } from '../../src/postgres/logical/index.ts';
import {
  fetchDump,
  type LoadContext,
  type LoadRequest,
  loadDump,
  makePlannedRoles,
  planLoad,
  type Wanted,
} from '../../src/postgres/logical/load/index.ts';
import type { LogicalDetails } from '../../src/postgres/logical/types.ts';
import type { Vault } from '../../src/vault/index.ts';
import type { ScratchPostgres } from './scratch-postgres.ts';
import { temporaryDirectory } from './temporary.ts';
import { COMPONENT, snapshotId, testVault } from './vault.ts';

const logger = pino({ level: process.env.HOLDFAST_TEST_LOG ?? 'silent' });
export const whole: Wanted = { type: 'database' };

export interface Setting {
  readonly vault: Vault;
  readonly spoolDirectory: string;
  contextOf(server: ScratchPostgres): LoadContext;
}

export async function dumped(t: TestContext, server: ScratchPostgres): Promise<Setting> {
  const made = await testVault();
  t.after(() => made[Symbol.asyncDispose]());
  const { vault } = made;
  const state = await temporaryDirectory(t);
  const { signal } = new AbortController();
  await takeDump({
    ...{ vault, logger, signal, jobs: 4, spoolDirectory: path.join(state, 'dump') },
    source: { component: COMPONENT, url: server.url() },
    request: { snapshotId: snapshotId(1), component: COMPONENT, host: 'db1' },
    choice: { include: [], exclude: [] },
  });
  const spoolDirectory = path.join(state, 'load');
  const contextOf = (into: ScratchPostgres) => ({
    ...{ vault, signal, jobs: 4, spoolDirectory },
    target: { component: COMPONENT, url: into.url() } as const,
  });
  return { vault, spoolDirectory, contextOf };
}

/** As if the database that was dumped had been larger than any disk. */
export function sayingHuge(vault: Vault): Vault {
  const listSnapshots: Vault['listSnapshots'] = async (...about) =>
    (await vault.listSnapshots(...about)).map((snapshot) => {
      const engine = snapshot.engine as LogicalDetails;
      return {
        ...snapshot,
        engine: { ...engine, databases: engine.databases.map((each) => ({ ...each, serverBytes: 2 ** 60 })) },
      };
    });
  return new Proxy(vault, {
    get: (target, property) => {
      if (property === 'listSnapshots') return listSnapshots;
      const value = Reflect.get(target, property, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** As if so much were free on the disks of these directories, without filling one. */
export async function withFree<T>(free: Readonly<Record<string, number>>, work: () => Promise<T>): Promise<T> {
  const { statfs } = promises;
  const asked = async (name: string) => {
    const [, bytes] = Object.entries(free).find(([directory]) => name.startsWith(directory)) ?? [];
    return bytes === undefined ? await statfs(name) : { bavail: bytes, bsize: 1 };
  };
  Object.assign(promises, { statfs: asked });
  syncBuiltinESMExports();
  try {
    return await work();
  } finally {
    Object.assign(promises, { statfs });
    syncBuiltinESMExports();
  }
}

let runs = 0;

export function asked(changes: Partial<LoadRequest> = {}): LoadRequest {
  runs += 1;
  const run = `load-${runs.toString(16).padStart(8, '0')}`;
  return {
    ...{
      component: COMPONENT,
      estate: 'acme',
      host: 'db1',
      run,
      snapshot: 'latest',
      database: 'bank',
      wanted: whole,
      globals: false,
    },
    ...changes,
  };
}

export async function load(request: LoadRequest, context: LoadContext) {
  const plan = await planLoad(request, context);
  assert.deepEqual(plan.blockers, undefined, JSON.stringify(plan.blockers));
  await fetchDump(request, context, plan);
  await makePlannedRoles(request, context, plan);
  return await loadDump(request, context, plan);
}

export const databases = async (server: ScratchPostgres) =>
  (await server.query('select datname::text as name from pg_database where not datistemplate order by 1')).map(
    ({ name }) => name,
  );
