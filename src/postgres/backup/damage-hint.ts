// The way out for a relation with damaged pages: what can be made anew is, what cannot comes from a snapshot.

import type { ComponentId } from '../../domain/component.ts';
import type { DamagedRelation } from '../../domain/component-report.ts';

/** The newest base backup that was clean. */
export interface CleanBackup {
  readonly component: ComponentId;
  readonly snapshot: string;
  /** ISO 8601: the first moment that it leads to. */
  readonly to: string;
}

export interface DamageCircumstances {
  /** Of the catalogue, or shared by all databases. */
  readonly isSystem: boolean;
  /** The relation itself, or what it is part of, as the catalogue names it. */
  readonly table: { readonly schema: string; readonly table: string };
  readonly clean?: CleanBackup;
}

export function damageHint(
  { kind, name, of = name, part, database }: Omit<DamagedRelation, 'hint' | 'path' | 'blocks'>,
  { isSystem, table, clean }: DamageCircumstances,
): string {
  if (kind === 'index' || kind === 'TOAST index') {
    // Without CONCURRENTLY writers wait; the catalogue's own cannot be made so.
    return `made anew by: REINDEX INDEX ${isSystem || kind === 'TOAST index' ? '' : 'CONCURRENTLY '}${name};`;
  }
  // The server takes a map's page that it cannot read for an empty one; reading every page of the table fills it again.
  if (part !== undefined) return `filled again by: VACUUM (DISABLE_PAGE_SKIPPING) ${of};`;
  if (kind === 'materialized view') return `made anew by: REFRESH MATERIALIZED VIEW ${name};`;
  if (kind === 'sequence')
    return `make another one and give it to the column (CREATE SEQUENCE … OWNED BY …; ALTER COLUMN … SET DEFAULT nextval(…)), begun behind the largest value in use; ${name} itself can no longer be read`;
  if (isSystem) {
    const way = clean === undefined ? ', from a standby or a dump' : `: ${restore(clean, [])}; ${gives(clean)}`;
    return `the catalogue itself: recover the whole database${way}`;
  }
  const lost = `the rows of ${of} on these pages are lost here: have the table back`;
  if (clean === undefined) return `${lost} from a dump or a standby; the vault has no clean base backup`;
  const names = [`--table ${word(`${table.schema}.${table.table}`)}`, `--as ${word(`${table.table}_whole`)}`];
  const where = database === undefined ? [] : [`--database ${word(database)}`];
  // The command takes what is in front of the first dot for the schema.
  const args = table.schema.includes('.') ? ['--beside DIR --start'] : [...where, ...names];
  return `${lost} beside this one: ${restore(clean, args)}; ${gives(clean)}`;
}

/** From the clean backup all log is replayed, which knows nothing of what the disk did to a page: the newest moment loses no row. */
function restore({ component }: CleanBackup, args: readonly string[]): string {
  return ['holdfast restore', component, '--to latest', ...args].join(' ');
}

function gives({ snapshot, to }: CleanBackup): string {
  return `latest is every row that the log has, on top of clean snapshot ${snapshot}; an earlier moment (from ${to} on) lacks all that was written after it`;
}

/** As a shell takes it for one word. */
function word(text: string): string {
  return /^[\w.:@/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
