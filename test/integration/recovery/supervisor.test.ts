// A server that a supervisor keeps: it is stopped by its unit, masked while its data is exchanged, and free again at every end.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  abandon,
  awaitTarget,
  checkRecovered,
  fetchBase,
  planRestore,
  prepareProduction,
  prepareWork,
  promote,
  proveRecovery,
  resumeSwap,
  rollbackRestore,
  stopLeft,
  swapIn,
} from '../../../src/postgres/recovery/index.ts';
import type { RestorePlan } from '../../../src/postgres/types.ts';
import { tryRun } from '../../../src/process/index.ts';
import { clonedRun } from '../../support/cloned-run.ts';
import { type FakeSystemd, fakeSystemd } from '../../support/fake-systemd.ts';
import { configurationFor, databaseFor, guard, logger } from '../../support/recovery-run.ts';
import { type RecoverySource, startRecoverySource } from '../../support/recovery-source.ts';
import { SuiteHooks } from '../../support/suite-hooks.ts';

const unit = 'postgresql@main.service';

describe('a restore in place of a server that systemd keeps', () => {
  const hooks = new SuiteHooks();
  let source: RecoverySource;
  let systemd: FakeSystemd;
  let dataDirectory: string;
  let template: RestorePlan;
  let runs = 0;
  const ownPath = process.env.PATH;

  const newRun = () => {
    runs += 1;
    return clonedRun(template, runs);
  };
  const state = async () =>
    (await tryRun('systemctl', ['show', '--property=LoadState', '--value', unit])).stdout.trim();
  const rows = async () => (await source.server.query('select count(*)::int as rows from ledger'))[0]?.rows;

  before(async () => {
    source = await startRecoverySource(hooks.context, { major: 18 });
    ({ dataDirectory } = source.server);
    systemd = await fakeSystemd(source.server);
    process.env.PATH = `${systemd.bin}:${ownPath}`;
    await source.capture();
    await source.commit();
    await source.server.query("select pg_create_restore_point('before the mistake')");
    await source.commit();
    await source.ship();
    template = await planRestore({
      vault: source.vault,
      configuration: configurationFor(source),
      database: databaseFor({ dataDirectory, service: { systemd: unit } }),
      target: { type: 'name', name: 'before the mistake' },
      place: { mode: 'in place' },
      run: 'restore-template',
      url: source.server.url(),
    });
    await prepareWork(template, guard);
    await fetchBase(template, source.vault, guard);
    await awaitTarget(template, source.vault, { logger });
    await proveRecovery(template);
    await prepareProduction(template);
    await promote(template, guard);
    await checkRecovered(template);
    await stopLeft(template, false);
  });

  after(async () => {
    process.env.PATH = ownPath;
    await hooks.end();
  });

  test('nothing starts the unit between the stop and the last proof, and it is free when the swap or the rollback ends', async () => {
    const plan = await newRun();
    const refused: string[] = [];
    await systemd.asked();
    await swapIn(plan, {
      ...guard,
      check: async () => {
        if ((await state()) !== 'masked') return;
        const start = await tryRun('systemctl', ['start', unit]);
        refused.push(`${start.exitCode} ${start.stderrTail.trim()}`);
      },
    });
    const asked = (await systemd.asked()).filter((line) => !/^(show|start)/.test(line));
    assert.deepEqual(asked, [
      `stop ${unit}`,
      `mask --runtime ${unit}`,
      `unmask --runtime ${unit}`,
      `reset-failed ${unit}`,
    ]);
    assert.ok(refused.length >= 6, refused.join('\n'));
    assert.deepEqual([...new Set(refused)], ['1 Failed to start: Unit is masked.']);
    assert.equal(await state(), 'loaded');
    assert.equal(await rows(), 1);
    await rollbackRestore(dataDirectory, plan.run, guard);
    assert.equal(await state(), 'loaded');
    assert.equal(await rows(), 2);
    await abandon(dataDirectory, plan.run, guard);
  });

  test('a swap that is cut off leaves the unit masked; whoever finishes or undoes it frees it', async () => {
    const stop = new Error('stopped here');
    for (const end of ['resume', 'rollback']) {
      const plan = await newRun();
      const dying = {
        ...guard,
        onEntry: ({ step, state: at }: { step: string; state: string }) => {
          if (step === 'keep old' && at === 'done') throw stop;
        },
      };
      await assert.rejects(swapIn(plan, dying), stop);
      assert.equal(await state(), 'masked');
      if (end === 'resume') await resumeSwap(dataDirectory, plan.run, guard);
      else await rollbackRestore(dataDirectory, plan.run, guard);
      assert.equal(await state(), 'loaded', end);
      assert.equal(await rows(), end === 'resume' ? 1 : 2);
      await rollbackRestore(dataDirectory, plan.run, guard);
      await abandon(dataDirectory, plan.run, guard);
    }
  });

  test('a server that did not run is not started by the rollback, and its unit is free', async () => {
    await tryRun('systemctl', ['stop', unit]);
    const plan = await newRun();
    const down = { ...plan, production: { ...plan.production!, running: false } };
    await swapIn(down, guard);
    const undone = await rollbackRestore(dataDirectory, plan.run, guard);
    assert.equal(undone.started, false);
    assert.equal(await state(), 'loaded');
    await abandon(dataDirectory, plan.run, guard);
    await source.server.start();
  });

  test('a unit that cannot be masked is told, and the restore goes on', async () => {
    const stubborn = await fakeSystemd(source.server, { etc: true });
    process.env.PATH = `${stubborn.bin}:${ownPath}`;
    const plan = await newRun();
    const { warnings } = await swapIn(plan, guard);
    assert.match(warnings.join('\n'), /'postgresql@main.service' could not be masked/);
    assert.equal(await rows(), 1);
    await rollbackRestore(dataDirectory, plan.run, guard);
    assert.equal(await rows(), 2);
    await abandon(dataDirectory, plan.run, guard);
  });
});
