// A cluster that was damaged after a moment, a copy recovered to that moment, and the steps that bring a part of it back.

import path from 'node:path';
import type { TestContext } from 'node:test';
import type pg from 'pg';
import type { TableName } from '../../src/domain/part.ts';
import { inDatabase as sourceIn } from '../../src/postgres/logical/client-environment.ts';
import {
  type CarryRequest,
  type ClusterSeen,
  comparing,
  extractApart,
  fitColumns,
  loadApart,
  lookAtPart,
  lookAtTable,
  onProduction,
  type PartRequest,
  replaceRows,
  setApart,
} from '../../src/postgres/logical/table/index.ts';
import { promote, recoveredSource } from '../../src/postgres/recovery/index.ts';
import { findTools } from '../../src/postgres/tools.ts';
import type { RestorePlan, Source } from '../../src/postgres/types.ts';
import { guard, Restores } from './recovery-run.ts';
import { component, startRecoverySource } from './recovery-source.ts';
import { inDatabase, makeRichDatabase } from './rich-database.ts';
import type { ScratchOptions, ScratchPostgres } from './scratch-postgres.ts';
import { temporaryDirectory } from './temporary.ts';

export const accounts = { schema: 'ledger', table: 'accounts' };
export const entries = { schema: 'ledger', table: 'entries' };
const { signal } = new AbortController();

/** One cluster, damaged after a moment, and a copy recovered to that moment. */
export class PartEstate {
  readonly server: ScratchPostgres;
  readonly plan: RestorePlan;
  readonly expected: ClusterSeen;
  /** Who loads. */
  role: readonly [] | readonly [string, string] = [];
  readonly #directory: string;
  readonly #database: string;
  #runs = 0;

  constructor(server: ScratchPostgres, plan: RestorePlan, expected: ClusterSeen, directory: string, database = 'bank') {
    this.server = server;
    this.plan = plan;
    this.expected = expected;
    this.#directory = directory;
    this.#database = database;
  }

  get target(): Source {
    return { component, url: this.server.url(...this.role), database: this.#database };
  }

  query<Row extends pg.QueryResultRow = Record<string, string>>(sql: string): Promise<Row[]> {
    return inDatabase<Row>(this.server, this.#database, sql);
  }

  async carry(as: string): Promise<CarryRequest> {
    this.#runs += 1;
    const run = `part-${this.#runs.toString(16).padStart(8, '0')}`;
    return { run, estate: 'acme', component, as, directory: path.join(this.#directory, run), jobs: 2, signal };
  }

  async look(request: Partial<PartRequest>, role?: string) {
    const target = role === undefined ? this.target : { ...this.target, url: this.server.url(role, 'secret') };
    return await lookAtPart(target, { run: 'part-0a0b0c0d', way: 'as', ...request }, this.expected.systemId);
  }

  /** Up to the schema of passage in production. */
  async bring(table: TableName, as: string, isReplace: boolean) {
    const taken = await this.take(table, as, isReplace);
    const tools = await findTools(this.server.major);
    await loadApart(this.target, this.expected, tools, taken.carry, taken.extracted);
    return taken;
  }

  /** Out of the recovered server. */
  async take(table: TableName, as: string, isReplace: boolean) {
    const carry = await this.carry(as);
    // What is set apart is gone from where it was: a database of its own for each.
    const postgres = await recoveredSource(this.plan, 'postgres');
    const copy = `copy_${carry.run.slice(-2)}`;
    await comparing(postgres, (plain) => plain.query('copy', `create database ${copy} template ${this.#database}`));
    const own = sourceIn(postgres, copy);
    const tools = await findTools(this.server.major);
    const then = await comparing(own, (plain) => setApart(plain, { run: carry.run, table, as, moment: 'then' }));
    const columns = isReplace
      ? await comparing(this.target, async (plain) => {
          const today = await lookAtTable(plain, table);
          return fitColumns(table, then.columns, today?.columns ?? []).columns;
        })
      : then.columns.map(({ name }) => name);
    const extracted = await extractApart(own, tools, carry, { columns, extent: isReplace ? 'only rows' : 'table' });
    return { carry, extracted, owner: then.owner };
  }

  async replace(table: TableName, brought?: Awaited<ReturnType<PartEstate['bring']>>, more: object = {}) {
    const { carry, extracted } = brought ?? (await this.bring(table, table.table, true));
    const request = { run: carry.run, table, about: 'by those of then', extracted, signal, ...more };
    const replaced = await onProduction(this.target, this.expected, (plain) => replaceRows(plain, request));
    return { ...replaced, run: carry.run, rows: extracted.rows };
  }

  async passing(): Promise<readonly string[]> {
    const rows = await this.query("select nspname::text as name from pg_namespace where nspname like 'holdfast%'");
    return rows.map(({ name = '' }) => name);
  }
}

export async function damagedEstate(
  t: TestContext,
  major: number,
  more: {
    readonly settings?: ScratchOptions['settings'];
    readonly before?: (server: ScratchPostgres) => Promise<void>;
  } = {},
): Promise<PartEstate> {
  const { settings, before } = more;
  const source = await startRecoverySource(t, { major, ...(settings && { settings }) });
  const { server } = source;
  await makeRichDatabase(server, 'bank');
  await inDatabase(
    server,
    'bank',
    `set session_replication_role = origin;
     create table ledger.lines (id serial primary key, account int not null references ledger.accounts on delete cascade, note text);
     insert into ledger.lines (account, note) select n, 'line ' || n from generate_series(1, 100) n;
     create table ledger.numbered (id int generated by default as identity primary key, note text);
     insert into ledger.numbered (note) select 'note ' || n from generate_series(1, 10) n;
     create table ledger.parent (n int primary key);
     create table ledger.child (more text) inherits (ledger.parent);
     insert into ledger.child values (1, 'one'), (2, 'two');
     create table ledger.codes (id int primary key, code int);
     insert into ledger.codes values (1, 7), (2, 7);
     create table ledger.filled (n int);`,
  );
  await before?.(server);
  await source.capture();
  await inDatabase(server, 'bank', "update ledger.accounts set owner = owner || '!' where id <= 3");
  const { lsn } = await source.commit();
  // Somebody forgot the WHERE.
  await inDatabase(
    server,
    'bank',
    `update ledger.accounts set balance = 0; delete from ledger.accounts where id > 450 and id not in (select account from ledger.entries);
     insert into ledger.accounts (owner) values ('new 1'), ('new 2');
     update ledger.entries set note = 'lost'; delete from ledger.numbered where id > 5; update ledger.child set more = 'lost';
     update ledger.codes set code = 8 where id = 2; alter table ledger.codes add constraint codes_once unique (code) deferrable;
     create function ledger.still() returns trigger language plpgsql as 'begin return new; end';
     create trigger codes_still before insert on ledger.codes for each row execute function ledger.still();
     insert into ledger.filled values (1)`,
  );
  await source.ship();
  const restores = await Restores.of(t, source);
  const plan = await restores.plan({ target: { type: 'lsn', lsn } });
  await restores.recover(plan);
  await promote(plan, guard);
  const expected = { systemId: source.systemId, timeline: 1, major };
  return new PartEstate(server, plan, expected, await temporaryDirectory(t));
}
