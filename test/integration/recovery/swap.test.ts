// Restores in place: the swap is killed at every line of its journal, and another process finishes it or undoes it from the journal alone.

import assert from 'node:assert/strict';
import { readdir, readFile, rename, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { HoldfastError } from '../../../src/errors/index.ts';
import { exists } from '../../../src/postgres/recovery/durable-files.ts';
import {
  abandon,
  awaitTarget,
  checkRecovered,
  confirmRestore,
  fetchBase,
  journalState,
  planRestore,
  prepareProduction,
  prepareWork,
  promote,
  proveRecovery,
  resumeSwap,
  rollbackRestore,
  stopLeft,
  swapIn,
  verifyProduction,
} from '../../../src/postgres/recovery/index.ts';
import { restorePaths } from '../../../src/postgres/recovery/paths.ts';
import type { RestorePlan } from '../../../src/postgres/types.ts';
import { run, tryRun } from '../../../src/process/index.ts';
import { configurationFor, databaseFor, guard, logger } from '../../support/recovery-run.ts';
import { component, type RecoverySource, startRecoverySource } from '../../support/recovery-source.ts';
import { serverUser } from '../../support/scratch-postgres.ts';
import { SuiteHooks } from '../../support/suite-hooks.ts';

const isFull = process.env.HOLDFAST_SWEEP === 'full';

describe('a restore in place', () => {
  const hooks = new SuiteHooks();
  let source: RecoverySource;
  let dataDirectory: string;
  let template: RestorePlan;
  let runs = 0;

  const request = (name: string) => ({
    vault: source.vault,
    configuration: configurationFor(source),
    database: databaseFor({
      dataDirectory,
      service: { pgCtl: { logFile: path.join(source.server.directory, 'server.log') } },
    }),
    target: { type: 'name', name: 'before the mistake' } as const,
    place: { mode: 'in place' } as const,
    run: name,
    url: source.server.url(),
  });

  const notes = async () =>
    (await source.server.query("select note from ledger where note like 'note %' order by id")).map(({ note }) => note);
  const before1 = ['note kept'];
  const after1 = ['note kept', 'note lost'];

  /** A run of its own from the recovered directory, as if each had been fetched and replayed. */
  async function newRun(): Promise<RestorePlan> {
    runs += 1;
    const name = `restore-${String(runs).padStart(8, '0')}`;
    const paths = restorePaths(dataDirectory, name);
    const plan = {
      ...template,
      run: name,
      workDirectory: paths.work,
      place: { ...template.place, keepOldAt: `${dataDirectory}.before-${runs}` },
    };
    await run('cp', ['-a', template.workDirectory, paths.work]);
    await writeFile(paths.plan, JSON.stringify(plan));
    return plan as RestorePlan;
  }

  before(async () => {
    source = await startRecoverySource(hooks.context, { major: 17 });
    ({ dataDirectory } = source.server);
    await source.capture();
    await source.server.query("insert into ledger (note) values ('note kept')");
    await source.server.query("select pg_create_restore_point('before the mistake')");
    await source.server.query("insert into ledger (note) values ('note lost')");
    await source.ship();
    template = await planRestore(request('restore-template'));
    await prepareWork(template, guard);
    await fetchBase(template, source.vault, guard);
    await awaitTarget(template, source.vault, { logger });
    await proveRecovery(template);
    await prepareProduction(template);
    await promote(template, guard);
    await checkRecovered(template);
    await stopLeft(template, false);
  });

  after(() => hooks.end());

  test('the plan names production and what a person decides, and leaves it alone', async () => {
    assert.equal(template.production?.systemId, source.systemId);
    assert.equal(template.production?.running, true);
    const again = await planRestore(request('restore-again'));
    assert.equal(again.digest, template.digest);
    assert.deepEqual(await notes(), after1);
  });

  test('swapped in, production has the rows of the target and today’s settings; rolled back, it has all of its own again', async () => {
    await source.server.query("alter system set work_mem = '7MB'");
    const plan = await newRun();
    const shipped: unknown[] = [];
    const result = await swapIn(plan, {
      ...guard,
      shipped: async (stopped) => {
        shipped.push(stopped);
        return { durable: true };
      },
      verify: (expected) => verifyProduction({ url: source.server.url(), component }, expected),
    });
    assert.equal(result.timeline, 2);
    assert.equal((shipped[0] as { clean: boolean }).clean, true);
    assert.deepEqual(await notes(), before1);
    assert.equal((await source.server.query('show work_mem'))[0]?.work_mem, '7MB');
    const [slot] = await source.server.query(
      'select slot_name::text as name, restart_lsn::text as lsn from pg_replication_slots',
    );
    assert.equal(slot?.name, 'holdfast_acme_main');
    assert.ok(slot?.lsn);
    assert.equal((await journalState(dataDirectory, plan.run))?.phase, 'swapped');
    const dry = await planRestore({ ...request('restore-second'), dryRun: true });
    assert.equal(dry.resolved.endLsn, plan.resolved.endLsn);
    assert.deepEqual(
      dry.blockers?.map(({ code }) => code),
      ['JOURNAL_STATE'],
    );
    await assert.rejects(planRestore(request('restore-second')), (error: HoldfastError) => {
      // At night the next question is how to go back, or on: the run is named, and what each way does.
      assert.equal(error.code, 'JOURNAL_STATE');
      assert.match(error.message, new RegExp(`: ${plan.run}$`));
      assert.match(
        error.hint,
        new RegExp(`holdfast rollback ${plan.run}.*holdfast confirm ${plan.run}.*for good.*--beside`),
      );
      return true;
    });
    const undone = await rollbackRestore(dataDirectory, plan.run, guard);
    assert.equal(undone.started, true);
    assert.deepEqual(await notes(), after1);
    assert.equal((await journalState(dataDirectory, plan.run))?.phase, 'rolled back');
    assert.ok(undone.setAsideAt && (await exists(undone.setAsideAt)));
    await assert.rejects(confirmRestore(dataDirectory, plan.run, guard), {
      ...{ code: 'JOURNAL_STATE', message: /is rolled back since \S+: there is nothing to confirm/ },
      hint: new RegExp(`\`holdfast list ${plan.component}\``),
    });
    await abandon(dataDirectory, plan.run, guard);
    assert.equal(await exists(plan.workDirectory), false);
  });

  test('killed at any line of its journal, the swap is finished or undone from the journal alone', async (t) => {
    let visited = 0;
    for (let point = 2; ; point += 1) {
      const plan = await newRun();
      const paths = restorePaths(dataDirectory, plan.run);
      const child = await tryRun(process.execPath, ['test/support/swap-and-die.ts', paths.plan, String(point)], {
        deadlineMs: 120_000,
      });
      if (child.exitCode === 0) {
        await rollbackRestore(dataDirectory, plan.run, guard);
        await abandon(dataDirectory, plan.run, guard);
        break;
      }
      assert.equal(child.signal, 'SIGKILL', child.stderrTail);
      visited += 1;
      const last = (await journalState(dataDirectory, plan.run))!.lastStep;
      // A step that was done but not yet said so: the line is cut in the middle, as a crash would.
      if (last.state === 'done') await truncate(paths.journal, (await readFile(paths.journal)).length - 20);
      const where = `killed at line ${point}: ${last.step} ${last.state}`;
      if (isFull || point % 2 === 0) {
        await resumeSwap(dataDirectory, plan.run, guard);
        assert.deepEqual(await notes(), before1, where);
      }
      await rollbackRestore(dataDirectory, plan.run, guard);
      assert.deepEqual(await notes(), after1, where);
      await rollbackRestore(dataDirectory, plan.run, guard);
      assert.deepEqual(await notes(), after1, `${where}, rolled back twice`);
      await abandon(dataDirectory, plan.run, guard);
    }
    t.diagnostic(`${visited} points visited`);
    assert.ok(visited >= 18);
    assert.deepEqual(
      (await readdir(path.dirname(dataDirectory))).filter((name) => name.includes('.before-')),
      [],
    );
  });

  test('a crashed production is replaced too, and what it had not shipped stays in its old directory', async () => {
    await source.server.stop('immediate');
    const plan = { ...(await newRun()) };
    const shipped: unknown[] = [];
    const result = await swapIn(plan, {
      ...guard,
      shipped: async ({ clean }) => {
        shipped.push(clean);
        return { durable: false, note: 'the server was down' };
      },
    });
    assert.deepEqual(shipped, [false]);
    assert.deepEqual(await notes(), before1);
    assert.ok(result.keptAt);
    await rollbackRestore(dataDirectory, plan.run, guard);
    assert.deepEqual(await notes(), after1);
    await abandon(dataDirectory, plan.run, guard);
  });

  test('a server that is stopped and started by commands is swapped by them, and one that a command does not stop is left alone', async () => {
    const as =
      serverUser.runAs === undefined
        ? ''
        : `setpriv --reuid=${serverUser.runAs} --regid=${serverUser.runAs} --init-groups `;
    const pgCtl = `cd / && ${as}${source.server.bin('pg_ctl')} -D ${dataDirectory} -w`;
    const start = `${pgCtl} -l ${path.join(source.server.directory, 'server.log')} start`;
    const plan = async (stop: string) => {
      const made = await newRun();
      return { ...made, execution: { ...made.execution, service: { commands: { start, stop } } } } as RestorePlan;
    };
    const stubborn = await plan('echo will not >&2; exit 3');
    await assert.rejects(swapIn(stubborn, guard), { code: 'PROCESS_FAILED', hint: 'its last words: will not' });
    assert.deepEqual(await notes(), after1, 'production runs as if nothing had been');
    await rollbackRestore(dataDirectory, stubborn.run, guard);
    await abandon(dataDirectory, stubborn.run, guard);

    const willing = await plan(`${pgCtl} -m fast stop`);
    await swapIn(willing, guard);
    assert.deepEqual(await notes(), before1);
    await rollbackRestore(dataDirectory, willing.run, guard);
    assert.deepEqual(await notes(), after1);
    await abandon(dataDirectory, willing.run, guard);
  });

  test('where production’s directory is gone, the restore takes its place with the settings of the snapshot', async () => {
    await source.server.stop();
    const hidden = `${dataDirectory}.hidden`;
    await rename(dataDirectory, hidden);
    const lost = await planRestore(request('restore-lost'));
    assert.equal(lost.production, undefined);
    const { production: _, ...plan } = await newRun();
    const result = await swapIn(plan as RestorePlan, guard);
    assert.equal(result.keptAt, undefined);
    assert.deepEqual(await notes(), before1);
    const undone = await rollbackRestore(dataDirectory, plan.run, guard);
    assert.equal(undone.started, false);
    assert.equal(await exists(dataDirectory), false);
    await abandon(dataDirectory, plan.run, guard);
    await rename(hidden, dataDirectory);
    await source.server.start();
  });

  test('a rollback that ends after any line of the journal is finished by the next one', async (t) => {
    const stop = new Error('stopped here');
    for (let point = 1; ; point += 1) {
      const plan = await newRun();
      await swapIn(plan, guard);
      let entries = 0;
      const dying = {
        ...guard,
        onEntry: () => {
          entries += 1;
          if (entries === point) throw stop;
        },
      };
      const isWhole = await rollbackRestore(dataDirectory, plan.run, dying).then(
        () => true,
        (error: unknown) => {
          assert.equal(error, stop);
          return false;
        },
      );
      await rollbackRestore(dataDirectory, plan.run, guard);
      assert.deepEqual(await notes(), after1, `stopped at line ${point}`);
      await abandon(dataDirectory, plan.run, guard);
      if (!isWhole) continue;
      t.diagnostic(`${point - 1} points visited`);
      assert.ok(point > 4);
      return;
    }
  });

  test('a journal of before there were lists of names is finished and undone like one of today', async () => {
    const stop = new Error('stopped here');
    for (const [step, isForward] of [
      ['keep old', true],
      ['move new', true],
      ['keep old', false],
      ['start', false],
    ] as const) {
      const plan = await newRun();
      const { journal } = restorePaths(dataDirectory, plan.run);
      const dying = {
        ...guard,
        onEntry: (entry: { step: string; state: string }) => {
          if (entry.step === step && entry.state === 'done') throw stop;
        },
      };
      await assert.rejects(swapIn(plan, dying), stop);
      const lines = (await readFile(journal, 'utf8')).split('\n');
      await writeFile(journal, lines.filter((line) => !/"step":"(list|prove)"/.test(line)).join('\n'));
      if (isForward) {
        await resumeSwap(dataDirectory, plan.run, guard);
        assert.deepEqual(await notes(), before1, step);
      }
      await rollbackRestore(dataDirectory, plan.run, guard);
      assert.deepEqual(await notes(), after1, step);
      await abandon(dataDirectory, plan.run, guard);
    }
  });

  test('a step with an older fencing token, or after the lease was lost, is refused', async () => {
    const plan = await newRun();
    await swapIn(plan, { token: 5 });
    await assert.rejects(rollbackRestore(dataDirectory, plan.run, { token: 4 }), { code: 'FENCED' });
    const lost = async () => {
      throw Object.assign(new Error('lost'), { code: 'FENCED' });
    };
    await assert.rejects(rollbackRestore(dataDirectory, plan.run, { token: 5, check: lost }), { code: 'FENCED' });
    assert.deepEqual(await notes(), before1);
    await rollbackRestore(dataDirectory, plan.run, { token: 6 });
    assert.deepEqual(await notes(), after1);
    await abandon(dataDirectory, plan.run, { token: 6 });
  });

  test('another cluster found in production’s place is not touched, before the swap and before its old data is removed', async () => {
    const foreign = path.join(source.server.directory, 'foreign');
    await run(source.server.bin('initdb'), ['-D', foreign, '-N', '-A', 'trust'], { runAs: 'postgres', cwd: '/' });
    const plan = await newRun();
    await source.server.stop();
    const hidden = `${dataDirectory}.hidden`;
    await rename(dataDirectory, hidden);
    await rename(foreign, dataDirectory);
    await assert.rejects(planRestore(request('restore-foreign')), { code: 'DATABASE_IDENTITY' });
    await assert.rejects(swapIn(plan, guard), { code: 'DATABASE_IDENTITY' });
    assert.ok(await exists(path.join(dataDirectory, 'PG_VERSION')));
    await rename(dataDirectory, foreign);
    await rename(hidden, dataDirectory);
    await source.server.start();
    const result = await resumeSwap(dataDirectory, plan.run, guard);
    await rename(result.keptAt!, hidden);
    await rename(foreign, result.keptAt!);
    await assert.rejects(confirmRestore(dataDirectory, plan.run, guard), { code: 'DATABASE_IDENTITY' });
    await rename(result.keptAt!, foreign);
    await rename(hidden, result.keptAt!);
    assert.equal((await journalState(dataDirectory, plan.run))?.phase, 'swapped');
    const confirmed = await confirmRestore(dataDirectory, plan.run, guard);
    assert.equal(await exists(confirmed.removed!), false);
    assert.equal(await exists(`${confirmed.removed}.removing`), false);
    assert.deepEqual(await notes(), before1);
    await confirmRestore(dataDirectory, plan.run, guard);
    await assert.rejects(rollbackRestore(dataDirectory, plan.run, guard), {
      ...{ code: 'JOURNAL_STATE', message: /is confirmed since \S+: what was there before is gone/ },
      hint: new RegExp(`\`holdfast list ${plan.component}\``),
    });
    assert.equal((await journalState(dataDirectory, plan.run))?.phase, 'confirmed');
  });
});
