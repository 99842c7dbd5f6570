// A database with a bit of everything that a dump must carry, and what two of them are compared by.

import pg from 'pg';
import { run } from '../../src/process/index.ts';
import type { ScratchPostgres } from './scratch-postgres.ts';

const roles = `create role clerk login password 'of-the-ledger';
create role auditor;
grant auditor to clerk;
alter role clerk set work_mem = '8MB'`;

const schema = `
create schema ledger authorization clerk;
create schema "Odd ""names""";
create extension pg_trgm;
create extension hstore schema ledger;
create collation ledger.exact (provider = libc, locale = 'C');
create type ledger.mood as enum ('calm', 'busy');
create domain ledger.amount as numeric(12, 2) check (value >= 0);
create sequence ledger.numbers start 100 increment 7;
create table ledger.accounts (
  id int generated always as identity primary key,
  owner text collate ledger.exact not null,
  mood ledger.mood default 'calm',
  balance ledger.amount not null default 0,
  number bigint default nextval('ledger.numbers'),
  tags ledger.hstore,
  twice numeric generated always as (balance * 2) stored,
  unique (owner));
create table ledger.entries (id bigserial, account int references ledger.accounts deferrable, at timestamptz not null, note text,
  primary key (id, at)) partition by range (at);
create table ledger.entries_2025 partition of ledger.entries for values from ('2025-01-01') to ('2026-01-01');
create table ledger.entries_2026 partition of ledger.entries for values from ('2026-01-01') to ('2027-01-01');
create index on ledger.entries (account);
create index notes on ledger.entries using gin (note gin_trgm_ops);
create unlogged table ledger.scratch (n int);
create table ledger.documents (id int primary key, body text, raw bytea);
alter table ledger.documents alter column body set storage external;
create table "Odd ""names"""."we = ird" ("a b" int, "tab\tnew
line" text);
create table ledger.empty (n int);
create view ledger.rich_owners as select owner, balance from ledger.accounts where balance > 100;
create materialized view ledger.totals as select account, count(*) as entries from ledger.entries group by account;
create unique index on ledger.totals (account);
create function ledger.touch() returns trigger language plpgsql as $$ begin new.mood = 'busy'; return new; end $$;
create trigger touched before update on ledger.accounts for each row execute function ledger.touch();
create rule no_delete as on delete to ledger.documents do instead nothing;
alter table ledger.accounts enable row level security;
create policy own on ledger.accounts using (owner = current_user);
create publication everything for table ledger.accounts;
create statistics ledger.together (dependencies) on account, at from ledger.entries;
comment on table ledger.accounts is 'who has what; "quoted" and ''quoted''';
grant select on ledger.accounts to auditor;
alter default privileges in schema ledger grant select on tables to auditor;
alter table ledger.accounts owner to clerk`;

const rows = `
insert into ledger.accounts (owner, balance, tags) select 'owner ' || n, n, 'a=>1' from generate_series(1, 500) n;
insert into ledger.entries (account, at, note)
  select 1 + n % 500, '2025-06-01'::timestamptz + n * interval '1 hour', E'note\\\\ \\t' || n || E'\\n' || md5(n::text)
  from generate_series(1, 10000) n;
insert into ledger.scratch select generate_series(1, 10);
insert into ledger.documents
  select n, (select string_agg(md5(n || ' ' || g), '') from generate_series(1, 3000) g), decode(repeat(md5(n::text), 500), 'hex')
  from generate_series(1, 20) n;
insert into "Odd ""names"""."we = ird" values (1, E'\\\\.'), (2, null), (3, '');
refresh materialized view ledger.totals;
select lo_from_bytea(0, decode(repeat(md5(n::text), 200), 'hex')) from generate_series(1, 5) n;
select lo_from_bytea(0, '')`;

/** Makes database `name` (and, once in a server, its roles), with an awkward name if that is what is given. */
export async function makeRichDatabase(server: ScratchPostgres, name: string, options: { roles?: boolean } = {}) {
  if (options.roles !== false) await server.query(roles);
  const quoted = pg.escapeIdentifier(name);
  await server.query(`create database ${quoted} owner clerk`);
  await server.query(`alter database ${quoted} set search_path = ledger, "Odd ""names""", public`);
  await server.query(`alter database ${quoted} set statement_timeout = '1h'`);
  await inDatabase(server, name, `${schema};${rows}`);
}

export async function inDatabase<Row extends pg.QueryResultRow = Record<string, string>>(
  server: ScratchPostgres,
  database: string,
  sql: string,
): Promise<Row[]> {
  const { PGHOST: host, PGPORT: port, PGUSER: user } = server.environment;
  const client = new pg.Client({ host: host ?? '', port: Number(port), user: user ?? '', database });
  await client.connect();
  try {
    const result = (await client.query(sql)) as pg.QueryResult<Row> | pg.QueryResult<Row>[];
    return [result].flat().at(-1)?.rows ?? [];
  } finally {
    await client.end();
  }
}

const OBJECT_IN_USE = '55006';

/** False while somebody is still in it: a session ends a moment after its client has left. */
export async function dropUnused(server: ScratchPostgres, database: string): Promise<boolean> {
  return await server.query(`drop database ${database}`).then(
    () => true,
    (error: pg.DatabaseError) => {
      if (error.code !== OBJECT_IN_USE) throw error;
      return false;
    },
  );
}

/** A plain dump as text, less what is new with every dump; with a database of another name as if it had this one. */
export async function plainDump(
  server: ScratchPostgres,
  database: string,
  args: readonly string[] = [],
): Promise<string> {
  const env = { ...server.environment, PGDATABASE: database };
  const { stdout } = await run(server.bin('pg_dump'), [...args], { env, maxStdoutBytes: 256 * 1024 ** 2 });
  return stdout.replaceAll(/^\\(un)?restrict .*$/gm, '').replaceAll(/^-- Dumped (from|by) .*$/gm, '');
}
