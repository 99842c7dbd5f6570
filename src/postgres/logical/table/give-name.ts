// The last step of a table under another name: out of the schema of passage into its own, in one transaction, with its owner and the run's mark.

import pg from 'pg';
import type { TableName } from '../../../domain/part.ts';
import { fail, HoldfastError } from '../../../errors/index.ts';
import type { PlainConnection } from '../../connection/index.ts';
import { beOnlySession, inTransaction } from './sessions.ts';
import { lookAtTable } from './table-facts.ts';
import { passingSchema, plainName, quoted, tableMark } from './table-names.ts';

export interface NameRequest {
  readonly run: string;
  readonly into: TableName;
  /** Whose it was; where that role is not there or cannot be given to, it stays the loading role's. */
  readonly owner: string;
  /** In words, what it is. */
  readonly about: string;
  /** Asked right before it counts; throws for whoever lost the right to it. */
  readonly check?: (() => Promise<void>) | undefined;
}

const partsSql = `select format('alter table %s set schema ', c.oid::regclass) as move, c.oid::regclass::text as place, c.relname::text as name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relkind in ('r', 'p')
  union all select format('alter statistics %I.%I set schema ', n.nspname, stxname), null, stxname::text from pg_statistic_ext s
  join pg_namespace n on n.oid = s.stxnamespace where n.nspname = $1`;

/** Answers with what a person should know. Throws `TARGET_UNFIT` when a name is taken by now. Done again after it was done it changes nothing. */
export async function giveName(plain: PlainConnection, request: NameRequest): Promise<readonly string[]> {
  const { run, into, owner, about, check } = request;
  const before = await namedBefore(plain, request);
  if (before !== undefined) return before;
  const schema = passingSchema(run);
  const to = pg.escapeIdentifier(into.schema);
  const parts = await plain.query<{ move: string; place: string | null; name: string }>('list its parts', partsSql, [
    schema,
  ]);
  if (!parts.some(({ name }) => name === into.table)) fail('JOURNAL_STATE', `'${schema}' does not hold the table`);
  const own = (await lookAtTable(plain, { schema, table: into.table }))?.comment ?? undefined;
  try {
    await inTransaction(
      plain,
      async () => {
        for (const { move } of parts) await plain.query('move it to its schema', `${move}${to}`);
        for (const { place, name } of parts) {
          if (place === null) continue;
          const table = quoted({ schema: into.schema, table: name });
          await closeTo(plain, table);
          await giveTo(plain, table, owner);
        }
        await markTable(plain, into, [own, about, tableMark(run)].filter((line) => line !== undefined).join('\n'));
        await plain.query('drop the schema of passage', `drop schema ${pg.escapeIdentifier(schema)}`);
      },
      check,
    );
  } catch (error) {
    throw taken(error, into);
  }
  return await ownerWarnings(plain, request);
}

/** What `giveName` has answered, where an earlier attempt of the run has done it; from here on no other one is at it. */
export async function namedBefore(
  plain: PlainConnection,
  request: NameRequest,
): Promise<readonly string[] | undefined> {
  const { run, into, check } = request;
  await beOnlySession(plain, run, check);
  return (await isBroughtBack(plain, into, run)) ? await ownerWarnings(plain, request) : undefined;
}

async function ownerWarnings(plain: PlainConnection, { into, owner }: NameRequest): Promise<readonly string[]> {
  if ((await lookAtTable(plain, into))?.owner === owner) return [];
  return [
    `the role '${owner}', whose table it was, is not there or cannot be given to: it belongs to the role that loads`,
  ];
}

/** Default privileges of a schema must not open to others what its owner's grants did not. */
export async function closeTo(plain: PlainConnection, table: string): Promise<void> {
  const sql = `select distinct case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end as grantee
    from pg_class c, aclexplode(c.relacl) where c.oid = $1::regclass and grantee <> c.relowner`;
  for (const { grantee } of await plain.query<{ grantee: string }>('look at its rights', sql, [table])) {
    await plain.query('close it', `revoke all on ${table} from ${grantee}`);
  }
}

const NOT_GIVEN: readonly unknown[] = ['42501', '42704'];

/** It stays whose it is where the role is not there, or cannot be given to. Inside of a transaction. */
export async function giveTo(plain: PlainConnection, table: string, owner: string): Promise<void> {
  await plain.query('begin to give it', 'savepoint giving');
  try {
    await plain.query('give it to its owner', `alter table ${table} owner to ${pg.escapeIdentifier(owner)}`);
  } catch (error) {
    if (!(error instanceof HoldfastError) || !NOT_GIVEN.includes(error.details?.sqlstate)) throw error;
    await plain.query('keep it', 'rollback to savepoint giving');
  }
}

export async function markTable(plain: PlainConnection, table: TableName, comment: string): Promise<void> {
  await plain.query('mark the table', `comment on table ${quoted(table)} is ${pg.escapeLiteral(comment)}`);
}

/** Ours by the last line of its comment. */
export async function isBroughtBack(plain: PlainConnection, table: TableName, run: string): Promise<boolean> {
  const comment = (await lookAtTable(plain, table))?.comment ?? '';
  return comment === tableMark(run) || comment.endsWith(`\n${tableMark(run)}`);
}

const DUPLICATES: readonly unknown[] = ['42P07', '42710'];

function taken(error: unknown, into: TableName): unknown {
  if (!(error instanceof HoldfastError) || !DUPLICATES.includes(error.details?.sqlstate)) return error;
  return new HoldfastError(
    'TARGET_UNFIT',
    `'${plainName(into)}' or the name of a part of it was taken meanwhile: ${error.message}`,
    {
      hint: 'choose another name with `--as NAME`; nothing was changed',
      cause: error,
    },
  );
}
