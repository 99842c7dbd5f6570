// A streaming replica built from the vault: it goes on where the vault's log ends, and is believed only when what is written on the primary arrives.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { exists } from '../../../src/postgres/recovery/durable-files.ts';
import {
  awaitTarget,
  checkRecovered,
  fetchBase,
  finishStandby,
  type PlanRequest,
  planRestore,
  prepareWork,
  proveRecovery,
  releaseStandby,
  reserveStandby,
  restorePaths,
  stopLeft,
} from '../../../src/postgres/recovery/index.ts';
import { inspectPrimary } from '../../../src/postgres/recovery/inspect-primary.ts';
import { findPostmaster } from '../../../src/postgres/recovery/postmaster.ts';
import { recoveredServer } from '../../../src/postgres/recovery/recovered-place.ts';
import { openSession } from '../../../src/postgres/recovery/recovered-session.ts';
import { stopServer } from '../../../src/postgres/recovery/recovery-server.ts';
import type { Resolution } from '../../../src/postgres/recovery/resolve.ts';
import type { RestorePlan, Source } from '../../../src/postgres/types.ts';
import { start } from '../../../src/process/index.ts';
import { configurationFor, databaseFor, guard, logger } from '../../support/recovery-run.ts';
import { component, type RecoverySource, startRecoverySource } from '../../support/recovery-source.ts';
import { giveToServer, serverUser } from '../../support/scratch-postgres.ts';
import { SuiteHooks } from '../../support/suite-hooks.ts';
import { waitFor } from '../../support/wait-for.ts';

const password = 'it: is a "secret" \\ one';

for (const major of [15, 18]) {
  describe(`a standby of PostgreSQL ${major} from the vault`, () => {
    const hooks = new SuiteHooks();
    let primary: RecoverySource;
    let source: Source;
    let directory: string;
    let plan: RestorePlan;

    const request = (changes: Partial<PlanRequest> = {}): PlanRequest => ({
      vault: primary.vault,
      configuration: configurationFor(primary),
      database: databaseFor(),
      target: { type: 'latest' },
      place: { mode: 'beside', dataDirectory: directory, start: true, standby: true },
      run: 'restore-00000001',
      url: source.url,
      ...changes,
    });
    const slots = () =>
      primary.server.query(
        "select slot_name::text as name, active::text from pg_replication_slots where slot_type = 'physical'",
      );
    const dropsSlot = () =>
      new RegExp(`pg_ctl -D ${directory} stop\`; .*pg_drop_replication_slot\\('${plan.execution.standbySlot}'\\)`);
    const onStandby = async (sql: string) => {
      const session = await openSession(recoveredServer(plan));
      return await session.query<Record<string, string>>(sql).finally(() => session.close());
    };

    before(async () => {
      primary = await startRecoverySource(hooks.context, { major });
      const { server } = primary;
      directory = path.join(server.directory, 'standby');
      const far = path.join(server.directory, 'far');
      await mkdir(far);
      await giveToServer(far);
      await server.query(`create tablespace far location '${far}'`);
      await server.query('create table apart (n int) tablespace far');
      await server.query(`create role follower login replication password '${password.replaceAll("'", "''")}'`);
      source = { component, url: server.url('follower', password) };
      await primary.capture();
      await server.query('insert into apart values (1)');
      await primary.commit();
      await primary.ship();
      await server.query('insert into apart values (2)');
      plan = await planRestore(request());
    });

    after(() => hooks.end());

    test('the plan says what the primary will keep for it, and has a digest of its own', async () => {
      assert.equal(plan.execution.standbySlot, 'standby_acme_main_00000001');
      assert.match(plan.warnings.join('\n'), /keeps all log that the standby has not received/);
      const clone = await planRestore(request({ place: { mode: 'beside', dataDirectory: directory, start: true } }));
      assert.notEqual(clone.digest, plan.digest);
      assert.equal(clone.execution.standbySlot, undefined);
    });

    test('an earlier moment, another cluster and another timeline are refused before anything is touched', async () => {
      const refused = { code: 'TARGET_UNFIT' };
      await assert.rejects(planRestore(request({ target: { type: 'immediate' } })), refused);
      const seen = (systemId: string, timeline: number) =>
        ({ details: { systemId }, resolved: { timeline } }) as Resolution;
      await assert.rejects(inspectPrimary(source, seen('1', 1)), { ...refused, message: /it is cluster/ });
      await assert.rejects(inspectPrimary(source, seen(primary.systemId, 7)), { ...refused, message: /on timeline 1/ });
      assert.deepEqual(await slots(), []);
      assert.equal(await exists(directory), false);
    });

    test('it streams what the vault does not have and every row that is written from then on, without a secret in sight', async () => {
      await prepareWork(plan, guard);
      await reserveStandby(plan, source);
      await reserveStandby(plan, source);
      await fetchBase(plan, primary.vault, guard);
      await awaitTarget(plan, primary.vault, { logger });
      await proveRecovery(plan);
      await checkRecovered(plan);
      const finished = await finishStandby(plan, source, guard);
      assert.equal(finished.dataDirectory, directory);
      assert.deepEqual(await onStandby('select n::text from apart order by n'), [{ n: '1' }, { n: '2' }]);
      await primary.server.query('insert into apart values (3)');
      await waitFor('the row that was written', async () => (await onStandby('select n from apart')).length === 3);
      assert.deepEqual(await slots(), [{ name: plan.execution.standbySlot, active: 'true' }]);
      const [where] = await onStandby(
        'select pg_is_in_recovery()::text as recovering, conninfo from pg_stat_wal_receiver',
      );
      assert.equal(where?.recovering, 'true');
      const { quarantine } = restorePaths(directory, plan.run);
      assert.ok(!(await readFile(path.join(quarantine, 'postgresql.conf'), 'utf8')).includes('secret'));
      assert.equal((await stat(path.join(quarantine, 'passfile'))).mode & 0o777, 0o600);
      for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
        const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
        assert.ok(!command.includes('it: is a'), command);
      }
      // Told when production is restored in place: it would break.
      const warned = await primary.server.query('select application_name::text as name from pg_stat_replication');
      assert.deepEqual(warned, [{ name: plan.execution.standbySlot }]);
    });

    test('what a primary removes its tablespace’s rows of never touches the primary’s own files', async () => {
      const [place] = await onStandby(
        "select pg_tablespace_location(oid) as place from pg_tablespace where spcname = 'far'",
      );
      assert.ok(place?.place?.startsWith(`${directory}/tablespaces/`));
    });

    test('stopped, it is gone from host and primary; asked again, nothing is left to do', async () => {
      await stopLeft(plan, true);
      await releaseStandby(plan, source);
      assert.deepEqual(await slots(), []);
      assert.equal(await findPostmaster(directory), undefined);
      assert.equal(await exists(path.join(restorePaths(directory, plan.run).quarantine, 'passfile')), false);
      await releaseStandby(plan, source);
    });

    test('a directory that somebody has started with settings of his own is not stopped', async () => {
      const own = path.join(directory, 'own.conf');
      const text = `port = 5433\nlisten_addresses = ''\nunix_socket_directories = '${directory}'\n`;
      await writeFile(own, text);
      await giveToServer(own);
      const hand = await start(primary.server.bin('postgres'), ['-D', directory, '-c', `config_file=${own}`], {
        ...{ ...serverUser, cwd: directory, logFile: path.join(primary.server.directory, 'hand.log') },
      });
      hooks.context.after(() => hand.stop({ signal: 'SIGQUIT' }).then(() => undefined));
      await waitFor('a server', async () => (await findPostmaster(directory))?.status === 'ready');
      await writeFile(path.join(directory, 'postgresql.auto.conf'), "work_mem = '5MB'\n");
      await assert.rejects(stopLeft(plan, true), {
        ...{ code: 'DATABASE_IDENTITY', hint: dropsSlot() },
        message: new RegExp(`process ${hand.pid}\\) runs with other settings than those that ${plan.run} left`),
      });
      assert.equal((await findPostmaster(directory))?.identity.pid, hand.pid);
      await hand.stop({ signal: 'SIGINT' });
      assert.deepEqual(await stopLeft(plan, true), { dataDirectory: directory, stopped: false });
      assert.equal(await readFile(path.join(directory, 'postgresql.auto.conf'), 'utf8'), "work_mem = '5MB'\n");
    });

    test('one that nothing reaches is not believed', async () => {
      directory = path.join(primary.server.directory, 'deaf');
      plan = await planRestore(request({ run: 'restore-00000002' }));
      await prepareWork(plan, guard);
      await reserveStandby(plan, source);
      await fetchBase(plan, primary.vault, guard);
      await awaitTarget(plan, primary.vault, { logger });
      await proveRecovery(plan);
      await releaseStandby(plan, source);
      await assert.rejects(finishStandby(plan, source, guard, { followWithinMs: 5000 }), { code: 'PROCESS_TIMEOUT' });
      await reserveStandby(plan, source);
      await finishStandby(plan, source, guard);
      assert.equal((await onStandby('select n from apart')).length, 3);
    });

    test('one that was promoted is not stopped: it is production now, and neither it, its settings nor its slot is touched', async () => {
      const settings = path.join(directory, 'postgresql.auto.conf');
      const before = await readFile(settings, 'utf8');
      await onStandby('select pg_promote()');
      const refused = { code: 'DATABASE_IDENTITY', message: /'\S+deaf' was promoted/, hint: dropsSlot() };
      await assert.rejects(stopLeft(plan, true), refused);
      assert.deepEqual(await onStandby('select pg_is_in_recovery()::text as it'), [{ it: 'false' }]);
      await stopServer({ binDirectory: plan.execution.binDirectory, dataDirectory: directory, ...serverUser });
      await assert.rejects(stopLeft(plan, true), refused, 'nor is it given other settings while it is down');
      assert.equal(await readFile(settings, 'utf8'), before);
      assert.deepEqual(await slots(), [{ name: plan.execution.standbySlot, active: 'false' }]);
    });
  });
}
