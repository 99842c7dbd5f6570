// What is recovered beside an awkward cluster: a table and a database of a moment brought back into it, and a standby; its subscription and its jobs go on undisturbed.

import assert from 'node:assert/strict';
import { readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { inDatabase as sourceIn } from '../../../src/postgres/logical/client-environment.ts';
import {
  comparing,
  extractDatabase,
  giveName,
  keptTable,
  loadDatabase,
  nameLoaded,
  onProduction,
} from '../../../src/postgres/logical/table/index.ts';
import {
  awaitTarget,
  checkRecovered,
  fetchBase,
  finishStandby,
  planRestore,
  prepareWork,
  promote,
  proveRecovery,
  recoveredSource,
  releaseStandby,
  reserveStandby,
  stopLeft,
} from '../../../src/postgres/recovery/index.ts';
import { restorePaths } from '../../../src/postgres/recovery/paths.ts';
import { recoveredServer } from '../../../src/postgres/recovery/recovered-place.ts';
import { openSession } from '../../../src/postgres/recovery/recovered-session.ts';
import { findTools } from '../../../src/postgres/tools.ts';
import type { RestorePlan } from '../../../src/postgres/types.ts';
import { type AwkwardCluster, startAwkwardCluster } from '../../support/awkward-cluster.ts';
import { type JobScheduler, startScheduler, workersOf } from '../../support/job-scheduler.ts';
import { PartEstate } from '../../support/part-estate.ts';
import { configurationFor, databaseFor, guard, logger, Restores } from '../../support/recovery-run.ts';
import { component } from '../../support/recovery-source.ts';
import { inDatabase } from '../../support/rich-database.ts';
import { SuiteHooks } from '../../support/suite-hooks.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { waitFor } from '../../support/wait-for.ts';

const major = 17;
const ledger = { schema: 'public', table: 'ledger' };
const far = { schema: 'public', table: 'far' };
const close = { schema: 'public', table: 'close' };

describe('beside a cluster on four file systems with a live subscription', () => {
  const hooks = new SuiteHooks();
  let source: AwkwardCluster;
  let estate: PartEstate;
  let plan: RestorePlan;
  let scheduler: JobScheduler;
  let publishing: string | undefined;

  const notesOf = async (table: string) =>
    (await source.server.query(`select note from ${table} order by id`)).map(({ note }) => note);
  const publisher = async () =>
    (
      await source.server.query("select active_pid::text as pid from pg_replication_slots where slot_name = 'mirror'")
    )[0]?.pid;
  /** Of `ledger`, as the subscription of the same cluster has received it. */
  const isMirrored = () =>
    waitFor('the subscription to follow', async () => {
      const [here, there] = [await notesOf('ledger'), await source.received()];
      return JSON.stringify(here) === JSON.stringify(there);
    });

  before(async () => {
    source = await startAwkwardCluster(hooks.context, { major, log: 'mount point' });
    const { server } = source;
    for (const table of ['ledger', 'far', 'close'])
      await server.query(`insert into ${table} (note) select 'note ' || n from generate_series(1, 500) n`);
    await isMirrored();
    await source.capture();
    const { lsn } = await source.commit();
    // Somebody forgot the WHERE.
    await server.query("update ledger set note = 'lost'; delete from ledger where id % 5 = 0");
    await server.query("update far set note = 'lost'; truncate close");
    await isMirrored();
    await source.ship();
    publishing = await publisher();
    scheduler = startScheduler(server);
    const restores = await Restores.of(hooks.context, source);
    plan = await restores.plan({ target: { type: 'lsn', lsn } });
    await restores.recover(plan);
    await promote(plan, guard);
    const expected = { systemId: source.systemId, timeline: 1, major };
    estate = new PartEstate(server, plan, expected, await temporaryDirectory(hooks.context), 'postgres');
  });

  after(async () => {
    await scheduler?.stop();
    await hooks.end();
  });

  test('what was recovered lies in a place of its own, tablespaces and log included', async () => {
    const { data } = restorePaths(plan.place.dataDirectory, plan.run);
    const own = await recoveredSource(plan, 'postgres');
    const places = await comparing(own, (plain) =>
      plain.query<{ place: string }>(
        'look',
        "select pg_tablespace_location(oid) as place from pg_tablespace where spcname !~ '^pg_' order by 1",
      ),
    );
    assert.equal(places.length, 2);
    for (const { place } of places) {
      assert.ok(place.startsWith(path.dirname(plan.place.dataDirectory)), place);
      assert.ok(!Object.values(source.tablespaces).includes(place), place);
    }
    await assert.rejects(readlink(path.join(data, 'pg_wal')), { code: 'EINVAL' }, 'its log is no link to production’s');
    assert.deepEqual(await workersOf(data), []);
  });

  test('the rows of a table that is published come back, and the subscription receives them', async () => {
    const then = await comparing(await recoveredSource(plan, 'postgres'), (plain) =>
      plain.query<{ note: string }>('look', 'select note from public.ledger order by id'),
    );
    const present = await notesOf('ledger');
    const look = await estate.look({ database: 'postgres', way: 'replace', table: ledger });
    assert.equal(look.blockers, undefined);
    assert.match(look.warnings.join('\n'), /published as deletes and inserts of all rows: all_notes, 1 logical slots/);
    const { run, kept, rows } = await estate.replace(ledger);
    assert.deepEqual([kept, rows], [present.length, then.length]);
    assert.deepEqual(
      await notesOf('ledger'),
      then.map(({ note }) => note),
    );
    await isMirrored();
    const { schema, table } = keptTable(ledger, run);
    assert.deepEqual(await notesOf(`${schema}.${table}`), present);
  });

  test('tables of tablespaces come back: in place there, under another name where new ones go', async () => {
    const spaces = async (...names: string[]) =>
      await source.server.query(
        `select relname::text as name, coalesce(spcname, 'the own') as space from pg_class c left join pg_tablespace t on t.oid = reltablespace
          where relname in ('${names.join("', '")}') order by 1`,
      );
    const before = await spaces('far', 'close', 'close_pkey');
    const { kept, rows } = await estate.replace(far);
    assert.deepEqual([kept, rows], [500, 500]);
    assert.deepEqual((await notesOf('far')).slice(0, 2), ['note 1', 'note 2']);
    const { carry, owner } = await estate.bring(close, 'close_then', false);
    const named = { run: carry.run, into: { ...close, table: 'close_then' }, owner, about: 'of then' };
    await onProduction(estate.target, estate.expected, (plain) => giveName(plain, named));
    assert.equal((await notesOf('close_then')).length, 500);
    assert.deepEqual(await notesOf('close'), []);
    assert.deepEqual(await spaces('far', 'close', 'close_pkey'), before);
    // Which tablespaces there were then says nothing of today's.
    assert.deepEqual(await spaces('close_then', 'close_then_pkey'), [
      { name: 'close_then', space: 'the own' },
      { name: 'close_then_pkey', space: 'the own' },
    ]);
  });

  test('a database with a subscription comes back without it, and the one that is there goes on', async () => {
    const own = await recoveredSource(plan, 'postgres');
    const tools = await findTools(major);
    const carry = await estate.carry('');
    const target = sourceIn(estate.target, 'postgres');
    const database = await extractDatabase(own, target, tools, 'mirror', carry);
    await loadDatabase(target, estate.expected, tools, database, carry);
    const into = { ...carry, into: 'mirror_then' };
    const { rows, leftOut } = await nameLoaded(target, estate.expected, tools, database, into);
    assert.ok(rows > 500, `${rows}`);
    assert.match(leftOut.join('\n'), /^SUBSCRIPTION - mirror /m);
    const subscriptions =
      'select subname::text as name, datname::text as of from pg_subscription s, pg_database d where d.oid = subdbid';
    assert.deepEqual(await source.server.query(subscriptions), [{ name: 'mirror', of: 'mirror' }]);
    const [row] = await inDatabase(
      source.server,
      'mirror_then',
      "select count(*)::int as n from ledger where note like 'note %'",
    );
    assert.deepEqual(row, { n: 500 });
  });

  test('a standby follows it with tablespaces of its own, and neither subscribes nor runs jobs', async () => {
    const { server } = source;
    const from = { component, url: server.url() };
    await source.ship();
    const dataDirectory = path.join(server.directory, 'standby');
    const standby = await planRestore({
      vault: source.vault,
      configuration: configurationFor(source),
      database: databaseFor(),
      target: { type: 'latest' },
      place: { mode: 'beside', dataDirectory, start: true, standby: true },
      run: 'restore-0000abcd',
      url: from.url,
    });
    const onStandby = async (sql: string) => {
      const session = await openSession(recoveredServer(standby));
      return await session.query<Record<string, string>>(sql).finally(() => session.close());
    };
    await prepareWork(standby, guard);
    await reserveStandby(standby, from);
    try {
      await fetchBase(standby, source.vault, guard);
      await awaitTarget(standby, source.vault, { logger });
      await proveRecovery(standby);
      await checkRecovered(standby);
      await finishStandby(standby, from, guard);
      await server.query("insert into far (note) values ('for the standby'); insert into close (note) values ('too')");
      await waitFor('the rows that were written', async () => {
        const [far] = await onStandby("select 1 from far where note = 'for the standby'");
        const [close] = await onStandby("select 1 from close where note = 'too'");
        return far !== undefined && close !== undefined;
      });
      const places = await onStandby(
        "select pg_tablespace_location(oid) as place from pg_tablespace where spcname !~ '^pg_'",
      );
      assert.deepEqual(
        places.map(({ place }) => place?.startsWith(`${dataDirectory}/tablespaces/`)),
        [true, true],
      );
      const workers = await workersOf(dataDirectory);
      assert.deepEqual(
        workers.map((title) => title.split(' ')[0]),
        ['walreceiver'],
      );
    } finally {
      await stopLeft(standby, true);
      await releaseStandby(standby, from);
    }
    assert.deepEqual(await server.query("select 1 from pg_replication_slots where slot_type = 'physical'"), []);
  });

  test('in all of it nobody but the cluster itself took from its publication or met its jobs', async () => {
    assert.ok(publishing);
    assert.equal(await publisher(), publishing);
    const log = await readFile(path.join(source.server.directory, 'server.log'), 'utf8');
    assert.doesNotMatch(log, /replication slot "mirror" is active/, 'somebody else asked for it');
    await source.server.query("insert into ledger (note) values ('by subscription')");
    await isMirrored();
    await waitFor('jobs to be run', () => scheduler.runs() > 3);
    assert.deepEqual([...scheduler.servers], [source.server.dataDirectory]);
  });
});
