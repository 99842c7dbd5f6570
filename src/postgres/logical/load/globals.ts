// Roles of a dump that a server lacks, and the statements that make them; never one that changes a role which is there.

import pg from 'pg';
import { type PlainConnection, withPlain } from '../../connection/index.ts';
import type { Source } from '../../types.ts';

const NAME = String.raw`"(?:[^"]|"")+"|[^\s";]+`;
const CREATE = new RegExp(`^CREATE ROLE (${NAME});$`);
const ALTER = new RegExp(`^ALTER ROLE (${NAME}) (?:WITH|SET) .*;$`);
const GRANT = new RegExp(`^GRANT (${NAME}) TO (${NAME})(?: WITH [^;]*?)?(?: GRANTED BY (?:${NAME}))?;$`);

/** As the dump's text names them, and plain. */
export function rolesOf(globals: string): readonly string[] {
  return globals.split('\n').flatMap((line) => plainName(CREATE.exec(line)?.[1]) ?? []);
}

/** Statements about these roles alone; who granted a membership is not carried over, because that role may be another here. */
export function statementsFor(globals: string, roles: ReadonlySet<string>): readonly string[] {
  const has = (name: string | undefined) => roles.has(plainName(name) ?? '');
  return globals.split('\n').flatMap((line) => {
    if (has(CREATE.exec(line)?.[1]) || has(ALTER.exec(line)?.[1])) return [line];
    const [, granted, member] = GRANT.exec(line) ?? [];
    return has(granted) || has(member) ? [line.replace(/ GRANTED BY (?:"(?:[^"]|"")+"|[^\s";]+);$/, ';')] : [];
  });
}

function plainName(text: string | undefined): string | undefined {
  return text?.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text;
}

export async function missingRoles(target: Source, names: readonly string[]): Promise<readonly string[]> {
  const sql = 'select name from unnest($1::text[]) name where not exists (select from pg_roles where rolname = name)';
  const rows = await withPlain(target, (plain) => plain.query<{ name: string }>('look for roles', sql, [names]));
  return rows.map(({ name }) => name);
}

/** In one transaction, each marked as made by the run. Those that are there by now are left as they are. */
export async function makeRoles(target: Source, run: string, globals: string, roles: readonly string[]): Promise<void> {
  const missing = new Set(await missingRoles(target, roles));
  await withPlain(target, async (plain) => {
    await plain.query('begin', 'begin');
    for (const statement of statementsFor(globals, missing)) await plain.query('make a role', statement);
    for (const role of missing) {
      const comment = `comment on role ${pg.escapeIdentifier(role)} is ${pg.escapeLiteral(markOf(run))}`;
      await plain.query('mark a role', comment);
    }
    await plain.query('commit', 'commit');
  });
}

/** Only those that carry the run's mark. */
export async function dropRoles(target: Source, run: string): Promise<void> {
  await withPlain(target, async (plain: PlainConnection) => {
    const sql = `select rolname as name from pg_roles where shobj_description(oid, 'pg_authid') = $1`;
    for (const { name } of await plain.query<{ name: string }>('look for roles', sql, [markOf(run)])) {
      await plain.query('drop a role', `drop role ${pg.escapeIdentifier(name)}`);
    }
  });
}

function markOf(run: string): string {
  return `made by holdfast ${run}`;
}
