// Dumps loaded into real servers: what comes back is what was dumped, whole or in part, and a failure leaves nothing.

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { readToc } from '../../src/postgres/logical/archive-toc.ts';
import { compareRows } from '../../src/postgres/logical/load/compare-rows.ts';
import {
  fetchDump,
  type LoadContext,
  type LoadRequest,
  loadDump,
  makePlannedRoles,
  planLoad,
  requirePlan,
  undoLoad,
  undoRoles,
  type Wanted,
} from '../../src/postgres/logical/load/index.ts';
import { compareLoadedFacts } from '../../src/postgres/logical/load/loaded-facts.ts';
import type { LogicalDetails } from '../../src/postgres/logical/types.ts';
import { findTools } from '../../src/postgres/tools.ts';
import { asked, databases, dumped, load, sayingHuge } from '../support/loaded-dump.ts';
import { inDatabase, makeRichDatabase, plainDump } from '../support/rich-database.ts';
import { type ScratchPostgres, startScratchPostgres } from '../support/scratch-postgres.ts';
import { COMPONENT } from '../support/vault.ts';

for (const major of [15, 18]) {
  test(`a database of PostgreSQL ${major} with a bit of everything comes back identical`, async (t) => {
    const server = await startScratchPostgres(t, { major });
    await makeRichDatabase(server, 'bank');
    const { vault, contextOf } = await dumped(t, server);
    const context = contextOf(server);
    const roomy = asked({ into: 'again' });
    const planned = await planLoad(roomy, context);
    const [place] = planned.room?.places ?? [];
    assert.deepEqual([planned.room?.places.length, place?.of], [1, ['tablespace pg_default', 'log', 'the dump']]);
    assert.ok(Number(place?.neededBytes) > 10_000_000 && Number(place?.availableBytes) > 0, JSON.stringify(place));
    const crowded = { ...context, vault: sayingHuge(vault) };
    const tooLarge = await planLoad(roomy, crowded);
    assert.match(
      tooLarge.blockers?.[0]?.message ?? '',
      /^production needs [\d.]+ [PE]iB for tablespace pg_default, log, the dump, and /,
    );
    assert.equal(tooLarge.digest, planned.digest, 'room changes by itself');
    await assert.rejects(requirePlan(roomy, crowded, planned), { code: 'NO_SPACE' });
    const result = await load(asked({ into: 'again' }), context);
    assert.equal(await plainDump(server, 'again'), await plainDump(server, 'bank'));
    assert.ok(result.rows > 10_500 && result.tables >= 7, JSON.stringify(result));
    const [facts] = result.checks ?? [];
    assert.deepEqual([facts?.name, facts?.verdict, facts?.ok], ['facts bank', 'equal', true], facts?.value);
    // What is lost after the load, or was never loaded, contradicts.
    const [snapshot] = await vault.listSnapshots(COMPONENT);
    const target = { component: COMPONENT, url: server.url(), database: 'short' } as const;
    await server.query('create database short template again');
    const lacks = async (sql: string, message: RegExp) => {
      await inDatabase(server, 'short', sql);
      const { signal } = new AbortController();
      const details = snapshot?.engine as LogicalDetails;
      const comparing = compareLoadedFacts({ target, name: 'bank', details, major, signal });
      await assert.rejects(comparing, { code: 'RECOVERY_MISMATCH', message });
    };
    await lacks('delete from ledger.entries where id = 1', /ledger\.entries_2025: \d+ rows then, \d+ now/);
    await lacks('drop index ledger.notes', /definitions of indexes: \d+ then, \d+ now, not the same/);
    await server.query('drop database short');
    assert.deepEqual(await databases(server), ['again', 'bank', 'postgres']);
    const sql = `select datname::text as name, pg_get_userbyid(datdba)::text as owner, datcollate,
      (select setconfig::text from pg_db_role_setting where setdatabase = d.oid) as settings
      from pg_database d where datname in ('bank', 'again') order by 1`;
    const [again, bank] = await server.query(sql);
    assert.deepEqual({ ...again, name: '' }, { ...bank, name: '' });
    // The same load once more finds it there, and says so before anything is fetched.
    const plan = await planLoad(asked({ into: 'again' }), contextOf(server));
    assert.deepEqual(
      plan.blockers?.map(({ code, message }) => [code, message]),
      [['TARGET_UNFIT', "database 'again' is there already, and is not loaded over"]],
    );
  });
}

test('a dump of 15 is loaded into 18 with the programs of 18 and the roles that are missing there, and never the other way', async (t) => {
  const old = await startScratchPostgres(t, { major: 15 });
  const young = await startScratchPostgres(t, { major: 18 });
  await makeRichDatabase(old, 'bank');
  await inDatabase(
    old,
    'bank',
    `create subscription feed connection '${old.url()}' publication nothing with (connect = false, slot_name = 'of_old');
     comment on subscription feed is 'from elsewhere'`,
  );
  const { contextOf } = await dumped(t, old);
  const refused = await planLoad(asked(), contextOf(young));
  assert.match(
    refused.blockers?.[0]?.message ?? '',
    /^the server lacks roles of the dump: (auditor, clerk|clerk, auditor)$/,
  );
  const request = asked({ globals: true });
  const result = await load(request, contextOf(young));
  assert.ok(result.rows > 10_500);
  assert.match(
    result.warnings?.join('\n') ?? '',
    /^left out: SUBSCRIPTION - feed postgres, which would take from the same slot/m,
  );
  assert.deepEqual(await young.query('select subname from pg_subscription'), []);
  await inDatabase(
    old,
    'bank',
    'alter subscription feed disable; alter subscription feed set (slot_name = none); drop subscription feed',
  );
  // As 18 itself would dump what 15 has. How a view is worded differs between the two servers, so those are compared by what they give.
  const onOld = { ...young, environment: old.environment } as ScratchPostgres;
  const views = ['--exclude-table=ledger.rich_owners', '--exclude-table=ledger.totals'];
  assert.equal(await plainDump(young, 'bank', views), await plainDump(onOld, 'bank', views));
  const viewed =
    'select (select count(*) from ledger.rich_owners) as owners, (select sum(entries) from ledger.totals) as entries';
  assert.deepEqual(await inDatabase(young, 'bank', viewed), [{ owners: '400', entries: '10000' }]);
  assert.deepEqual(
    await young.query(`select rolconfig::text as config, pg_has_role('clerk', 'auditor', 'member') as member,
      (select rolpassword like 'SCRAM%' from pg_authid a where a.oid = r.oid) as password from pg_roles r where rolname = 'clerk'`),
    [{ config: '{work_mem=8MB}', member: true, password: true }],
  );

  const { contextOf: contextOfYoung } = await dumped(t, young);
  await assert.rejects(planLoad(asked(), contextOfYoung(old)), { code: 'TOOL_VERSION' });
});

test('one schema and one table are loaded into a new database, and into one that has none of them', async (t) => {
  const server = await startScratchPostgres(t, { major: 18 });
  await makeRichDatabase(server, 'bank');
  const { contextOf } = await dumped(t, server);
  const context = contextOf(server);
  const schema: Wanted = { type: 'schema', schema: 'ledger' };
  const table: Wanted = { type: 'table', schema: 'ledger', table: 'accounts' };

  await load(asked({ wanted: schema, into: 'ledgers' }), context);
  const ofSchema = ['--schema=ledger'];
  assert.equal(await plainDump(server, 'ledgers', ofSchema), await plainDump(server, 'bank', ofSchema));

  const result = await load(asked({ wanted: table, into: 'accounts' }), context);
  assert.deepEqual([result.tables, result.rows], [1, 500]);
  const ofTable = ['--table=ledger.accounts', '--no-publications'];
  assert.equal(await plainDump(server, 'accounts', ofTable), await plainDump(server, 'bank', ofTable));

  // The table was dropped by mistake; what refers to it went with it, and the rest of the database is as it was.
  await inDatabase(server, 'bank', 'drop table ledger.accounts cascade');
  const before = await plainDump(server, 'bank', ['--exclude-table=ledger.accounts*']);
  const back = await load(asked({ wanted: table }), context);
  assert.deepEqual([back.into, back.isNew, back.rows], ['bank', false, 500]);
  assert.equal(await plainDump(server, 'bank', ofTable), await plainDump(server, 'accounts', ofTable));
  assert.equal(await plainDump(server, 'bank', ['--exclude-table=ledger.accounts*']), before);
  const [refused] = (await planLoad(asked({ wanted: table }), context)).blockers ?? [];
  assert.equal(refused?.message, "'ledger.accounts' in database 'bank' is there already, and is not loaded over");
  assert.match(refused?.hint ?? '', /--into NAME/);
});

test('a table of a dump is loaded under another name beside the one that is there, and an undo takes what has no name', async (t) => {
  const server = await startScratchPostgres(t, { major: 18 });
  await makeRichDatabase(server, 'bank');
  const { contextOf } = await dumped(t, server);
  const context = contextOf(server);
  const table: Wanted = { type: 'table', schema: 'ledger', table: 'entries' };
  await inDatabase(server, 'bank', "update ledger.entries set note = 'lost'");
  const before = await plainDump(server, 'bank');
  const as = { schema: 'public', table: 'entries_then' };
  const request = asked({ wanted: table, as });
  const result = await load(request, context);
  assert.deepEqual([result.into, result.as, result.rows], ['bank', 'public.entries_then', 10_000]);
  const sql = `select count(*)::int as n, count(distinct tableoid)::int as parts, bool_or(note = 'lost') as lost from public.entries_then`;
  assert.deepEqual(await inDatabase(server, 'bank', sql), [{ n: 10_000, parts: 2, lost: false }]);
  // Done again it finds that it was done; what another attempt left has no name and goes.
  assert.deepEqual(await loadDump(request, context, await planLoadAgain(request, context)), result);
  const [refused] = (await planLoad(asked({ wanted: table, as }), context)).blockers ?? [];
  assert.equal(refused?.message, "'public.entries_then' is there already");
  await inDatabase(
    server,
    'bank',
    `drop table public.entries_then; create schema holdfast_load_00000000;
    comment on schema holdfast_load_00000000 is 'made by holdfast for database/main of acme'`,
  );
  await undoLoad(context, request.run, { estate: 'acme', component: COMPONENT, run: request.run, into: 'bank' });
  assert.equal(await plainDump(server, 'bank'), before);
  assert.deepEqual(await databases(server), ['bank', 'postgres']);
});

/** As the plan was before the name was given. */
async function planLoadAgain(request: LoadRequest, context: LoadContext) {
  const { blockers: _, ...plan } = await planLoad(request, context);
  return plan;
}

test('a partitioned table comes with its partitions, without the foreign key that points outside, and the plan says so', async (t) => {
  const server = await startScratchPostgres(t, { major: 15 });
  await makeRichDatabase(server, 'bank');
  const { contextOf } = await dumped(t, server);
  const request = asked({ wanted: { type: 'table', schema: 'ledger', table: 'entries' }, into: 'entries' });
  const plan = await planLoad(request, contextOf(server));
  assert.match(
    plan.leftOut.join('\n'),
    /^FK CONSTRAINT ledger entries \S+ \w+, which needs TABLE ledger accounts clerk/m,
  );
  assert.ok(
    plan.needs.some((need) => need.startsWith('SCHEMA - ledger')),
    plan.needs.join(),
  );
  const result = await load(request, contextOf(server));
  assert.equal(result.rows, 10_000);
  const [found] = await inDatabase(
    server,
    'entries',
    'select count(*) as n, count(distinct tableoid) as parts from ledger.entries',
  );
  assert.deepEqual(found, { n: '10000', parts: '2' });
  await assert.rejects(
    planLoad(asked({ wanted: { type: 'table', schema: 'ledger', table: 'nothing' } }), contextOf(server)),
    {
      code: 'NOT_FOUND',
      message: "the dump has no table 'ledger.nothing'",
    },
  );
});

test('a load that fails leaves no database and no role of its own, and a second attempt of the same run succeeds', async (t) => {
  const server = await startScratchPostgres(t, { major: 18 });
  await makeRichDatabase(server, 'bank');
  const { contextOf, spoolDirectory } = await dumped(t, server);
  await server.query('drop database bank');
  await server.query('drop role clerk');
  const request = asked({ globals: true });
  const context = contextOf(server);
  const plan = await planLoad(request, context);
  assert.deepEqual(plan.roles, ['clerk']);
  await fetchDump(request, context, plan);
  await makePlannedRoles(request, context, plan);
  // Somebody took the role away again: what it owns cannot be given to it.
  await server.query('alter role clerk rename to another');
  await assert.rejects(loadDump(request, context, plan), { code: 'PROCESS_FAILED' });
  assert.deepEqual(await databases(server), [`holdfast_${request.run.replace('-', '_')}`, 'postgres']);
  await server.query('alter role another rename to clerk');
  const result = await loadDump(request, context, plan);
  assert.equal(result.into, 'bank');
  assert.deepEqual(await databases(server), ['bank', 'postgres']);
  // The last step again: it was done.
  assert.deepEqual(await loadDump(request, context, plan), result);
  // An undo takes nothing that has its name.
  await undoLoad(context, request.run);
  assert.deepEqual(await databases(server), ['bank', 'postgres']);
  await server.query('drop database bank');
  await undoRoles(context, request.run);
  assert.deepEqual(await server.query("select 1 from pg_roles where rolname = 'clerk'"), []);
  assert.deepEqual(await server.query("select count(*)::int as n from pg_roles where rolname = 'auditor'"), [{ n: 1 }]);
  assert.deepEqual(await readdir(spoolDirectory), [request.run]);
});

test('a row too few and a table that is missing are noticed by what compares', async (t) => {
  const server = await startScratchPostgres(t, { major: 18 });
  await makeRichDatabase(server, 'bank');
  const { contextOf } = await dumped(t, server);
  const context = contextOf(server);
  const request = asked({ into: 'again' });
  await load(request, context);
  const place = path.join(context.spoolDirectory, request.run, 'databases');
  const directory = path.join(place, (await readdir(place)).find((name) => /^\d+$/.test(name)) ?? '');
  const entries = await readToc(await findTools(18), directory, context.signal);
  const target = { component: COMPONENT, url: server.url(), database: 'again' } as const;
  const compare = () => compareRows(target, directory, entries, context.signal);
  assert.ok((await compare()).rows > 10_500);
  await inDatabase(server, 'again', 'delete from ledger.entries where id = 77');
  await assert.rejects(compare(), {
    code: 'RECOVERY_MISMATCH',
    message: /^ledger\.entries_202\d has \d+ rows, the dump \d+$/,
  });
  await inDatabase(server, 'again', 'drop table ledger.entries cascade');
  await assert.rejects(compare(), { code: 'RECOVERY_MISMATCH', message: /is not there after it was loaded$/ });
});
