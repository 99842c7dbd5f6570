// A person ends what a restore has left, without Temporal: never a step that a worker is at, and also while no store answers.

import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Configuration } from '../../../config/index.ts';
import { openStandaloneRestores } from '../../../src/host/standalone.ts';
import { checkRecovered, finishBeside, promote, restorePaths } from '../../../src/postgres/recovery/index.ts';
import { findPostmaster } from '../../../src/postgres/recovery/postmaster.ts';
import type { RestorePlan } from '../../../src/postgres/types.ts';
import { start } from '../../../src/process/index.ts';
import { isThere } from '../../../src/system/index.ts';
import { configurationFor, databaseFor, guard, logger, newRestore, Restores } from '../../support/recovery-run.ts';
import { component, type RecoverySource, startRecoverySource } from '../../support/recovery-source.ts';
import { SuiteHooks } from '../../support/suite-hooks.ts';
import { waitFor } from '../../support/wait-for.ts';

describe('a server that a restore has left, ended without Temporal', () => {
  const hooks = new SuiteHooks();
  let source: RecoverySource;
  let restores: Restores;
  let directory: string;

  /** Its copies are on a disk that is not there. */
  const person = () => {
    const known = configurationFor(source);
    const copies = Object.fromEntries(
      Object.entries(known.vault.copies).map(([name, copy]) => [name, { ...copy, file: `/nowhere/${name}` }]),
    );
    const configuration: Configuration = {
      ...{ ...known, vault: { ...known.vault, copies }, database: { main: databaseFor() } },
    };
    const opened = openStandaloneRestores(configuration, { logger, by: 'a person', host: 'db1' });
    hooks.context.after(() => opened.close());
    return opened;
  };
  const planned = (name: string, place: { readonly start: boolean; readonly throwaway?: true }) =>
    restores.plan({
      ...{ target: { type: 'latest' } },
      place: { mode: 'beside', dataDirectory: path.join(directory, name), ...place },
    });
  const holdLockOf = async (plan: RestorePlan) => {
    const program = path.resolve(import.meta.dirname, '../../support/lock-holder.ts');
    const { lock } = restorePaths(plan.place.dataDirectory, plan.run);
    const logFile = path.join(directory, 'holder.log');
    const holder = await start(process.execPath, [program, lock], { logFile });
    hooks.context.after(() => holder.stop({ signal: 'SIGKILL' }).then(() => undefined));
    await waitFor('the lock to be held', async () => (await readFile(logFile, 'utf8')).includes('held'));
    return holder;
  };

  /** As of an estate of the same name, with a run of the same one. */
  const claimedBeside = async (plan: RestorePlan) => {
    const dataDirectory = path.join(directory, 'of-another');
    const paths = restorePaths(dataDirectory, plan.run);
    await mkdir(paths.work, { recursive: true });
    await writeFile(paths.plan, JSON.stringify({ ...plan, place: { ...plan.place, dataDirectory } }));
    const settings = `config_file=${path.join(paths.quarantine, 'postgresql.conf')}`;
    const server = await start(process.execPath, ['-e', 'setInterval(() => {}, 1000)', '--', settings]);
    hooks.context.after(() => server.stop({ signal: 'SIGKILL' }).then(() => undefined));
    return server;
  };

  before(async () => {
    source = await startRecoverySource(hooks.context, { major: 17 });
    directory = source.server.directory;
    restores = await Restores.of(hooks.context, source);
    await source.capture();
    await source.commit();
    await source.ship();
  });

  after(() => hooks.end());

  test('while a worker is at a step of it, it runs on; after that it goes with its directory', async () => {
    const plan = await planned('looked-at', { start: false, throwaway: true });
    await restores.recover(plan);
    const { data, work } = restorePaths(plan.place.dataDirectory, plan.run);
    const worker = await holdLockOf(plan);
    await assert.rejects(person().stop({ run: plan.run, component }), {
      ...{
        code: 'LOCKED',
        hint: new RegExp(`a worker is at a step beside this data: .*\`holdfast show ${plan.run}\``),
      },
    });
    assert.ok(await findPostmaster(data));
    assert.equal(await person().left(plan.run), undefined, 'somebody may go on with it');
    await worker.stop({ signal: 'SIGKILL' });
    const stopped = await person().stop({ run: plan.run, component });
    assert.deepEqual(stopped, { run: plan.run, dataDirectory: data, stopped: true, removed: true });
    assert.equal(await findPostmaster(data), undefined);
    assert.equal(await isThere(work), false);
  });

  test('that it was left, and by which plan, its host knows by itself', async () => {
    const plan = await planned('left', { start: true });
    await restores.recover(plan);
    await promote(plan, guard);
    await checkRecovered(plan);
    await finishBeside(plan, guard);
    const { dataDirectory } = plan.place;
    assert.deepEqual(await person().left(plan.run), { run: plan.run, component });
    const other = await claimedBeside(plan);
    const twice = { code: 'PLAN_CHANGED', message: /is on this host more than once: '.*\/left' and '.*\/of-another'/ };
    await assert.rejects(person().stop({ run: plan.run, component }), twice);
    assert.ok(await findPostmaster(dataDirectory));
    await other.stop({ signal: 'SIGKILL' });
    assert.equal(await person().left(newRestore()), undefined);
    const stopped = await person().stop({ run: plan.run, component });
    assert.deepEqual(stopped, { run: plan.run, dataDirectory, stopped: true });
    assert.equal(await findPostmaster(dataDirectory), undefined);
  });
});
