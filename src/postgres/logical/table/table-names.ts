// Names of what is brought back: the schema of passage, what a table's own parts are called under another name, and the marks that prove whose they are.

import { createHash } from 'node:crypto';
import pg from 'pg';
import type { TableName } from '../../../domain/part.ts';

/** What a name may take in the catalogue (NAMEDATALEN of every build that is shipped). */
const MAX_NAME_BYTES = 63;
const DIGITS = 8;

export function quoted({ schema, table }: TableName): string {
  return `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)}`;
}

export function plainName({ schema, table }: TableName): string {
  return `${schema}.${table}`;
}

/** Schema that a run loads into before anybody sees it; by its name and its mark nobody else's is ever dropped. */
export function passingSchema(run: string): string {
  return `holdfast_${run.replaceAll('-', '_')}`;
}

/** Of the passing schemas of all runs of this one's kind: a part and a load of one component may be under way together. */
export function passingSchemasLike(run: string): string {
  return `^holdfast_${run.slice(0, run.lastIndexOf('-'))}_[0-9a-f]{${DIGITS}}$`;
}

/** Comment on a passing schema: a component has one run of each kind at a time, so what carries another run's was left by one that has ended. */
export function passingMark({ estate, component }: { readonly estate: string; readonly component: string }): string {
  return `made by holdfast for ${component} of ${estate}`;
}

/** Last line of the comment on a table that a run has brought back. */
export function tableMark(run: string): string {
  return `brought back by holdfast ${run}`;
}

/** Where the rows are kept that a run replaced. */
export function keptTable({ schema, table }: TableName, run: string): TableName {
  return { schema, table: fitting(`${table}_before_${run.slice(-DIGITS)}`, table) };
}

/** How a part of a table (a partition, an index, a sequence) is called where the table is called `as`. */
export function nameUnder(name: string, table: string, as: string): string {
  if (name === table) return as;
  const own = name.startsWith(`${table}_`) ? `${as}${name.slice(table.length)}` : `${as}_${name}`;
  return fitting(own, own);
}

/** Names that are cut keep apart by a hash of the whole. */
function fitting(name: string, whole: string): string {
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name;
  const end = `_${createHash('sha256').update(`${name}\n${whole}`).digest('hex').slice(0, DIGITS)}`;
  let cut = name;
  while (Buffer.byteLength(cut) + end.length > MAX_NAME_BYTES) cut = [...cut].slice(0, -1).join('');
  return `${cut}${end}`;
}
