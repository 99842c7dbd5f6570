// `restore … --beside DIR --start`, step by step as the workflow does it, each under the lease: the server runs when it has ended.

import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { resolveSecret } from '../../../config/index.ts';
import { parseTarget } from '../../../src/domain/target.ts';
import { fail } from '../../../src/errors/index.ts';
import { guarded } from '../../../src/host/restore-guard.ts';
import {
  awaitTarget,
  checkRecovered,
  fetchBase,
  finishBeside,
  type Guard,
  planRestore,
  prepareProduction,
  prepareWork,
  promote,
  proveRecovery,
} from '../../../src/postgres/recovery/index.ts';
import { HOST, logger, type Operation, Steps, withVault } from './operation.ts';

export const restore: Operation = async ({ configuration, database, target, to = 'latest', report, steps: file }) => {
  const steps = new Steps(file);
  await withVault(configuration, 'restore', async (vault) => {
    steps.done('open');
    const dataDirectory = target ?? fail('USAGE', 'a restore needs --target');
    const run = `restore-${randomBytes(4).toString('hex')}`;
    const url = await resolveSecret(database.url);
    const place = { mode: 'beside', dataDirectory, start: true } as const;
    const asked = { target: parseTarget(to, configuration.timezone), place, run, url };
    const plan = await planRestore({ vault, configuration, database, ...asked });
    steps.done('plan');
    const services = { host: HOST, logger, vault: async () => vault };
    const step = async <T>(name: string, work: (guard: Guard) => Promise<T>): Promise<T> => {
      const result = await guarded(services, { dataDirectory, run, owner: run, undo: false }, work);
      steps.done(name);
      return result;
    };
    await step('prepare', (guard) => prepareWork(plan, guard));
    await step('fetch', (guard) => fetchBase(plan, vault, guard));
    const { waitedMs } = await step('replay', () => awaitTarget(plan, vault, { logger }));
    steps.note('starved', waitedMs);
    await step('prove', () => proveRecovery(plan));
    await step('promote', async (guard) => {
      await prepareProduction(plan);
      await promote(plan, guard);
    });
    await step('check', () => checkRecovered(plan));
    const { connection = '' } = await step('finish', (guard) => finishBeside(plan, guard));
    await writeFile(report, JSON.stringify({ connection, dataDirectory }));
  });
  await steps.write();
};
