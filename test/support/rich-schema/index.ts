// A database with everything that PostgreSQL can keep, and what two of them are compared by: every statement that would make them again.

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { run } from '../../../src/process/index.ts';
import { plainDump } from '../rich-database.ts';
import type { ScratchPostgres } from '../scratch-postgres.ts';

/** It must be quoted in every language on its way. */
export const richName = `Bank of "Röle" & 'Co' %s`;

const files = [
  ...['database', 'types', 'tables', 'partitions', 'keys-and-indexes'],
  ...['code', 'views-and-rules', 'search-foreign-published'],
];

/** The server must allow prepared transactions. */
export async function makeRichSchema(server: ScratchPostgres): Promise<void> {
  await runFile(server, 'roles', 'postgres');
  await server.query(`create database ${pg.escapeIdentifier(richName)} owner clerk`);
  const [has] = await server.query("select 1 from pg_collation where collname = 'de-x-icu'");
  const more = [
    ...(has === undefined ? [] : ['icu']),
    ...(server.major >= 17 ? ['since-17'] : []),
    ...(server.major >= 18 ? ['since-18'] : []),
  ];
  for (const name of [...files, ...more, 'rights']) await runFile(server, name);
}

/** Goes on with it; each `number` once. */
export async function writeChapter(server: ScratchPostgres, number: number): Promise<void> {
  await runFile(server, 'chapter', richName, number);
}

/** By `psql`, which runs one statement after the other; the first that fails ends it. */
async function runFile(server: ScratchPostgres, name: string, database = richName, number = 0): Promise<void> {
  const text = await readFile(path.join(import.meta.dirname, `${name}.sql`), 'utf8');
  const file = path.join(server.directory, `${name}.sql`);
  const filled = text.replaceAll(':name', pg.escapeIdentifier(richName)).replaceAll(':n', String(number));
  await writeFile(file, filled);
  const args = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', file];
  const env = { ...server.environment, PGDATABASE: database, PGOPTIONS: '-c client_min_messages=error' };
  await run(server.bin('psql'), args, { env });
}

/** Leaves a transaction that neither commits nor ends: rows, a table and a large object of its own, and a lock on a row. */
export async function prepareTransaction(server: ScratchPostgres, name: string, number: number): Promise<void> {
  const statements = [
    'begin',
    `insert into bank.plain (owner, balance) select ${pg.escapeLiteral(name)} || g, 1 from generate_series(1, 3) g`,
    `update bank.tree set place = -place where id = ${number}`,
    `select 1 from bank.parent where id = 1 for key share`,
    `create table bank."prepared ${number}" (n int primary key)`,
    `insert into bank."prepared ${number}" values (1)`,
    `select lo_from_bytea(${600 + number}, 'prepared')`,
    `prepare transaction ${pg.escapeLiteral(name)}`,
  ];
  const { PGHOST: host = '', PGPORT: port, PGUSER: user = '' } = server.environment;
  const client = new pg.Client({ host, port: Number(port), user, database: richName });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Statements that make the cluster's roles and the database, rights, settings and rows included. */
export interface Written {
  readonly globals: string;
  readonly database: string;
}

export async function writtenOf(server: ScratchPostgres, args: readonly string[] = []): Promise<Written> {
  const { stdout } = await run(server.bin('pg_dumpall'), ['--globals-only'], { env: server.environment });
  const globals = stdout.replaceAll(/^\\(un)?restrict .*$/gm, '').replaceAll(/^-- (Started|Completed) on .*$/gm, '');
  return { globals, database: await plainDump(server, richName, ['--create', ...args]) };
}

/** Sets a sequence: its name, the value, and whether that was given out. */
const setval = /^SELECT pg_catalog\.setval\('(.*)', (-?\d+), (true|false)\);$/;

/** The dump's lines without where its sequences are, and these by themselves. */
export function apartFromSequences(dump: string): { lines: string; values: Map<string, number> } {
  const values = new Map<string, number>();
  const lines = dump.split('\n').map((line) => {
    const [, name, value, isGiven] = setval.exec(line) ?? [];
    if (name === undefined) return line;
    values.set(name, Number(value));
    return `setval ${name} ${isGiven}`;
  });
  return { lines: lines.join('\n'), values };
}

/** What is left of two texts without the lines that they begin and end with alike, cut to what a person reads. */
export function differingLines(one: string, other: string): { readonly one: string[]; readonly other: string[] } {
  const [left, right] = [one.split('\n'), other.split('\n')];
  let first = 0;
  while (first < left.length && first < right.length && left[first] === right[first]) first += 1;
  let last = 0;
  const most = Math.min(left.length, right.length) - first;
  while (last < most && left.at(-1 - last) === right.at(-1 - last)) last += 1;
  const rest = (lines: string[]) => lines.slice(first, lines.length - last).slice(0, 30);
  return { one: rest(left), other: rest(right) };
}
