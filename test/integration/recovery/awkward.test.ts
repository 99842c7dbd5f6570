// Restores in place of a cluster that lies on four file systems: everything is exchanged together, or nothing, wherever it is cut off.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, readlink, realpath, rename, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { exists } from '../../../src/postgres/recovery/durable-files.ts';
import {
  abandon,
  awaitTarget,
  checkRecovered,
  confirmRestore,
  fetchBase,
  holdfastDirectory,
  journalState,
  type PlanRequest,
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
import { findPostmaster } from '../../../src/postgres/recovery/postmaster.ts';
import type { LinkedPlace, RestorePlan } from '../../../src/postgres/types.ts';
import { run, tryRun } from '../../../src/process/index.ts';
import {
  type AwkwardCluster,
  type AwkwardOptions,
  notesIn,
  notesOf,
  startAwkwardCluster,
  writeNote,
} from '../../support/awkward-cluster.ts';
import { clonedRun } from '../../support/cloned-run.ts';
import { type JobScheduler, startScheduler, workersOf } from '../../support/job-scheduler.ts';
import { configurationFor, databaseFor, guard, logger } from '../../support/recovery-run.ts';
import { component } from '../../support/recovery-source.ts';
import { SuiteHooks } from '../../support/suite-hooks.ts';
import { waitFor } from '../../support/wait-for.ts';

const isFull = process.env.HOLDFAST_SWEEP === 'full';
/** Every how many of the journal's lines the swap is killed: all tables of contents are visited over the two clusters. */
const stride = isFull ? 1 : 9;

const clusters: readonly AwkwardOptions[] = [
  { major: 15, log: 'mount point' },
  { major: 18, log: 'directory' },
];

for (const options of clusters) {
  describe(`a restore in place of PostgreSQL ${options.major} with its log in a ${options.log}`, () => {
    const hooks = new SuiteHooks();
    let source: AwkwardCluster;
    let dataDirectory: string;
    let template: RestorePlan;
    let runs = 0;
    let scheduler: JobScheduler;
    let publishing: string | undefined;

    /** The process of production that serves its subscription; another one, or none, would mean that somebody touched the slot. */
    const publisher = async () =>
      (
        await source.server.query("select active_pid::text as pid from pg_replication_slots where slot_name = 'mirror'")
      )[0]?.pid;

    const newRun = () => {
      runs += 1;
      return clonedRun(template, runs);
    };

    const request = (name: string): PlanRequest => ({
      vault: source.vault,
      configuration: configurationFor(source),
      database: databaseFor({
        dataDirectory,
        service: {
          pgCtl: {
            logFile: path.join(source.server.directory, 'server.log'),
            options: `-c config_file=${source.server.configurationDirectory}/postgresql.conf`,
          },
        },
      }),
      target: { type: 'name', name: 'before the mistake' },
      place: { mode: 'in place' },
      run: name,
      url: source.server.url(),
    });

    const before1 = notesOf('note kept');
    const after1 = notesOf('note kept', 'note lost');

    const recover = async (plan: RestorePlan) => {
      await prepareWork(plan, guard);
      await fetchBase(plan, source.vault, guard);
      await awaitTarget(plan, source.vault, { logger });
      await proveRecovery(plan);
      await prepareProduction(plan);
      await promote(plan, guard);
      await checkRecovered(plan);
      await stopLeft(plan, false);
    };

    const linkedAt = (plan: RestorePlan, link: string) =>
      plan.execution.linked?.find((place) => place.link.startsWith(link)) as LinkedPlace;

    /** Every link of the data directory and where it leads. */
    const links = async () => {
      const found: Record<string, string> = {};
      for (const { link } of template.execution.linked ?? []) {
        found[link] =
          `${await readlink(path.join(dataDirectory, link))} ${await realpath(path.join(dataDirectory, link))}`;
      }
      return found;
    };

    const left = async () => {
      const places = [dataDirectory, ...Object.values(source.tablespaces), source.logDirectory];
      const found: string[] = [];
      for (const place of places) {
        const ours = path.join(await realpath(place), 'pgsql_tmp.holdfast');
        const beside = `${await realpath(place)}.holdfast`;
        for (const directory of [ours, beside]) {
          const names = (await exists(directory)) ? await readdir(directory) : [];
          found.push(
            ...names.filter((name) => !['lock', 'journal', 'runs', 'server.log', 'restore-template'].includes(name)),
          );
        }
      }
      return found;
    };

    before(async () => {
      source = await startAwkwardCluster(hooks.context, options);
      ({ dataDirectory } = source.server);
      await source.capture();
      await writeNote(source, 'note kept');
      await source.server.query("select pg_create_restore_point('before the mistake')");
      await writeNote(source, 'note lost');
      await source.ship();
      template = await planRestore(request('restore-template'));
      publishing = await publisher();
      scheduler = startScheduler(source.server);
      await recover(template);
    });

    after(async () => {
      await scheduler?.stop();
      await hooks.end();
    });

    test('the plan counts each file system by itself, and names what will break', () => {
      assert.equal(template.place.mode === 'in place' && template.place.inside, true);
      assert.deepEqual(
        template.execution.linked?.map(({ link, directory, exchange }) => [
          link.replace(/\d+/, 'N'),
          directory,
          exchange,
        ]),
        [
          ['pg_wal', source.logDirectory, options.log === 'mount point' ? 'entries' : 'whole'],
          ['pg_tblspc/N', source.tablespaces.apart, 'entries'],
          ['pg_tblspc/N', source.tablespaces.near, 'entries'],
        ],
      );
      assert.equal(template.space.elsewhere?.length, 3);
      assert.match(template.warnings.join('\n'), /slots that will be gone: 'mirror'/);
      assert.match(template.warnings.join('\n'), /subscriptions that may receive rows again or miss some: 'mirror'/);
    });

    test('while the copy recovered, production’s subscription was not disturbed by it', async () => {
      assert.ok(publishing);
      assert.equal(await publisher(), publishing);
      const log = await readFile(path.join(source.server.directory, 'server.log'), 'utf8');
      assert.doesNotMatch(log, /replication slot "mirror" is active/, 'somebody else asked for it');
      assert.deepEqual((await source.received()).slice(-2), ['note kept', 'note lost']);
    });

    test('a job scheduler that asks everybody who answers has met production alone, and meets it again after a swap and a rollback', async () => {
      const met = async (timeline: number) => {
        const runsBefore = scheduler.runs();
        await waitFor('jobs to be run', () => scheduler.runs() > runsBefore + 3);
        assert.deepEqual([...scheduler.servers], [dataDirectory]);
        await waitFor('the worker of a library', async () =>
          (await workersOf(dataDirectory)).includes('autoprewarm leader'),
        );
        const [row] = await source.server.query(
          `select timeline_id::text as timeline, current_setting('cron.database_name') as setting, (select runs from jobs) as runs
            from pg_control_checkpoint()`,
        );
        assert.deepEqual([row?.timeline, row?.setting], [String(timeline), 'postgres']);
        return Number(row?.runs);
      };
      const runsBefore = await met(1);
      const plan = await newRun();
      const acknowledged = scheduler.runs();
      await swapIn(plan, guard);
      // At the target no job had run, so these were all run since; one more may not be acknowledged yet.
      const since = await met(2);
      assert.ok(since > 0 && since <= scheduler.runs() - acknowledged + 1, `${since} runs`);
      await rollbackRestore(dataDirectory, plan.run, guard);
      assert.ok((await met(1)) >= runsBefore);
      await abandon(dataDirectory, plan.run, guard);
      await scheduler.stop();
    });

    test('swapped in, every place holds the target’s rows behind the same links; rolled back, all are production’s again', async () => {
      const linksBefore = await links();
      const plan = await newRun();
      const result = await swapIn(plan, {
        ...guard,
        verify: (expected) => verifyProduction({ url: source.server.url(), component }, expected),
      });
      assert.equal(result.timeline, 2);
      assert.deepEqual(await notesIn(source), before1);
      assert.deepEqual(await links(), linksBefore);
      // The kept data is a cluster of its own: by its links nobody reaches what took its place.
      for (const { link, kept } of plan.execution.linked ?? []) {
        assert.equal(await realpath(path.join(result.keptAt!, link)), await realpath(kept));
      }
      await source.server.query("alter system set work_mem = '7MB'");
      await writeNote(source, 'note of afterwards');
      await source.server.query('checkpoint');
      const undone = await rollbackRestore(dataDirectory, plan.run, guard);
      assert.equal(undone.started, true);
      assert.deepEqual(await notesIn(source), after1);
      assert.deepEqual(await links(), linksBefore);
      assert.equal((await source.server.query('show work_mem'))[0]?.work_mem, '4MB');
      await source.server.query("insert into ledger (note) values ('by subscription')");
      await waitFor('a row by subscription', async () => (await source.received()).at(-1) === 'by subscription');
      await abandon(dataDirectory, plan.run, guard);
      assert.deepEqual(await left(), []);
    });

    test('killed at any rename, the swap is finished or undone from the journal alone, and cannot be started in between', async (t) => {
      const linksBefore = await links();
      let visited = 0;
      for (let point = 2; ; point += stride) {
        const plan = await newRun();
        const paths = restorePaths(dataDirectory, plan.run);
        const args = ['test/support/swap-and-die.ts', paths.plan, String(point)];
        const child = await tryRun(process.execPath, args, { deadlineMs: 120_000 });
        if (child.exitCode === 0) {
          await rollbackRestore(dataDirectory, plan.run, guard);
          await abandon(dataDirectory, plan.run, guard);
          break;
        }
        assert.equal(child.signal, 'SIGKILL', child.stderrTail);
        visited += 1;
        const last = (await journalState(dataDirectory, plan.run))!.lastStep;
        if (last.state === 'done') await truncate(paths.journal, (await readFile(paths.journal)).length - 20);
        const where = `killed at line ${point}: ${last.step} ${last.state}`;
        if (/^(move new|point)|^keep old: (?!PG_VERSION)/.test(last.step) && last.step !== 'move new: PG_VERSION') {
          const start = await tryRun(
            source.server.bin('pg_ctl'),
            ['-D', source.server.configurationDirectory, '-w', '-t', '30', 'start'],
            {
              runAs: 'postgres',
              cwd: '/',
            },
          );
          assert.notEqual(start.exitCode, 0, where);
        }
        if (isFull || visited % 2 === 0) {
          await resumeSwap(dataDirectory, plan.run, guard);
          assert.deepEqual(await notesIn(source), before1, where);
          assert.deepEqual(await links(), linksBefore, where);
        }
        await rollbackRestore(dataDirectory, plan.run, guard);
        assert.deepEqual(await notesIn(source), after1, where);
        assert.deepEqual(await links(), linksBefore, where);
        await abandon(dataDirectory, plan.run, guard);
        assert.deepEqual(await left(), [], where);
      }
      t.diagnostic(`${visited} points visited`);
      assert.ok(visited >= 10);
    });

    test('a rollback that ends after any line of the journal is finished by the next one', async (t) => {
      const stop = new Error('stopped here');
      for (let point = 1; ; point += stride) {
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
        assert.deepEqual(await notesIn(source), after1, `stopped at line ${point}`);
        await abandon(dataDirectory, plan.run, guard);
        if (!isWhole) continue;
        t.diagnostic(`stopped up to line ${point}`);
        return;
      }
    });

    test('a rollback that ends when production runs again is finished by the next one, whatever production has written since', async () => {
      const plan = await newRun();
      await swapIn(plan, guard);
      const stop = new Error('stopped here');
      const dying = {
        ...guard,
        onEntry: ({ step, state }: { step: string; state: string }) => {
          if (step === 'stop production' && state === 'undone') throw stop;
        },
      };
      await assert.rejects(rollbackRestore(dataDirectory, plan.run, dying), (error) => error === stop);
      // It takes another file's place under the same name, as the dump of autoprewarm does every five minutes.
      await source.server.query("alter system set log_min_duration_statement = '1h'");
      await rollbackRestore(dataDirectory, plan.run, guard);
      assert.deepEqual(await notesIn(source), after1);
      await source.server.query('alter system reset log_min_duration_statement');
      await abandon(dataDirectory, plan.run, guard);
      assert.deepEqual(await left(), []);
    });

    test('a tablespace that is not the recovered one is found out before the server is started', async () => {
      const plan = await newRun();
      const stop = new Error('stopped here');
      const dying = {
        ...guard,
        onEntry: ({ step, state }: { step: string; state: string }) => {
          if (step === 'move new: PG_VERSION' && state === 'done') throw stop;
        },
      };
      await assert.rejects(swapIn(plan, dying), stop);
      const { directory, kept } = linkedAt(plan, 'pg_tblspc/');
      const version = (await readdir(directory)).find((name) => name.startsWith('PG_'))!;
      const exchangeByHand = async () => {
        const aside = path.join(directory, 'aside');
        await rename(path.join(directory, version), aside);
        await rename(path.join(kept, version), path.join(directory, version));
        await rename(aside, path.join(kept, version));
      };
      await exchangeByHand();
      await assert.rejects(resumeSwap(dataDirectory, plan.run, guard), { code: 'DATABASE_IDENTITY' });
      assert.equal(await findPostmaster(dataDirectory), undefined);
      await assert.rejects(rollbackRestore(dataDirectory, plan.run, guard), { code: 'DATABASE_IDENTITY' });
      assert.equal(await findPostmaster(dataDirectory), undefined);
      await exchangeByHand();
      // By then the rollback has begun: it is finished.
      await rollbackRestore(dataDirectory, plan.run, guard);
      assert.deepEqual(await notesIn(source), after1);
      await abandon(dataDirectory, plan.run, guard);
    });

    test('a link that was put elsewhere meanwhile is found out too', async () => {
      const plan = await newRun();
      const stop = new Error('stopped here');
      const dying = {
        ...guard,
        onEntry: ({ step, state }: { step: string; state: string }) => {
          if (step === 'move new: PG_VERSION' && state === 'done') throw stop;
        },
      };
      await assert.rejects(swapIn(plan, dying), stop);
      const { link, text, kept } = linkedAt(plan, 'pg_wal');
      const name = path.join(dataDirectory, link);
      await run('ln', ['-sfn', kept, name]);
      await assert.rejects(resumeSwap(dataDirectory, plan.run, guard), { code: 'DATABASE_IDENTITY' });
      await run('ln', ['-sfn', text, name]);
      await resumeSwap(dataDirectory, plan.run, guard);
      assert.deepEqual(await notesIn(source), before1);
      await rollbackRestore(dataDirectory, plan.run, guard);
      await abandon(dataDirectory, plan.run, guard);
    });

    test('a tablespace made after the base backup is refused, one dropped since comes back', async () => {
      const { query, directory } = source.server;
      const later = path.join(directory, 'later');
      await mkdir(later);
      await run('chown', ['postgres:', later]);
      await query(`create tablespace later location '${later}'`);
      await assert.rejects(planRestore(request('restore-later')), {
        code: 'TARGET_UNFIT',
        message: /after the base backup/,
      });
      await query('drop tablespace later');
      const unknown = path.join(source.tablespaces.near, `PG_${options.major}_1`);
      await query('drop table close');
      await query('drop tablespace near');
      await mkdir(unknown);
      await assert.rejects(planRestore(request('restore-unknown')), { code: 'TARGET_UNFIT', message: /no tablespace/ });
      await rm(unknown, { recursive: true });
      const plan = await planRestore(request('restore-dropped'));
      await recover(plan);
      await swapIn(plan, guard);
      assert.deepEqual(await notesIn(source), before1);
      await rollbackRestore(dataDirectory, plan.run, guard);
      assert.deepEqual(await source.server.query('select count(*)::int as rows from far'), [{ rows: 2 }]);
      assert.deepEqual(await readdir(source.tablespaces.near), ['pgsql_tmp.holdfast']);
      await abandon(dataDirectory, plan.run, guard);
      assert.deepEqual(await left(), []);
    });

    test('confirmed, the old data is gone from every place, and no base backup ever took it along', async () => {
      const plan = await planRestore(request('restore-last'));
      await recover(plan);
      await swapIn(plan, guard);
      const kept = path.basename(holdfastDirectory(dataDirectory));
      const unknown = path.join(dataDirectory, '.unknown');
      await mkdir(unknown);
      await writeFile(path.join(unknown, 'file'), 'x');
      await run('chown', ['-R', 'postgres:', unknown]);
      const copy = path.join(source.holder.directory, 'copy');
      const spaces = Object.values(source.tablespaces).map(
        (place, index) => `--tablespace-mapping=${place}=${copy}-${index}`,
      );
      await run(source.server.bin('pg_basebackup'), ['-D', copy, '-X', 'none', '-c', 'fast', ...spaces], {
        env: source.server.environment,
      });
      assert.equal(await exists(path.join(copy, kept)), false);
      assert.equal(await exists(path.join(copy, '.unknown/file')), true);
      await rm(unknown, { recursive: true });
      await confirmRestore(dataDirectory, plan.run, guard);
      assert.deepEqual(await notesIn(source), before1);
      assert.deepEqual(await left(), []);
      assert.equal(await exists(path.join(source.tablespaces.apart, kept, plan.run)), false);
      await assert.rejects(rollbackRestore(dataDirectory, plan.run, guard), { code: 'JOURNAL_STATE' });
    });

    test('where its disk was replaced, the restore takes the empty mount point, once what is left elsewhere is out of the way', async () => {
      await source.server.stop();
      await source.replaceDisk();
      await assert.rejects(planRestore(request('restore-left')), { code: 'TARGET_UNFIT', message: /no tablespace/ });
      for (const place of Object.values(source.tablespaces)) {
        const version = (await readdir(place)).find((name) => name.startsWith('PG_'))!;
        await rename(path.join(place, version), path.join(place, 'moved-by-hand'));
      }
      const plan = await planRestore(request('restore-gone'));
      assert.equal(plan.production, undefined);
      await recover(plan);
      const result = await swapIn(plan, guard);
      assert.equal(result.keptAt, undefined);
      assert.deepEqual(await notesIn(source), before1);
      const undone = await rollbackRestore(dataDirectory, plan.run, guard);
      assert.equal(undone.started, false);
      assert.deepEqual(await readdir(dataDirectory), ['pgsql_tmp.holdfast']);
      await abandon(dataDirectory, plan.run, guard);
    });
  });
}
