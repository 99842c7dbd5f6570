// A recovered server reaches nobody and runs nothing by itself, whatever its source was told to do; nor does a copy that somebody starts by hand.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { abandon, checkRecovered, finishBeside, promote, stopLeft } from '../../../src/postgres/recovery/index.ts';
import { findPostmaster } from '../../../src/postgres/recovery/postmaster.ts';
import { isolation } from '../../../src/postgres/recovery/recovery-server.ts';
import { run } from '../../../src/process/index.ts';
import { makeJobs, startScheduler, workersOf } from '../../support/job-scheduler.ts';
import { guard, Restores } from '../../support/recovery-run.ts';
import { startRecoverySource } from '../../support/recovery-source.ts';
import { giveToServer, type ScratchPostgres, serverUser } from '../../support/scratch-postgres.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { waitFor } from '../../support/wait-for.ts';

for (const major of [15, 17, 18]) {
  test(`PostgreSQL ${major}: nothing that the source was told to do happens in the recovered server`, async (t) => {
    const archive = path.join(await temporaryDirectory(t), 'archive');
    await mkdir(archive);
    await giveToServer(archive);
    const source = await startRecoverySource(t, {
      major,
      settings: {
        wal_level: 'logical',
        archive_mode: 'on',
        archive_command: `cp %p ${archive}/%f`,
        synchronous_standby_names: 'nobody',
        synchronous_commit: 'local',
        // A real background worker that a library starts, and the settings of a scheduler that would be one.
        shared_preload_libraries: 'pg_stat_statements,pg_prewarm',
        'cron.database_name': 'postgres',
        max_connections: 150,
      },
    });
    const restores = await Restores.of(t, source);
    const { server } = source;
    await server.query("alter system set primary_conninfo = 'host=127.0.0.1 port=1'");
    await server.query("alter system set archive_timeout = '1s'");
    await server.query('create publication everything for all tables');
    await server.query("select pg_create_logical_replication_slot('subscribed', 'pgoutput')");
    await server.query(
      `create subscription mine connection 'host=${server.directory} port=${server.port} user=postgres dbname=postgres' publication everything with (create_slot = false, slot_name = 'subscribed', enabled = false, copy_data = false)`,
    );
    await makeJobs(server);
    if (major >= 17) await server.query(loginTrigger);
    await source.capture();
    await source.commit();
    const scheduler = startScheduler(server);
    t.after(() => scheduler.stop());
    await waitFor('a job to be run', () => scheduler.runs() > 2);
    await server.query('alter subscription mine enable');
    const last = await source.commit();
    await server.query('alter subscription mine disable');
    await source.ship();
    const plan = await restores.plan({
      target: { type: 'xid', xid: last.xid },
      place: { mode: 'beside', dataDirectory: path.join(path.dirname(archive), 'new'), start: true },
    });
    assert.deepEqual(plan.execution.preloadLibraries, ['pg_stat_statements']);
    assert.ok(plan.warnings.some((warning) => warning.includes("'pg_prewarm'")));
    const { dataDirectory } = plan.place;
    await restores.recover(plan);
    await promote(plan, guard);
    await checkRecovered(plan);
    const { connection } = await finishBeside(plan, guard);
    const client = new pg.Client({ connectionString: connection! });
    await client.connect();
    const ask = async (sql: string) => (await client.query(sql)).rows as Record<string, string>[];
    try {
      const archivedBefore = (await readdir(archive)).filter((name) => name.startsWith('00000002'));
      assert.deepEqual(archivedBefore, []);
      await ask('insert into ledger (note) values (1)');
      await ask('select pg_switch_wal()');
      const settings = Object.fromEntries(
        (await ask('select name, setting from pg_settings')).map(({ name, setting }) => [name, setting]),
      );
      assert.equal(settings.archive_mode, 'off');
      assert.equal(settings.listen_addresses, '');
      assert.equal(settings.primary_conninfo, '');
      assert.equal(settings.synchronous_standby_names, '');
      assert.equal(settings.max_logical_replication_workers, '0');
      assert.equal(settings.archive_timeout, '0');
      assert.equal(settings.shared_preload_libraries, 'pg_stat_statements');
      assert.equal(settings.max_connections, '150');
      assert.equal(settings['cron.database_name'], undefined);
      assert.deepEqual(await workersOf(dataDirectory), []);
      const [jobs] = await ask('select runs from jobs');
      const runsBefore = scheduler.runs();
      await waitFor('more jobs to be run', () => scheduler.runs() > runsBefore + 2);
      assert.deepEqual(await ask('select runs from jobs'), [jobs], 'no job ran in the copy');
      assert.deepEqual([...scheduler.servers], [server.dataDirectory]);
      const [subscription] = await ask('select subenabled::text as enabled from pg_subscription');
      assert.equal(subscription?.enabled, 'true', 'it would run if it could');
      const pid = (await findPostmaster(dataDirectory))!.identity.pid;
      const sockets = `${await readFile(`/proc/${pid}/net/tcp`, 'utf8')}${await readFile(`/proc/${pid}/net/tcp6`, 'utf8')}`;
      if ((await isolation()) === 'network namespace') {
        assert.notEqual(await readlink(`/proc/${pid}/ns/net`), await readlink('/proc/self/ns/net'));
        assert.doesNotMatch(sockets, /: \S+:\S+ \S+:\S+ 0A/, 'something listens');
      }
      assert.deepEqual(
        (await readdir(archive)).filter((name) => name.startsWith('00000002')),
        [],
      );
    } finally {
      await client.end();
    }
    // As when the run was ended after the start and before its journal says that it is finished.
    assert.deepEqual(await stopLeft(plan, false), { dataDirectory, stopped: true });
    assert.equal(await findPostmaster(dataDirectory), undefined);
    assert.deepEqual(await stopLeft(plan, true), { dataDirectory, stopped: false });
    await restores.stop(plan);
    const byHand = await readFile(path.join(dataDirectory, 'postgresql.auto.conf'), 'utf8');
    assert.match(byHand, /primary_conninfo = 'host=127.0.0.1[\s\S]*archive_mode = 'off'[\s\S]*primary_conninfo = ''/);
    assert.match(byHand, /^shared_preload_libraries = 'pg_stat_statements'$/m);
    await assert.rejects(abandon(dataDirectory, plan.run, guard), { code: 'JOURNAL_STATE' });
    await waitFor('production to archive its own', async () =>
      (await readdir(archive)).some((name) => name.startsWith('00000001')),
    );

    const uses = async () => {
      const log = await readFile(path.join(server.directory, 'server.log'), 'utf8');
      return log.split('starting logical decoding for slot "subscribed"').length;
    };
    const usesBefore = await uses();
    await using copy = await startByHand(server, dataDirectory);
    assert.deepEqual(await workersOf(dataDirectory), []);
    await copy.stop();
    assert.equal(await uses(), usesBefore);
    // The same without what was switched off: all of it would have happened.
    await using _loose = await startByHand(server, dataDirectory, [
      '-c max_logical_replication_workers=4',
      '-c shared_preload_libraries=pg_prewarm',
    ]);
    await waitFor('the publisher’s slot to be used', async () => (await uses()) > usesBefore);
    for (const worker of ['autoprewarm leader', 'logical replication launcher'])
      await waitFor(worker, async () => (await workersOf(dataDirectory)).includes(worker));
    assert.ok((await workersOf(server.dataDirectory)).includes('autoprewarm leader'));
  });
}

/** Writes, which nobody can in a server that recovers: it would let nobody in. */
const loginTrigger = `create table logins (who text);
  create function note_login() returns event_trigger language plpgsql as $$ begin insert into logins values (session_user); end $$;
  create event trigger noting on login execute function note_login();
  alter event trigger noting enable always`;

/** As somebody would who knows nothing of restores: by the directory's own settings, at a place of its own. */
async function startByHand(server: ScratchPostgres, dataDirectory: string, more: readonly string[] = []) {
  const user = { ...serverUser, cwd: '/' };
  const own = ['-c port=5432', `-c unix_socket_directories=${dataDirectory}`, "-c listen_addresses=''", ...more];
  const logFile = path.join(dataDirectory, 'by-hand.log');
  const args = ['-D', dataDirectory, '-l', logFile, '-w', '-t', '120', '-o', own.join(' '), 'start'];
  await run(server.bin('pg_ctl'), args, { ...user, deadlineMs: 150_000 });
  let isUp = true;
  const stop = async () => {
    if (isUp) await run(server.bin('pg_ctl'), ['-D', dataDirectory, '-m', 'fast', '-w', 'stop'], user);
    isUp = false;
  };
  return { stop, [Symbol.asyncDispose]: stop };
}
