// A recovered server reaches nobody, whatever its source was told to do, and a copy that somebody starts by hand archives nothing.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { abandon, checkRecovered, finishBeside, promote, stopLeft } from '../../../src/postgres/recovery/index.ts';
import { findPostmaster } from '../../../src/postgres/recovery/postmaster.ts';
import { isolation } from '../../../src/postgres/recovery/recovery-server.ts';
import { guard, Restores } from '../../support/recovery-run.ts';
import { startRecoverySource } from '../../support/recovery-source.ts';
import { giveToServer } from '../../support/scratch-postgres.ts';
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
        shared_preload_libraries: 'pg_stat_statements,pg_prewarm',
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
    await source.capture();
    await source.commit();
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
      const kinds = (await ask('select distinct backend_type as kind from pg_stat_activity')).map(({ kind }) => kind);
      for (const kind of [
        'archiver',
        'walreceiver',
        'logical replication launcher',
        'logical replication worker',
        'logical replication apply worker',
      ]) {
        assert.ok(!kinds.includes(kind), kind);
      }
      const [subscription] = await ask('select subenabled::text as enabled from pg_subscription');
      assert.equal(subscription?.enabled, 'true', 'it would run if it could');
      const pid = (await findPostmaster(plan.place.dataDirectory))!.identity.pid;
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
    const { dataDirectory } = plan.place;
    assert.deepEqual(await stopLeft(plan, false), { dataDirectory, stopped: true });
    assert.equal(await findPostmaster(dataDirectory), undefined);
    assert.deepEqual(await stopLeft(plan, true), { dataDirectory, stopped: false });
    await restores.stop(plan);
    const byHand = await readFile(path.join(plan.place.dataDirectory, 'postgresql.auto.conf'), 'utf8');
    assert.match(byHand, /primary_conninfo = 'host=127.0.0.1[\s\S]*archive_mode = 'off'[\s\S]*primary_conninfo = ''/);
    await assert.rejects(abandon(plan.place.dataDirectory, plan.run, guard), { code: 'JOURNAL_STATE' });
    await waitFor('production to archive its own', async () =>
      (await readdir(archive)).some((name) => name.startsWith('00000001')),
    );
  });
}
