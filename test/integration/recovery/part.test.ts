// One table and one database of a moment, on real servers: taken out of a recovered copy, brought back under another name or in place of the rows that are there.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { inDatabase as sourceIn } from '../../../src/postgres/logical/client-environment.ts';
import {
  comparing,
  dropPassing,
  extractDatabase,
  fitColumns,
  giveName,
  keptTable,
  loadApart,
  loadDatabase,
  nameLoaded,
  onProduction,
  setApart,
} from '../../../src/postgres/logical/table/index.ts';
import { recoveredSource } from '../../../src/postgres/recovery/index.ts';
import { findTools } from '../../../src/postgres/tools.ts';
import { start } from '../../../src/process/index.ts';
import { accounts, damagedEstate, entries } from '../../support/part-estate.ts';
import { dropUnused, inDatabase, plainDump } from '../../support/rich-database.ts';
import { waitFor } from '../../support/wait-for.ts';

for (const major of [15, 18]) {
  test(`a table or a database of PostgreSQL ${major} comes back as it was at a moment`, async (t) => {
    const estate = await damagedEstate(t, major, { settings: { wal_level: 'logical' } });
    const { server } = estate;
    const own = await recoveredSource(estate.plan, 'bank');
    const ofThen = (sql: string) => comparing(own, (plain) => plain.query('look', sql));

    await t.test(
      'under another name, with partitions, indexes and sequences of its own, and nothing that acts by itself',
      async () => {
        const then = await ofThen('select count(*)::int as n, min(note) as note from ledger.entries');
        const before = await plainDump(server, 'bank');
        const { carry, owner } = await estate.bring(entries, 'entries_2025', false);
        const into = { schema: 'public', table: 'entries_2025' };
        const request = { run: carry.run, into, owner, about: 'ledger.entries as of then' };
        const name = () => onProduction(estate.target, estate.expected, (plain) => giveName(plain, request));
        assert.deepEqual(await name(), []);
        assert.deepEqual(
          await estate.query('select count(*)::int as n, min(note) as note from public.entries_2025'),
          then,
        );
        assert.deepEqual(await estate.passing(), []);
        const tables = await estate.query(
          "select relname::text as name, pg_get_userbyid(relowner)::text as owner, relacl::text as rights from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') order by 1",
        );
        assert.deepEqual(
          tables.map((table) => [table.name, table.owner, table.rights]),
          [
            ['entries_2025', 'postgres', null],
            ['entries_2025_2025', 'postgres', null],
            ['entries_2025_2026', 'postgres', null],
          ],
        );
        const hung = `select (select count(*) from pg_index where indrelid = 'public.entries_2025'::regclass)::int as indexes,
        (select count(*) from pg_constraint where conrelid = 'public.entries_2025'::regclass and contype = 'f')::int as keys,
        (select count(*) from pg_statistic_ext where stxrelid = 'public.entries_2025'::regclass)::int as statistics,
        pg_get_serial_sequence('public.entries_2025', 'id') as sequence, obj_description('public.entries_2025'::regclass) as comment`;
        assert.deepEqual(await estate.query(hung), [
          {
            ...{ indexes: 3, keys: 0, statistics: 1, sequence: 'public.entries_2025_id_seq' },
            comment: `ledger.entries as of then\nbrought back by holdfast ${carry.run}`,
          },
        ]);
        // Done again it finds that it was done, by the mark.
        assert.deepEqual(await name(), []);
        await estate.query('drop table public.entries_2025');
        assert.equal(await plainDump(server, 'bank'), before, 'all that was there is as it was');
      },
    );

    await t.test(
      'a name that is taken, a table that was not there, and one that is unlogged are refused with the way out',
      async () => {
        const plan = await estate.look({ database: 'bank', table: entries, as: accounts });
        assert.deepEqual(
          plan.blockers?.map(({ code, message }) => [code, message]),
          [['TARGET_UNFIT', "'ledger.accounts' is there already"]],
        );
        const mistyped = await estate.look({ database: 'bank', table: { ...accounts, table: 'acounts' }, as: entries });
        assert.match(
          mistyped.warnings.join('\n'),
          /^there is no table 'ledger\.acounts' today: whether there was one then is known when it is recovered; did you mean 'ledger\.accounts'\?$/m,
        );
        const apart = (name: string) =>
          comparing(own, (plain) =>
            setApart(plain, {
              run: 'part-ffffffff',
              table: { schema: 'ledger', table: name },
              as: 'x',
              moment: 'then',
            }),
          );
        await assert.rejects(apart('acounts'), {
          code: 'NOT_FOUND',
          message: "there was no table 'ledger.acounts' then",
          hint: "did you mean 'ledger.accounts'? or choose another moment",
        });
        await assert.rejects(apart('scratch'), {
          code: 'TARGET_UNFIT',
          message: /is unlogged: neither base backup nor log/,
        });
        await assert.rejects(apart('totals'), { code: 'TARGET_UNFIT', message: /is a materialized view, not a table/ });
        await assert.rejects(estate.look({ table: entries, as: { ...entries, table: 'x' } }), {
          code: 'USAGE',
          hint: 'databases: bank, postgres',
        });
        const gone = await estate.look({ database: 'bank', way: 'replace', table: { ...entries, table: 'entires' } });
        assert.match(gone.blockers?.[0]?.hint ?? '', /^did you mean 'ledger\.entries'\? `--as NAME`/);
      },
    );

    await t.test('the plan tells what hangs on it, and which statements a role with too few rights needs', async () => {
      const plan = await estate.look({ database: 'bank', way: 'replace', table: accounts });
      const { dependencies } = plan.today ?? {};
      assert.deepEqual(dependencies?.referencedBy, ['ledger.entries', 'ledger.lines']);
      assert.deepEqual(dependencies?.views, ['ledger.rich_owners']);
      assert.deepEqual(dependencies?.triggers, [{ name: 'touched', fires: false }]);
      assert.deepEqual([dependencies?.publications, dependencies?.rowSecurity], [['everything'], true]);
      assert.deepEqual([dependencies?.generated, dependencies?.identity], [['twice'], ['id']]);
      assert.match(plan.warnings.join('\n'), /triggers do not fire, because rows are brought back/);
      assert.match(
        plan.warnings.join('\n'),
        /published as deletes and inserts of all rows: everything, 0 logical slots/,
      );
      assert.equal(plan.blockers, undefined);
      assert.equal(plan.keptAs, 'ledger.accounts_before_0a0b0c0d');
      const asked = await estate.look({ run: 'plan-0a0b0c0d', database: 'bank', way: 'replace', table: accounts });
      assert.deepEqual([asked.keptAs, asked.digest], ['ledger.accounts_before_<run>', plan.digest]);
      await estate.query("create role loader login password 'secret'; grant connect on database bank to loader");
      const poor = await estate.look({ database: 'bank', way: 'replace', table: accounts }, 'loader');
      assert.deepEqual(
        poor.blockers?.map(({ code, hint }) => [code, hint]),
        [
          ['DATABASE_PRIVILEGE', 'run: GRANT "clerk" TO loader;'],
          ['DATABASE_PRIVILEGE', 'run: GRANT SET ON PARAMETER session_replication_role TO loader;'],
          ['DATABASE_PRIVILEGE', 'run: GRANT SELECT ON ledger.entries TO loader;'],
          ['DATABASE_PRIVILEGE', 'run: GRANT SELECT ON ledger.lines TO loader;'],
          ['DATABASE_PRIVILEGE', 'run: GRANT CREATE ON DATABASE bank TO loader;'],
          ['DATABASE_PRIVILEGE', 'run: GRANT CREATE, USAGE ON SCHEMA "ledger" TO loader;'],
        ],
      );
      for (const { hint } of poor.blockers ?? []) await estate.query(hint.replace('run: ', ''));
      const able = await estate.look({ database: 'bank', way: 'replace', table: accounts }, 'loader');
      assert.equal(able.blockers, undefined);
      const [mighty] = await estate.query(
        "select quote_ident(tableowner) as owner from pg_tables where tablename = 'numbered'",
      );
      const ofSuper = await estate.look(
        { database: 'bank', way: 'replace', table: { schema: 'ledger', table: 'numbered' } },
        'loader',
      );
      assert.match(
        ofSuper.blockers?.[0]?.hint ?? '',
        /^run: GRANT "(.+)" TO loader; that is a superuser, so afterwards run: REVOKE "\1" FROM loader;$/,
        String(mighty?.owner),
      );
    });

    await t.test('another cluster or timeline under the address is found before anything is written', async () => {
      const { expected } = estate;
      for (const other of [
        { ...expected, systemId: '7' },
        { ...expected, timeline: 2 },
      ]) {
        const write = onProduction(estate.target, other, (plain) =>
          plain.query('write', 'create schema holdfast_part_00000000'),
        );
        await assert.rejects(write, { code: 'DATABASE_IDENTITY' });
      }
      assert.deepEqual(await estate.passing(), []);
    });

    await t.test('a row that is altered on the way is noticed, and nothing is changed', async () => {
      // Somebody set it back: what comes back is ahead of it.
      await estate.query('alter sequence ledger.numbered_id_seq restart with 3');
      const before = await plainDump(server, 'bank');
      const brought = await estate.bring({ schema: 'ledger', table: 'numbered' }, 'numbered', true);
      const [schema] = await estate.passing();
      await estate.query(`update ${schema}.numbered set note = 'other' where id = 3`);
      const replace = () => estate.replace({ schema: 'ledger', table: 'numbered' }, brought);
      await assert.rejects(replace(), { code: 'RECOVERY_MISMATCH', message: /would have 10 rows with the sum/ });
      await estate.query(`update ${schema}.numbered set note = 'note 3' where id = 3`);
      await estate.query(`delete from ${schema}.numbered where id = 3`);
      await assert.rejects(replace(), { code: 'RECOVERY_MISMATCH', message: /would have 9 rows/ });
      assert.equal(await plainDump(server, 'bank', [`--exclude-schema=${schema}`]), before);
      // What is left is dropped by whoever comes next.
      await estate.query(`insert into ${schema}.numbered values (3, 'note 3')`);
      const { kept, rows, warnings } = await replace();
      assert.deepEqual([kept, rows], [5, 10]);
      assert.deepEqual(warnings, ['the sequence ledger.numbered_id_seq was moved forward to 10']);
      const [next] = await estate.query("insert into ledger.numbered (note) values ('new') returning id::int");
      assert.deepEqual(next, { id: 11 });
    });

    await t.test('a worker that is killed in the load leaves what the next attempt clears away', async () => {
      const client = new pg.Client({ connectionString: server.url('postgres', undefined, 'bank') });
      await client.connect();
      await client.query(`select pg_advisory_lock(7);
        create function public.wait() returns event_trigger language plpgsql as 'begin perform pg_advisory_lock(7); end';
        create event trigger waits on ddl_command_end when tag in ('CREATE TABLE') execute function public.wait()`);
      const { carry, extracted, owner } = await estate.take(entries, 'killed', false);
      const { signal: _, ...plain } = carry;
      const given = { url: server.url(), database: 'bank', expected: estate.expected, carry: plain, extracted };
      const program = path.resolve(import.meta.dirname, '..', '..', 'support', 'load-part-and-die.ts');
      const child = await start(process.execPath, [program, JSON.stringify(given)]);
      const waiting = "select 1 from pg_stat_activity where wait_event = 'advisory'";
      await waitFor('pg_restore to wait', async () => (await estate.query(waiting)).length > 0);
      await child.stop({ signal: 'SIGKILL' });
      assert.equal((await estate.passing()).length, 1);
      // Its session in the server has not noticed, and is not waited for.
      await onProduction(estate.target, estate.expected, (db) => dropPassing(db, carry));
      assert.deepEqual([await estate.passing(), await estate.query(waiting)], [[], []]);
      await client.query('drop event trigger waits; drop function public.wait()').finally(() => client.end());
      await loadApart(estate.target, estate.expected, await findTools(major), carry, extracted);
      const into = { schema: 'public', table: 'killed' };
      await onProduction(estate.target, estate.expected, (db) =>
        giveName(db, { run: carry.run, into, owner, about: 'of then' }),
      );
      assert.deepEqual(await estate.passing(), []);
      assert.deepEqual(await estate.query('select count(*)::int as n from public.killed'), [{ n: extracted.rows }]);
      await estate.query('drop table public.killed');
    });

    await t.test('rows whose foreign keys would not hold are refused, with the table that is in the way', async () => {
      await estate.query(
        "insert into ledger.lines (account, note) select max(id), 'of a new one' from ledger.accounts",
      );
      await assert.rejects(estate.replace(accounts), {
        code: 'TARGET_UNFIT',
        message: /1 rows of ledger\.lines would refer to rows of ledger\.accounts that are not there/,
      });
      await estate.query("delete from ledger.lines where note = 'of a new one'");
    });

    await t.test(
      'rows that a deferrable key of today does not take are refused, though its trigger keeps still',
      async () => {
        await assert.rejects(estate.replace({ schema: 'ledger', table: 'codes' }), {
          code: 'TARGET_UNFIT',
          message: /rows would be equal in the key 'codes_once'/,
        });
        assert.deepEqual(await estate.query('select code from ledger.codes order by id'), [{ code: 7 }, { code: 8 }]);
      },
    );

    await t.test('a moment at which the table held nothing does not empty it', async () => {
      await assert.rejects(estate.replace({ schema: 'ledger', table: 'filled' }), {
        code: 'TARGET_UNFIT',
        message: /held no row at that moment, and has 1 today: nothing was changed/,
        hint: /Choose an earlier one/,
      });
      for (const schema of await estate.passing()) await estate.query(`drop schema ${schema} cascade`);
    });

    await t.test('a lock that is not had in time is given up, so that nobody waits behind us for long', async () => {
      const client = new pg.Client({ connectionString: server.url('postgres', undefined, 'bank') });
      await client.connect();
      const brought = await estate.bring(accounts, 'accounts', true);
      try {
        await client.query('begin; select * from ledger.accounts for update');
        const told: string[] = [];
        const lock = { waitMs: 50, tries: 3, pauseMs: 10 };
        const attempt = estate.replace(accounts, brought, { lock, onWaiting: (words: string) => told.push(words) });
        await assert.rejects(attempt, { code: 'LOCKED', message: /could not be locked in 3 tries of 50 ms/ });
        assert.equal(told.length, 2);
      } finally {
        await client.end();
      }
      for (const schema of await estate.passing()) await estate.query(`drop schema ${schema} cascade`);
    });

    await t.test(
      'the rows come back in the same relation: views, keys, triggers, rights and publications stay, those of now are kept',
      async () => {
        // By a role with the rights that the plan asked for, and no others.
        estate.role = ['loader', 'secret'];
        const shape = async () =>
          await plainDump(server, 'bank', [
            '--schema-only',
            '--exclude-table=*.*_before_*',
            '--exclude-schema=holdfast*',
          ]);
        const [before, lines] = [await shape(), await estate.query('select count(*)::int as n from ledger.lines')];
        const sql = 'select id, owner, balance, twice, mood::text from ledger.accounts order by id';
        const [present, then] = [await estate.query(sql), await ofThen(sql)];
        const [sequence] = await estate.query('select last_value from ledger.accounts_id_seq');
        const { run, kept, rows } = await estate.replace(accounts);
        estate.role = [];
        assert.deepEqual(await estate.query(sql), then);
        assert.ok(rows > 400 && kept === present.length, `${rows} ${kept}`);
        assert.equal(await shape(), before);
        assert.deepEqual(await estate.query('select count(*)::int as n from ledger.lines'), lines, 'nothing cascades');
        const table = keptTable(accounts, run);
        assert.deepEqual(await estate.query(sql.replace('ledger.accounts', `${table.schema}.${table.table}`)), present);
        const [after] = await estate.query('select last_value from ledger.accounts_id_seq');
        assert.deepEqual(after, sequence, 'never set back');
        assert.deepEqual(await estate.query('select count(*)::int as n from ledger.rich_owners where balance > 0'), [
          { n: 400 },
        ]);
        assert.deepEqual(await estate.passing(), []);
      },
    );

    await t.test(
      'the rows of a partitioned table, of a table without its heirs, and a column that is new come back too',
      async () => {
        await estate.query("alter table ledger.entries add column fresh text not null default 'so'");
        await estate.replace(entries);
        const [found] = await estate.query(
          "select count(*)::int as n, count(*) filter (where note = 'lost')::int as lost, count(*) filter (where fresh = 'so')::int as fresh from ledger.entries",
        );
        assert.deepEqual(found, { n: 10_000, lost: 0, fresh: 10_000 });
        const { rows } = await estate.replace({ schema: 'ledger', table: 'parent' });
        assert.equal(rows, 0);
        assert.deepEqual(await estate.query('select n, more from ledger.child order by n'), [
          { n: 1, more: 'lost' },
          { n: 2, more: 'lost' },
        ]);
      },
    );

    await t.test('nobody who receives all tables is sent a row of a table that he does not have', async () => {
      const numbered = { schema: 'ledger', table: 'numbered' };
      await estate.query('create publication all_of_it for all tables');
      await estate.query("select pg_create_logical_replication_slot('watcher', 'pgoutput')");
      const plan = await estate.look({ database: 'bank', way: 'replace', table: numbered });
      const told = /filled without being published, but belongs to all_of_it as every table does/;
      assert.match(plan.warnings.join('\n'), told);
      const { run, kept } = await estate.replace(numbered);
      const { carry, owner, extracted } = await estate.bring(numbered, 'numbered_then', false);
      const named = { run: carry.run, into: { ...numbered, table: 'numbered_then' }, owner, about: 'of then' };
      await onProduction(estate.target, estate.expected, (plain) => giveName(plain, named));
      const aside = `ledger.${keptTable(numbered, run).table}`;
      const [found] =
        await estate.query(`select (select count(*)::int from ${aside}) as kept, (select count(*)::int from ledger.numbered_then) as rows,
        (select array_agg(relpersistence::text) from pg_class where oid in ('${aside}'::regclass, 'ledger.numbered_then'::regclass)) as persistence`);
      assert.deepEqual(found, { kept, rows: extracted.rows, persistence: ['p', 'p'] });
      const sql = `select encode(data, 'escape') as text from pg_logical_slot_peek_binary_changes('watcher', null, null,
        'proto_version', '1', 'publication_names', 'all_of_it')`;
      const sent = async () => (await estate.query(sql)).map(({ text = '' }) => text).join('\n');
      assert.match(await sent(), /R.*ledger\\000numbered\\000/s, 'what is replaced is published');
      assert.doesNotMatch(await sent(), /holdfast_part|_before_|numbered_then/);
      // The look itself can see such a thing.
      await estate.query('create table ledger.plain_before_ as select 1 as n');
      assert.match(await sent(), /plain_before_/);
      await estate.query("select pg_drop_replication_slot('watcher')");
      await estate.query('drop publication all_of_it; drop table ledger.plain_before_, ledger.numbered_then');
    });

    await t.test('a partition alone, and a table that publishes deletes and cannot name its rows', async () => {
      const partition = { schema: 'ledger', table: 'entries_2025' };
      const count = async (name: string) =>
        (
          await estate.query(
            `select count(*)::int as n, count(*) filter (where note = 'lost')::int as lost from ${name}`,
          )
        )[0];
      const { carry, owner, extracted } = await estate.bring(partition, 'alone', false);
      const named = { run: carry.run, into: { schema: 'ledger', table: 'alone' }, owner, about: 'of then' };
      await onProduction(estate.target, estate.expected, (plain) => giveName(plain, named));
      assert.deepEqual(await count('ledger.alone'), { n: extracted.rows, lost: 0 });
      await estate.query("drop table ledger.alone; update ledger.entries set note = 'lost'");
      const all = (await count('ledger.entries'))?.n;
      const { rows } = await estate.replace(partition);
      assert.deepEqual(await count('ledger.entries_2025'), { n: rows, lost: 0 });
      assert.deepEqual(await count('ledger.entries'), { n: all, lost: Number(all) - rows });

      await estate.query('create table ledger.bare (n int); create publication bare for table ledger.bare');
      const plan = await estate.look({ database: 'bank', way: 'replace', table: { schema: 'ledger', table: 'bare' } });
      assert.deepEqual(
        plan.blockers?.map(({ code, message }) => [code, message]),
        [['TARGET_UNFIT', "'ledger.bare' publishes deletes and has no replica identity"]],
      );
    });

    await t.test('a column that is gone or has another type is no match', () => {
      const column = (name: string, more: object = {}) => ({
        ...{ name, type: 'integer', isRequired: false, hasDefault: false, isGenerated: false, isIdentity: false },
        ...more,
      });
      const fit = (then: object[], today: object[]) => fitColumns(entries, then as never, today as never);
      assert.throws(() => fit([column('a'), column('b')], [column('a')]), /columns that it had then are gone today: b/);
      assert.throws(
        () => fit([column('a')], [column('a', { type: 'text' })]),
        /column a was integer then and is text today/,
      );
      assert.throws(() => fit([column('a')], [column('a'), column('b', { isRequired: true })]), /have no default: b/);
      const { columns, warnings } = fit(
        [column('a'), column('c')],
        [column('c', { isGenerated: true }), column('b'), column('a')],
      );
      assert.deepEqual([columns, warnings.length], [['a'], 2]);
    });

    await t.test('a whole database comes back under another name', async () => {
      const tools = await findTools(major);
      const carry = await estate.carry('');
      const into = `bank_${major}`;
      const target = sourceIn(estate.target, 'postgres');
      const database = await extractDatabase(sourceIn(own, 'postgres'), target, tools, 'bank', carry);
      const loaded = await loadDatabase(target, estate.expected, tools, database, carry);
      const named = await nameLoaded(target, estate.expected, tools, database, { ...carry, into });
      assert.deepEqual(named, loaded);
      assert.ok(named.rows > 100, JSON.stringify(named));
      const [row] = await inDatabase(server, into, 'select count(*)::int as n from ledger.documents');
      assert.deepEqual(row, { n: 20 });
      await waitFor('its sessions to end', () => dropUnused(server, into));
    });
  });
}
