// A database with everything that PostgreSQL can keep comes back the same, from the files and the log, and from a dump.

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import { takeDump } from '../../src/postgres/logical/index.ts';
import {
  fetchDump,
  type LoadContext,
  type LoadRequest,
  loadDump,
  makePlannedRoles,
  planLoad,
} from '../../src/postgres/logical/load/index.ts';
import { checkRecovered, promote } from '../../src/postgres/recovery/index.ts';
import { recoveredServer } from '../../src/postgres/recovery/recovered-place.ts';
import type { PhysicalDetails, RestorePlan } from '../../src/postgres/types.ts';
import { guard, Restores } from '../support/recovery-run.ts';
import { component, type RecoverySource, startRecoverySource } from '../support/recovery-source.ts';
import { inDatabase } from '../support/rich-database.ts';
import {
  apartFromSequences,
  differingLines,
  makeRichSchema,
  prepareTransaction,
  richName,
  type Written,
  writeChapter,
  writtenOf,
} from '../support/rich-schema/index.ts';
import { type ScratchPostgres, startScratchPostgres } from '../support/scratch-postgres.ts';
import { SuiteHooks } from '../support/suite-hooks.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { snapshotId } from '../support/vault.ts';

const logger = pino({ level: process.env.HOLDFAST_TEST_LOG ?? 'silent' });
const same = { one: [], other: [] };
/** A crash, and so a recovery, empties unlogged tables and resets their sequences (PostgreSQL manual, "CREATE TABLE"). */
const withoutUnlogged = ['--no-unlogged-table-data'];
/** The hash of an enum's value is another in each database, and so is the partition that its rows are in; all of them are compared together. */
const withoutScattered = ['--exclude-table-data=bank.by_mood_*'];
const scatteredSql = 'select mood::text, n, t from bank.by_mood order by 1, 2, 3';
/** Values that the server logs ahead, which a crash may skip (PostgreSQL, SEQ_LOG_VALS). */
const loggedAhead = 32;

for (const major of [15, 18]) {
  describe(`a database of PostgreSQL ${major} with everything that it can keep`, () => {
    const hooks = new SuiteHooks();
    let source: RecoverySource;
    let server: ScratchPostgres;
    let restores: Restores;
    const prepared = ['prepared before the backup', `it's "prepared" in the log`];

    /** Goes on, tells what the database is then, and lets one object of it be changed behind the moment. */
    async function reach(moment: string, change: string): Promise<Written> {
      const written = await writtenOf(server, withoutUnlogged);
      await server.query(`select pg_create_restore_point('${moment}')`);
      await inDatabase(server, richName, change);
      const changed = await writtenOf(server, withoutUnlogged);
      assert.notEqual(changed.database, written.database);
      const { one, other } = differingLines(written.database, changed.database);
      assert.deepEqual([one.length, other.length], [1, 1], 'one changed object is one changed line');
      await source.ship();
      return written;
    }

    async function recover(name: string): Promise<{ plan: RestorePlan; copy: ScratchPostgres }> {
      const plan = await restores.plan({ target: { type: 'name', name }, deep: true });
      await restores.recover(plan);
      await promote(plan, guard);
      const checks = await checkRecovered(plan);
      assert.ok(checks.some((check) => check.name === `pg_amcheck ${richName}` && check.ok && !check.notDone));
      const { socketDirectory, port } = recoveredServer(plan);
      const environment = { ...server.environment, PGHOST: socketDirectory, PGPORT: String(port) };
      return { plan, copy: { ...server, environment } };
    }

    /** Line by line; of sequences those that were used may be ahead. */
    async function assertSame(copy: ScratchPostgres, expected: Written): Promise<void> {
      const found = await writtenOf(copy, withoutUnlogged);
      assert.deepEqual(differingLines(found.globals, expected.globals), same);
      const [ours, theirs] = [apartFromSequences(found.database), apartFromSequences(expected.database)];
      assert.deepEqual(differingLines(ours.lines, theirs.lines), same);
      assert.ok(ours.lines.length > 2_000_000, `${ours.lines.length} characters were compared`);
      const steps = await inDatabase(
        server,
        richName,
        `select format('%I.%I', schemaname, sequencename) as name, increment_by::text as step, max_value::text as most, cache_size::text as cache from pg_sequences`,
      );
      assert.deepEqual([...ours.values.keys()], [...theirs.values.keys()]);
      for (const { name = '', step, cache } of steps) {
        const [value, least] = [ours.values.get(name), theirs.values.get(name)];
        if (value === undefined || least === undefined) continue;
        const ahead = (value - least) / Number(step);
        assert.ok(ahead >= 0 && ahead <= loggedAhead + Number(cache), `${name} is at ${value}, was at ${least}`);
      }
      for (const name of ['bank.exhausted', 'bank.set_back', 'bank."owned by one"'])
        assert.equal(ours.values.get(name), theirs.values.get(name), name);
    }

    const preparedOf = async (of: ScratchPostgres) =>
      (await inDatabase(of, 'postgres', 'select gid from pg_prepared_xacts order by gid')).map(({ gid }) => gid);

    /** What a prepared transaction has written, once it is committed. */
    const writtenBy = (of: ScratchPostgres, name: string, number: number) =>
      inDatabase(
        of,
        richName,
        `select (select count(*) from bank.plain where starts_with(owner, '${name.replaceAll("'", "''")}'))::int as rows,
          (select place from bank.tree where id = ${number}) as place, to_regclass('bank."prepared ${number}"') is not null as made,
          (select count(*) from pg_largeobject_metadata where oid = ${600 + number})::int as objects`,
      );

    before(async () => {
      const summaries = major >= 17 ? { summarize_wal: 'on' } : {};
      const settings = { max_prepared_transactions: 7, wal_level: 'logical', ...summaries };
      source = await startRecoverySource(hooks.context, { major, settings });
      ({ server } = source);
      restores = await Restores.of(hooks.context, source);
      await makeRichSchema(server);
      await prepareTransaction(server, prepared[0]!, 1);
      await source.backUp();
      await writeChapter(server, 1);
      await prepareTransaction(server, prepared[1]!, 2);
    });

    after(() => hooks.end());

    test('is recovered to a moment with every object as it was, and its prepared transactions can be ended either way', async () => {
      const expected = await reach(
        'first moment',
        'alter index bank.indexed_expression alter column 1 set statistics 78',
      );
      const { plan, copy } = await recover('first moment');
      await assertSame(copy, expected);
      const unlogged = `select count(*)::int as n from bank.unlogged_rows union all select nextval('bank.unlogged_rows_id_seq')::int`;
      assert.deepEqual(await inDatabase(copy, richName, unlogged), [{ n: 0 }, { n: 1 }]);
      await inDatabase(copy, richName, "insert into bank.unlogged_rows (t) values ('a row of afterwards')");

      assert.deepEqual(await preparedOf(copy), await preparedOf(server));
      assert.deepEqual(await preparedOf(copy), [...prepared].sort());
      for (const [index, name] of prepared.entries()) {
        const text = name.replaceAll("'", "''");
        const number = index + 1;
        const nothing = [{ rows: 0, place: number, made: false, objects: 0 }];
        assert.deepEqual(await writtenBy(copy, name, number), nothing);
        await inDatabase(copy, richName, index === 0 ? `commit prepared '${text}'` : `rollback prepared '${text}'`);
        const after = index === 0 ? [{ rows: 3, place: -number, made: true, objects: 1 }] : nothing;
        assert.deepEqual(await writtenBy(copy, name, number), after, name);
      }
      await restores.stop(plan);
    });

    if (major >= 17) {
      test('is recovered as well over an incremental capture', async () => {
        await writeChapter(server, 2);
        const snapshot = await source.backUp(true);
        const details = snapshot.engine as PhysicalDetails;
        assert.deepEqual([details.capture, details.fullBecause], ['incremental', undefined]);
        await writeChapter(server, 3);
        const expected = await reach('second moment', "comment on type bank.mood is E'two\\nother lines'");
        const { plan, copy } = await recover('second moment');
        assert.equal(plan.base.snapshot, snapshot.id);
        await assertSame(copy, expected);
        assert.deepEqual(await preparedOf(copy), [...prepared].sort());
        for (const [index, name] of prepared.entries()) {
          await inDatabase(copy, richName, `commit prepared '${name.replaceAll("'", "''")}'`);
          const found = await writtenBy(copy, name, index + 1);
          assert.deepEqual(found, [{ rows: 3, place: -1 - index, made: true, objects: 1 }], name);
        }
        await restores.stop(plan);
      });
    }

    test('is loaded from a dump into another server, with its roles and rights, the same', async (t) => {
      const { signal } = new AbortController();
      const { vault } = source;
      const state = await temporaryDirectory(t);
      const into = await startScratchPostgres(t, { major, settings: { wal_level: 'logical' } });
      const expected = await writtenOf(server, withoutScattered);
      const taken = await takeDump({
        ...{ vault, logger, signal, jobs: 4, spoolDirectory: path.join(state, 'dump') },
        source: { component, url: server.url() },
        request: { snapshotId: snapshotId(99), component, host: 'db1' },
        choice: { include: [], exclude: [] },
      });
      assert.equal(taken.state, 'clean');
      const request: LoadRequest = {
        estate: 'acme',
        ...{ component, host: 'db1', run: 'load-00000001', snapshot: 'latest', database: richName },
        ...{ wanted: { type: 'database' }, globals: true },
      };
      const target = { component, url: into.url() } as const;
      const context: LoadContext = { ...{ vault, signal, jobs: 4, target }, spoolDirectory: path.join(state, 'load') };
      const plan = await planLoad(request, context);
      assert.equal(plan.blockers, undefined, JSON.stringify(plan.blockers));
      await fetchDump(request, context, plan);
      await makePlannedRoles(request, context, plan);
      await loadDump(request, context, plan);
      const found = await writtenOf(into, withoutScattered);
      const scattered = await inDatabase(into, richName, scatteredSql);
      assert.ok(scattered.length > 100);
      assert.deepEqual(scattered, await inDatabase(server, richName, scatteredSql));
      // The run's mark, by which its own attempts know what they made, is a comment.
      const mark = /^--\n-- Name: .*; Type: COMMENT; .*\n--\n\nCOMMENT ON DATABASE .*\n\n\n/gm;
      const unmarked = (text: string) => text.replaceAll(mark, '');
      // A subscription is never loaded: it names the slot of the one that was dumped.
      const subscription =
        /^-- Name: [^\n]*; Type: SUBSCRIPTION;[^\n]*\n--\n\nCREATE SUBSCRIPTION [^\n]*;\n\n\nALTER SUBSCRIPTION [^\n]*;\n\n--\n/gm;
      assert.match(expected.database, subscription);
      assert.doesNotMatch(found.database, /CREATE SUBSCRIPTION/);
      const wanted = unmarked(expected.database).replaceAll(subscription, '');
      assert.deepEqual(differingLines(unmarked(found.database), wanted), same);
      // The role that made each server is its own, and privileges on settings are not carried over.
      const other = /^(--.*|COMMENT ON ROLE .*|ALTER ROLE postgres .*|GRANT SET ON PARAMETER .*)?\n/gm;
      const ofRoles = (text: string) => text.replaceAll(other, '');
      assert.match(ofRoles(expected.globals), /^GRANT auditor TO clerk WITH ADMIN OPTION/m);
      assert.deepEqual(differingLines(ofRoles(found.globals), ofRoles(expected.globals)), same);
    });
  });
}
