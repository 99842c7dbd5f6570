// Facts read from real servers: what they say of each database, what they cost, and what is told when something cannot be read.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkColumns, parseFacts, takeFacts } from '../../src/postgres/facts/index.ts';
import type { DatabaseFacts, SnapshotFacts } from '../../src/postgres/facts/types.ts';
import { inDatabase, makeRichDatabase } from '../support/rich-database.ts';
import { startScratchPostgres } from '../support/scratch-postgres.ts';
import { COMPONENT } from '../support/vault.ts';

const { signal } = new AbortController();
const within = { maximum: [], withinMs: 60_000 };

const of = ({ databases }: SnapshotFacts, name: string) =>
  databases.find((each) => each.name === name) as DatabaseFacts;

for (const major of [15, 18]) {
  test(`PostgreSQL ${major}: facts tell definitions, rows and maxima of each database, and what the role may not read`, async (t) => {
    const server = await startScratchPostgres(t, { major });
    await makeRichDatabase(server, 'bank');
    await server.query("create role backup login replication password 'for-tests'");
    await server.query('create database closed with allow_connections false');
    await server.query('create database private');
    await server.query('revoke connect on database private from public');
    const all = { component: COMPONENT, url: server.url() } as const;
    const least = { component: COMPONENT, url: server.url('backup', 'for-tests') } as const;

    const maximum = ['bank.ledger.entries.at', 'bank.ledger.accounts.id', 'bank."Odd ""names""".missing.id'];
    const facts = await takeFacts(all, { ...within, maximum }, signal);
    assert.deepEqual(parseFacts(JSON.parse(JSON.stringify(facts))), facts);
    assert.equal(facts.missing?.length, 1);
    assert.match(
      facts.missing?.[0] ?? '',
      /^the maximum of "Odd ""names""".missing.id in database 'bank': .*does not exist/,
    );
    const bank = of(facts, 'bank');
    const rows = Object.fromEntries(bank.tables.map((table) => [table.name, table.rows]));
    assert.deepEqual([rows['ledger.accounts'], rows['ledger.documents'], rows['ledger.empty']], [500, 20, 0]);
    assert.equal(rows['ledger.entries_2025']! + rows['ledger.entries_2026']!, 10_000);
    assert.equal(rows['ledger.scratch'], undefined, 'an unlogged table is not in a recovery');
    assert.deepEqual(bank.tables.find(({ name }) => name === 'ledger.totals')?.materialized, true);
    assert.deepEqual(bank.maxima.map(({ value }) => value).slice(1), ['500']);
    assert.ok(
      Object.values(bank.schema).every(({ objects }) => objects > 0),
      JSON.stringify(bank.schema),
    );
    assert.deepEqual(of(facts, 'private').tables, []);

    // The same again is the same; each kind of change is told by its kind.
    const changes = {
      tables: 'alter table ledger.empty add column m int',
      constraints: 'alter table ledger.empty add check (n > 0)',
      indexes: 'create index on ledger.empty (n)',
      views:
        'create or replace view ledger.rich_owners as select owner, balance from ledger.accounts where balance > 200',
      functions: 'create function ledger.one() returns int language sql as $$ select 1 $$',
      sequences: 'alter sequence ledger.numbers increment 8',
      types: "alter type ledger.mood add value 'tired'",
      triggers: 'alter table ledger.accounts disable trigger touched',
      rules: 'create policy other on ledger.accounts for insert with check (true)',
      extensions: 'create extension pageinspect',
    };
    let before = bank.schema;
    for (const [kind, sql] of Object.entries(changes)) {
      await inDatabase(server, 'bank', sql);
      const { schema } = of(await takeFacts(all, within, signal), 'bank');
      const changed = Object.keys(schema).filter(
        (name) => JSON.stringify(schema[name as never]) !== JSON.stringify(before[name as never]),
      );
      assert.deepEqual(changed, [kind], sql);
      before = schema;
    }

    // A role that may read no table has the definitions all the same, and says what it lacks.
    const little = await takeFacts(least, within, signal);
    assert.deepEqual(of(little, 'bank').schema, before);
    assert.deepEqual(
      [of(little, 'bank').tables, of(little, 'bank').notCounted],
      [[], { 'may not be read': bank.tables.length }],
    );
    assert.deepEqual(little.missing, ["database 'private': our role may not connect"]);

    // With reading rights the rows that row security hides are not taken for all of them.
    await server.query('grant pg_read_all_data to backup');
    const held = await inDatabase(server, 'bank', 'select 1').then(() => takeFacts(least, within, signal));
    const counted = of(held, 'bank');
    assert.equal(
      counted.tables.find(({ name }) => name === 'ledger.accounts'),
      undefined,
    );
    assert.deepEqual(counted.notCounted, { 'could not be read': 1 });
    assert.equal(counted.tables.find(({ name }) => name === 'ledger.documents')?.rows, 20);

    // No time: nothing is counted, and nothing thrown.
    const late = await takeFacts(all, { maximum: ['bank.ledger.entries.at'], withinMs: 0 }, signal);
    assert.match(late.missing?.join('; ') ?? '', /no time was left/);

    const checks = await checkColumns(least, [
      ...maximum,
      'bank.ledger.accounts.owners',
      'bank.ledger.accounts.tags',
      'nowhere.a.b.c',
    ]);
    assert.deepEqual(
      checks.map(({ ok }) => ok),
      [true, true, false, false, false, false],
    );
    assert.match(
      checks.map(({ message }) => message).join('\n'),
      /there is no table .*\n.*no column 'owners'\n.*max.*\n.*nowhere/s,
    );
  });
}

test('of thousands of tables the largest are noted and the rest is counted by number, whatever locks the server has room for', async (t) => {
  const server = await startScratchPostgres(t, {
    major: 18,
    settings: { max_locks_per_transaction: 10, max_connections: 10, fsync: 'off' },
  });
  for (let from = 0; from < 1000; from += 25)
    await server.query(
      `do $$ begin for n in ${from}..${from + 24} loop execute format('create table t%s (id int primary key)', n); end loop; end $$`,
    );
  await server.query('insert into t7 select generate_series(1, 5000)');
  await server.query('analyze t7');
  const source = { component: COMPONENT, url: server.url() } as const;
  const facts = await takeFacts(source, within, signal);
  const database = of(facts, 'postgres');
  assert.equal(facts.missing, undefined);
  assert.deepEqual(
    [database.tables.length, database.tables[0]?.name, database.tables[0]?.rows],
    [400, 'public.t7', 5000],
  );
  assert.deepEqual(database.notCounted, { 'smaller than those that are counted': 600 });
  assert.equal(database.schema.tables?.objects, 1000);
  const bytes = JSON.stringify(facts).length;
  assert.ok(bytes < 40_000, `${bytes} bytes`);
});
