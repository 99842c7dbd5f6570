// What bringing back a part does to production beside its rows: its room, who receives its changes, its subscriptions, and a commit that nobody was told of.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../../../src/errors/index.ts';
import type { PlainConnection } from '../../../src/postgres/connection/index.ts';
import { inDatabase as sourceIn } from '../../../src/postgres/logical/client-environment.ts';
import { dropDatabase, passingName } from '../../../src/postgres/logical/load/index.ts';
import {
  type CarryRequest,
  comparing,
  extractDatabase,
  giveName,
  keptTable,
  loadDatabase,
  namedBefore,
  nameLoaded,
  onProduction,
  replacedBefore,
  replaceRows,
  requireRoom,
  sizeOfApart,
  undoDatabase,
  undoTable,
  untilKnown,
} from '../../../src/postgres/logical/table/index.ts';
import { journalState, recoveredSource } from '../../../src/postgres/recovery/index.ts';
import { findTools } from '../../../src/postgres/tools.ts';
import { start } from '../../../src/process/index.ts';
import { accounts, damagedEstate, type PartEstate } from '../../support/part-estate.ts';
import { dropUnused, inDatabase } from '../../support/rich-database.ts';
import { giveToServer, type ScratchPostgres } from '../../support/scratch-postgres.ts';
import { seeded } from '../../support/seeded.ts';
import { waitFor } from '../../support/wait-for.ts';

const kills = process.env.HOLDFAST_SWEEP === 'full' ? 40 : 4;
const seed = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000);
const steps = ['extract', 'load', 'place', 'tidy up'];

const codes = { schema: 'ledger', table: 'codes' };
const far = { schema: 'ledger', table: 'far' };
/** A table in a tablespace, another that new tables get by default, and a subscription whose slot is on this very server. */
async function makeOdd(server: ScratchPostgres): Promise<void> {
  for (const name of ['apart', 'other']) {
    const place = path.join(server.directory, name);
    await mkdir(place);
    await giveToServer(place);
    await server.query(`create tablespace ${name} location '${place}'`);
  }
  await server.query("select pg_create_logical_replication_slot('of_production', 'pgoutput')");
  await inDatabase(
    server,
    'bank',
    `create table ledger.far (id int primary key using index tablespace apart, note text) tablespace apart;
     insert into ledger.far select n, 'far ' || n from generate_series(1, 300) n;
     create subscription feed connection '${server.url()}' publication nothing
       with (connect = false, slot_name = 'of_production');
     comment on subscription feed is 'from elsewhere'`,
  );
  await server.query('alter database bank set default_tablespace = other');
}

async function replaceIn(estate: PartEstate, table: typeof codes) {
  const { carry, extracted } = await estate.bring(table, table.table, true);
  const controller = new AbortController();
  const { signal } = controller;
  const request = { run: carry.run, table, about: 'by those of then', extracted, signal };
  const where = { target: estate.target, expected: estate.expected, signal };
  const found = (plain: PlainConnection) => replacedBefore(plain, request);
  return { request, where, found, controller, carry };
}

const placeOf = ({ run, estate, component }: CarryRequest) => ({ run, estate, component });

const working = (estate: PartEstate) =>
  estate.query(
    "select pid from pg_stat_activity where application_name = 'holdfast' and datname = 'bank' and pid <> pg_backend_pid()",
  );

test('a part takes nothing of production that it does not say', async (t) => {
  const estate = await damagedEstate(t, 15, { settings: { wal_level: 'logical' }, before: makeOdd });
  const { server } = estate;
  await inDatabase(server, 'bank', "update ledger.far set note = 'lost'");

  await t.test(
    'it counts what it needs on each file system, refuses what does not fit, and says what it cannot see',
    async () => {
      const request = { database: 'bank', way: 'replace', table: far } as const;
      const { room, warnings, blockers } = await estate.look(request);
      const [here] = room?.places ?? [];
      assert.deepEqual([room?.places.length, here?.of], [1, ['tablespace pg_default', 'tablespace apart', 'log']]);
      assert.ok(
        Number(here?.availableBytes) > 0 && here?.directory?.startsWith(server.directory),
        JSON.stringify(here),
      );
      const [size] = await estate.query(
        "select pg_table_size('ledger.far')::int8::text as heap, pg_total_relation_size('ledger.far')::int8::text as total",
      );
      // In passing, kept, and once more behind the deleted rows; the log of the last two and of the deletes.
      assert.equal(
        here?.neededBytes,
        2 * Number(size?.heap) + Number(size?.total) + 2 * Number(size?.heap) + Number(size?.total),
      );
      assert.deepEqual([blockers, warnings.filter((words) => /not known/.test(words))], [undefined, []]);

      const recovery = { directory: server.directory, neededBytes: 2 ** 60 };
      const full = await estate.look({ ...request, recovery });
      assert.deepEqual(
        full.blockers?.map(({ code }) => code),
        ['NO_SPACE'],
      );
      assert.match(
        full.blockers?.[0]?.message ?? '',
        /^production needs 1024 PiB for tablespace pg_default, tablespace apart, log, the recovery, and .* are free in '/,
      );
      assert.equal(full.digest, (await estate.look(request)).digest, 'room changes by itself');
      const whole = await estate.look({ database: 'bank', way: 'into', into: 'more', recovery });
      assert.deepEqual(whole.blockers?.[0]?.code, 'NO_SPACE');
      assert.ok(Number(whole.databaseBytes) > 1_000_000);
      const places = ['tablespace apart', 'tablespace other', 'tablespace pg_default', 'log', 'the recovery'];
      assert.deepEqual(whole.room?.places[0]?.of, places, 'by where its relations are, which here is one file system');
      // How large it was then is known when it is recovered.
      const production = (plain: PlainConnection) =>
        requireRoom(plain, estate.expected.systemId, {
          run: 'part-0a0b0c0d',
          ...request,
          size: { heapBytes: 2 ** 60, totalBytes: 2 ** 60 },
        });
      await assert.rejects(onProduction(estate.target, estate.expected, production), { code: 'NO_SPACE' });
      const own = await recoveredSource(estate.plan, 'bank');
      const then = await comparing(own, (plain) => sizeOfApart(plain));
      assert.ok(then.totalBytes > 1_000_000, JSON.stringify(then));

      const dropped = { schema: 'ledger', table: 'dropped' };
      const gone = await estate.look({ database: 'bank', table: dropped, as: { ...dropped, table: 'again' } });
      assert.deepEqual([gone.room, gone.blockers], [undefined, undefined]);
      assert.match(gone.warnings.join(), /how much of its room production needs is known when it is recovered/);
      await estate.query('create publication of_ledger for tables in schema ledger');
      const told = async (as: string) =>
        (await estate.look({ database: 'bank', table: far, as: { schema: as, table: 'again' } })).warnings.join('\n');
      assert.match(
        await told('ledger'),
        /the table under its new name is filled without being published, but belongs to of_ledger/,
      );
      assert.doesNotMatch(await told('public'), /of_ledger/);
      await estate.query('drop publication of_ledger');
      await estate.query("create role blind login password 'secret'");
      const blind = await estate.look(request, 'blind');
      assert.match(
        blind.warnings.join('\n'),
        /production needs .* for tablespace apart: what is free there is not known here/,
      );
      const hints = blind.blockers?.map(({ hint }) => hint).join('\n') ?? '';
      assert.match(hints, /GRANT CREATE ON TABLESPACE apart TO blind;/);
      const copy = { database: 'bank', way: 'into', into: 'more' } as const;
      const shut = (await estate.look(copy, 'blind')).warnings.join('\n');
      assert.match(
        shut,
        /not open to the role \(GRANT CREATE ON TABLESPACE\): apart, other; all of it goes into pg_default$/m,
      );
      assert.doesNotMatch(shut, /for tablespace apart/);
      await estate.query('grant create on tablespace apart, other to blind');
      const open = (await estate.look(copy, 'blind')).warnings.join('\n');
      assert.match(open, /^production needs .* for tablespace apart: what is free there is not known here$/m);
      assert.match(open, /^production needs .* for tablespace pg_default: what is free there is not known here$/m);
    },
  );

  await t.test('what is kept stays in the tablespace of its table, whatever new tables get by default', async () => {
    const { run, kept } = await estate.replace(far);
    const { table } = keptTable(far, run);
    const sql = `select spcname::text as space from pg_class c join pg_tablespace t on t.oid = reltablespace where relname = '${table}'`;
    assert.deepEqual([kept, await estate.query(sql)], [300, [{ space: 'apart' }]]);
  });

  await t.test('an exchange that is cancelled ends in the server, too, and nothing is changed', async () => {
    const { request, where, found, controller } = await replaceIn(estate, codes);
    await estate.query(`create function ledger.long() returns trigger language plpgsql as 'begin perform pg_sleep(3600); return new; end';
        create trigger long before insert on ledger.codes for each row execute function ledger.long(); alter table ledger.codes enable always trigger long`);
    const running = assert.rejects(
      untilKnown(where, (plain) => replaceRows(plain, request), found),
      { code: 'CANCELLED' },
    );
    await waitFor(
      'the rows to be put in',
      async () => (await estate.query("select 1 from pg_stat_activity where wait_event = 'PgSleep'")).length > 0,
    );
    controller.abort();
    await running;
    await waitFor('its sessions to end', async () => (await working(estate)).length === 0);
    assert.deepEqual(await estate.query('select code from ledger.codes order by id'), [{ code: 7 }, { code: 8 }]);
    await estate.query(
      'drop trigger long on ledger.codes; drop function ledger.long(); alter table ledger.codes drop constraint codes_once',
    );
  });

  await t.test('one that is cancelled when it has committed is done, and an undo says so', async () => {
    const { request, where, found, controller, carry } = await replaceIn(estate, codes);
    const answerLost = async (plain: PlainConnection) => {
      await replaceRows(plain, request);
      controller.abort();
      return await plain.query('be told', 'select 1').then(() => assert.fail('the session goes on'));
    };
    const { kept } = await untilKnown(where, answerLost, found);
    assert.equal(kept, 2);
    assert.deepEqual(await estate.query('select code from ledger.codes order by id'), [{ code: 7 }, { code: 7 }]);
    const undo = () =>
      onProduction(estate.target, estate.expected, (plain) => undoTable(plain, { ...placeOf(carry), table: codes }));
    await assert.rejects(undo(), {
      code: 'JOURNAL_STATE',
      message: /were replaced already; those of before are kept in ledger\.codes_before_/,
    });
  });

  await t.test('the next attempt ends the session of the one before it, and finds what that one has done', async () => {
    const { carry, owner } = await estate.bring(far, 'far_then', false);
    const named = { run: carry.run, into: { schema: 'ledger', table: 'far_then' }, owner, about: 'of then' };
    const reached = Promise.withResolvers<void>();
    const passed = Promise.withResolvers<void>();
    let asked = 0;
    // The first question is that of a session which is alone, the second the one right before the commit.
    const check = async () => {
      asked += 1;
      if (asked < 2) return;
      reached.resolve();
      await passed.promise;
    };
    const first = assert.rejects(
      onProduction(estate.target, estate.expected, (plain) => giveName(plain, { ...named, check })),
      (error) => error instanceof HoldfastError,
    );
    await reached.promise;
    const name = () => onProduction(estate.target, estate.expected, (plain) => giveName(plain, named));
    assert.deepEqual(await name(), []);
    passed.resolve();
    await first;
    assert.deepEqual(await name(), [], 'by its mark, though the schema of passage is gone');
    assert.deepEqual(await onProduction(estate.target, estate.expected, (plain) => namedBefore(plain, named)), []);
    assert.deepEqual(await estate.passing(), []);
    const undo = () =>
      onProduction(estate.target, estate.expected, (plain) =>
        undoTable(plain, { ...placeOf(carry), table: far, as: named.into }),
      );
    await assert.rejects(undo(), { code: 'JOURNAL_STATE', message: /has its name 'ledger\.far_then' already/ });
    await estate.query('drop table ledger.far_then');
  });

  await t.test('a database comes without its subscription, whose slot nobody touches, and is never stuck', async () => {
    const tools = await findTools(15);
    const own = await recoveredSource(estate.plan, 'postgres');
    const target = sourceIn(estate.target, 'postgres');
    const carry = await estate.carry('');
    const plan = await estate.look({ database: 'bank', way: 'into', into: 'bank_then' });
    assert.match(plan.warnings.join('\n'), /^its subscriptions do not come with it, whose slots are in use: feed$/m);
    const database = await extractDatabase(own, target, tools, 'bank', carry);
    await loadDatabase(target, estate.expected, tools, database, carry);
    const { leftOut } = await nameLoaded(target, estate.expected, tools, database, { ...carry, into: 'bank_then' });
    assert.match(leftOut.join('\n'), /^SUBSCRIPTION - feed postgres, which would take from the same slot/);
    const spaceIn = async (name: string) =>
      await inDatabase(
        server,
        name,
        "select coalesce(spcname, 'own')::text as space from pg_class c left join pg_tablespace t on t.oid = reltablespace where relname = 'far'",
      );
    assert.deepEqual([database.spread?.own, database.spread?.apart.map(({ name }) => name)], ['pg_default', ['apart']]);
    assert.deepEqual(await spaceIn('bank_then'), [{ space: 'apart' }]);
    // As if the server had lost these tablespaces since.
    const elsewhere = { ...database, spread: { own: 'nowhere', apart: [{ name: 'gone', bytes: 1 }] } };
    await loadDatabase(target, estate.expected, tools, elsewhere, carry);
    assert.deepEqual(await spaceIn(passingName(carry.run)), [{ space: 'own' }]);
    await dropDatabase(target, passingName(carry.run));
    const subscribed = () =>
      server.query('select datname::text as name from pg_subscription join pg_database d on d.oid = subdbid');
    assert.deepEqual(await subscribed(), [{ name: 'bank' }]);
    const undo = () => undoDatabase(target, carry.run, 'bank_then');
    await assert.rejects(undo(), { code: 'JOURNAL_STATE', message: /has its name 'bank_then' already/ });

    const passing = passingName('part-00abcdef');
    await server.query(`create database ${passing}`);
    await inDatabase(
      server,
      passing,
      `create subscription feed connection '${server.url()}' publication nothing with (connect = false, slot_name = 'of_production')`,
    );
    await undoDatabase(target, 'part-00abcdef', 'bank_now');
    assert.deepEqual(await server.query(`select 1 from pg_database where datname = '${passing}'`), []);
    assert.deepEqual(await server.query('select slot_name::text as name from pg_replication_slots'), [
      { name: 'of_production' },
    ]);
    await waitFor('its sessions to end', () => dropUnused(server, 'bank_then'));
  });

  await t.test(
    'what was kept is put back by the statements of the documentation, row by row and all of it',
    async () => {
      const page = await readFile(path.resolve(import.meta.dirname, '../../../docs/restoration-procedures.md'), 'utf8');
      const section = page.slice(page.indexOf('### The rows that were kept'));
      const rows = 'select id, owner, mood, balance, number, tags from ledger.accounts order by id';
      const present = await estate.query(rows);
      const { run } = await estate.replace(accounts);
      const statements = [...section.slice(0, section.indexOf('\n## ')).matchAll(/```sql\n(.*?)```/gs)].map(
        ([, sql = '']) => sql.replaceAll('accounts_before_1a2b3c4d', keptTable(accounts, run).table),
      );
      const [list = '', differ = '', some = '', all = '', drop = ''] = statements;
      assert.equal(statements.length, 5);
      const [{ columns = '' } = {}] = await estate.query(list);
      const ofTable = (sql: string) => sql.replaceAll('id, owner, balance', columns);
      const lost = async () => (await estate.query(ofTable(differ))).length;
      const before = await lost();
      assert.ok(before > 400, String(before));
      await estate.query(ofTable(some));
      assert.ok((await lost()) < before && (await lost()) > 0, 'rows that are gone came back, others are as they were');
      await estate.query(ofTable(all));
      assert.equal(await lost(), 0);
      assert.deepEqual(await estate.query(rows), present);
      await estate.query(drop);
      assert.deepEqual(await estate.query("select 1 from pg_class where relname like 'accounts_before%'"), []);
    },
  );

  await t.test(
    `killed in each of its steps, ${kills} times in all, a replace is done once and leaves nothing`,
    async (t) => {
      t.diagnostic(`seed ${seed}`);
      const random = seeded(seed);
      const table = { schema: 'ledger', table: 'entries' };
      const sums = 'select count(*)::int as n, sum(hashtext(e::text))::text as sum from';
      const present = await estate.query(`${sums} ledger.entries e`);
      const then = await comparing(await recoveredSource(estate.plan, 'bank'), (plain) =>
        plain.query('look', `${sums} ledger.entries e`),
      );
      assert.notDeepEqual(present, then);
      const { signal: _, ...carry } = await estate.carry('entries');
      const postgres = await recoveredSource(estate.plan, 'postgres');
      await comparing(postgres, (plain) => plain.query('copy', 'create database bank_killed template bank'));
      const given = {
        plan: estate.plan,
        url: server.url(),
        database: 'bank',
        copy: 'bank_killed',
        expected: estate.expected,
      };
      // What Temporal would know: the steps that have told that they are done.
      let told: { from: string; extracted?: unknown } = { from: 'extract' };
      const program = path.resolve(import.meta.dirname, '..', '..', 'support', 'bring-part-and-die.ts');
      const bring = async (killIn?: string) => {
        const child = await start(process.execPath, [program, JSON.stringify({ ...given, carry, table, ...told })]);
        let killing: Promise<unknown> | undefined;
        for await (const line of createInterface(child.stdout ?? assert.fail())) {
          const { begin, done, gave } = JSON.parse(line);
          if (done !== undefined) told = { ...told, from: steps[steps.indexOf(done) + 1] ?? '' };
          if (done === 'extract') told = { ...told, extracted: gave };
          if (begin === killIn) killing ??= sleep(random() * 500).then(() => child.stop({ signal: 'SIGKILL' }));
        }
        await killing;
        const { exitCode, stderrTail } = await child.finished;
        assert.ok(exitCode === 0 || (exitCode === undefined && killing !== undefined), stderrTail);
      };
      const cut: string[] = [];
      for (let kill = 0; kill < kills && told.from !== ''; kill += 1) {
        const killIn = steps[Math.max(Math.floor((kill * steps.length) / kills), steps.indexOf(told.from))] ?? '';
        await bring(killIn);
        cut.push(`${killIn}: ${told.from || 'all done'} is next`);
      }
      t.diagnostic(cut.join(', '));
      if (told.from !== '') await bring();
      assert.deepEqual(await estate.query(`${sums} ledger.entries e`), then);
      const kept = await estate.query(
        "select relname::text as name from pg_class where relname like 'entries\\_before\\_%'",
      );
      assert.deepEqual(kept, [{ name: keptTable(table, carry.run).table }]);
      assert.deepEqual(await estate.query(`${sums} ledger.${kept[0]?.name} e`), present);
      assert.deepEqual(await estate.passing(), []);
      const place = `${estate.plan.place.dataDirectory}.holdfast`;
      assert.deepEqual(await readdir(path.join(place, 'runs')), []);
      const { phase } = (await journalState(estate.plan.place.dataDirectory, estate.plan.run)) ?? assert.fail();
      assert.equal(phase, 'abandoned');
    },
  );
});
