// Runs restores in tests: one plan after another from a recovery source, each stopped before its directory goes.

import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import type { Configuration, DatabaseSettings } from '../../config/types.ts';
import {
  awaitTarget,
  fetchBase,
  type Guard,
  type PlanRequest,
  planRestore,
  prepareWork,
  proveRecovery,
  stopBeside,
} from '../../src/postgres/recovery/index.ts';
import { recoveredServer, stopRecovered } from '../../src/postgres/recovery/recovered-place.ts';
import { openSession } from '../../src/postgres/recovery/recovered-session.ts';
import type { RestorePlan } from '../../src/postgres/types.ts';
import { component, type RecoverySource } from './recovery-source.ts';
import { serverUser } from './scratch-postgres.ts';
import { temporaryDirectory } from './temporary.ts';

export const guard: Guard = { token: 1 };
export const logger = pino({ level: process.env.HOLDFAST_TEST_LOG ?? 'silent' });

/** As the loader would give it, as far as a restore asks. */
export function configurationFor(source: RecoverySource): Configuration {
  const copies = Object.fromEntries(
    source.vault.copies.map(({ name, site, medium, offsite }) => [
      name,
      { site, medium, offsite, file: source.holder.path(name) },
    ]),
  );
  return {
    name: 'acme',
    timezone: 'UTC',
    path: '/nowhere/holdfast.yaml',
    digest: '0000000000000000',
    temporal: { profile: 'default' },
    sites: { home: {} },
    hosts: { db1: { site: 'home', ...serverUser } },
    vault: { keys: [], copies, commit: source.vault.policy, compression: 'zstd' },
    database: {},
    redis: {},
    files: {},
    configuration: {},
    retention: { schedule: 'daily 04:00', graceSeconds: 604_800, maximum: { share: 0.35, snapshots: 3 } },
    approval: { restoreInPlace: 'never', withinSeconds: 3600 },
  };
}

export function databaseFor(changes: Partial<DatabaseSettings> = {}): DatabaseSettings {
  return {
    kind: 'database',
    id: component,
    name: 'main',
    host: 'db1',
    url: 'env:NOT_ASKED' as DatabaseSettings['url'],
    backup: {},
    reading: { way: 'auto' },
    logical: { jobs: 4, include: [], exclude: [] },
    log: { synchronous: false, withinSeconds: 900 },
    objective: {},
    facts: { maximum: [], withinSeconds: 30 },
    checks: [],
    ...changes,
  };
}

/** As the product names one: on a host restores are found by it, those of other tests too. */
export const newRestore = () => `restore-${randomBytes(4).toString('hex')}`;

export type PlanChanges = Partial<Omit<PlanRequest, 'vault' | 'configuration'>> & Pick<PlanRequest, 'target'>;

export class Restores {
  readonly source: RecoverySource;
  private readonly directory: string;
  private count = 0;
  private readonly plans = new Set<RestorePlan>();

  private constructor(source: RecoverySource, directory: string) {
    this.source = source;
    this.directory = directory;
  }

  static async of(t: TestContext, source: RecoverySource): Promise<Restores> {
    const directories: Restores[] = [];
    // Hooks run in the order they were given: servers stop before their directory is removed.
    t.after(async () => {
      for (const restores of directories) await restores.stopAll();
    });
    const restores = new Restores(source, await temporaryDirectory(t));
    directories.push(restores);
    return restores;
  }

  async plan(changes: PlanChanges): Promise<RestorePlan> {
    this.count += 1;
    const dataDirectory = path.join(this.directory, `new-${this.count}`);
    const plan = await planRestore({
      vault: this.source.vault,
      configuration: configurationFor(this.source),
      database: databaseFor(),
      place: { mode: 'beside', dataDirectory, start: false },
      run: newRestore(),
      ...changes,
    });
    this.plans.add(plan);
    return plan;
  }

  /** Up to the proof: the server is paused at the target. */
  async recover(plan: RestorePlan): Promise<void> {
    await prepareWork(plan, guard);
    await fetchBase(plan, this.source.vault, guard);
    await awaitTarget(plan, this.source.vault, { logger });
    await proveRecovery(plan);
  }

  async query<Row extends Record<string, unknown>>(plan: RestorePlan, sql: string): Promise<Row[]> {
    const session = await openSession(recoveredServer(plan));
    return session.query<Row>(sql).finally(() => session.close());
  }

  async stop(plan: RestorePlan): Promise<void> {
    await stopRecovered(plan);
    if (plan.place.mode === 'beside') await stopBeside(plan);
    this.plans.delete(plan);
  }

  async stopAll(): Promise<void> {
    for (const plan of this.plans) await this.stop(plan);
  }
}
