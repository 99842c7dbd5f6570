// Whose the damaged pages of a base backup are: files resolved to relations by the running server, in the database of each.

import type { DamagedRelation } from '../../domain/component-report.ts';
import { toHoldfastError } from '../../errors/index.ts';
import { openPlain, type PlainConnection, withPlain } from '../connection/index.ts';
import type { Source } from '../types.ts';
import { type CleanBackup, damageHint } from './damage-hint.ts';
import type { DamagedPage } from './verify-pages.ts';

/** What a manifest lists: relations, and ranges of blocks of each. The rest is counted, and `damagedPages` names the first ten thousand pages. */
const MOST_RELATIONS = 100;
const MOST_RANGES = 20;

/** A relation's file as its path says it. */
interface DamagedFile {
  /** Path of the relation's first file, without its fork. */
  readonly path: string;
  /** 0: shared by all databases. */
  readonly database: number;
  /** 0: the database's own. */
  readonly tablespace: number;
  readonly file: number;
  readonly part?: NonNullable<DamagedRelation['part']>;
  readonly blocks: number[];
}

const GLOBAL_TABLESPACE = 1664;
const FILE = /^(?:(global)|base\/(\d+)|pg_tblspc\/(\d+)\/PG_[^/]+\/(\d+))\/(\d+)(?:_(fsm|vm|init))?(?:\.\d+)?$/;
const parts = { fsm: 'free space map', vm: 'visibility map', init: 'initialisation fork' } as const;

export interface DamageOf {
  readonly relations: readonly DamagedRelation[];
  readonly moreRelations: number;
}

/**
 * To be asked when the backup has ended. Never throws: what the server does not know any more, or does not let us see, is of kind `unknown`. `clean`: the
 * snapshot to have a table back from.
 */
export async function findDamagedRelations(
  source: Source,
  pages: readonly DamagedPage[],
  clean: CleanBackup | undefined,
): Promise<DamageOf> {
  const files = filesOf(pages);
  const listed = files.slice(0, MOST_RELATIONS);
  const names = await databaseNames(source);
  const byDatabase = Map.groupBy(listed, ({ database }) => database);
  const relations: DamagedRelation[] = [];
  for (const [oid, own] of byDatabase) relations.push(...(await relationsOf(source, names.get(oid), own, clean)));
  return { relations, moreRelations: files.length - listed.length };
}

function filesOf(pages: readonly DamagedPage[]): DamagedFile[] {
  const files = new Map<string, DamagedFile>();
  for (const { path, block } of pages) {
    const [, global, database, tablespace, inTablespace, file, fork] = FILE.exec(path) ?? [];
    const first = path.replace(/\.\d+$/, '');
    const known = files.get(first);
    if (known) known.blocks.push(block);
    else {
      files.set(first, {
        path: first,
        database: Number(database ?? inTablespace ?? 0),
        tablespace: global ? GLOBAL_TABLESPACE : Number(tablespace ?? 0),
        file: Number(file ?? 0),
        ...(fork !== undefined && { part: parts[fork as keyof typeof parts] }),
        blocks: [block],
      });
    }
  }
  return [...files.values()];
}

/** By oid; what is shared is asked for in the database of the url. */
async function databaseNames(source: Source): Promise<ReadonlyMap<number, string | undefined>> {
  try {
    const sql = 'select oid::int8::text as oid, datname::text as name from pg_database where datallowconn';
    const rows = await withPlain(source, (plain) =>
      plain.query<{ oid: string; name: string }>('list its databases', sql),
    );
    return new Map([[0, undefined], ...rows.map(({ oid, name }) => [Number(oid), name] as const)]);
  } catch {
    return new Map();
  }
}

/** `owner`: the table that it is part of, or is itself. */
const relationSql = `with found as (select c.*, coalesce(i.indrelid, c.oid) as carrier
    from pg_class c left join pg_index i on i.indexrelid = c.oid where c.oid = pg_filenode_relation($1, $2))
  select format('%I.%I', n.nspname, f.relname) as name, f.relkind::text as kind, n.nspname = 'pg_toast' as is_toast,
    f.relisshared or s.nspname = 'pg_catalog' as is_system, o.oid <> f.oid as is_part, format('%I.%I', s.nspname, o.relname) as owner,
    s.nspname::text as schema, o.relname::text as table
  from found f join pg_namespace n on n.oid = f.relnamespace
    join pg_class o on o.oid = coalesce((select t.oid from pg_class t where t.reltoastrelid = f.carrier), f.carrier)
    join pg_namespace s on s.oid = o.relnamespace`;

interface Row extends Record<string, unknown> {
  readonly name: string;
  readonly kind: string;
  readonly is_toast: boolean;
  readonly is_system: boolean;
  readonly is_part: boolean;
  readonly owner: string;
  readonly schema: string;
  readonly table: string;
}

async function relationsOf(
  source: Source,
  database: string | undefined,
  files: readonly DamagedFile[],
  clean: CleanBackup | undefined,
): Promise<DamagedRelation[]> {
  const isShared = files.every((file) => file.database === 0);
  let plain: PlainConnection | undefined;
  try {
    if (database !== undefined || isShared)
      plain = await openPlain({ ...source, ...(database !== undefined && { database }) });
    const relations: DamagedRelation[] = [];
    // Names with their schema, whatever the role's search path.
    await plain?.query('set', "set search_path = ''");
    for (const file of files) relations.push(await relationOf(plain, database, file, clean));
    return relations;
  } catch (error) {
    const why = toHoldfastError(error).message;
    return files.map((file) => unknown(file, database, why));
  } finally {
    await plain?.close();
  }
}

async function relationOf(
  plain: PlainConnection | undefined,
  database: string | undefined,
  file: DamagedFile,
  clean: CleanBackup | undefined,
): Promise<DamagedRelation> {
  if (plain === undefined) return unknown(file, database, 'its database is not there, or allows no connections');
  const [row] = await plain.query<Row>('look whose a file is', relationSql, [file.tablespace, file.file]);
  if (row === undefined)
    return unknown(file, database, 'no relation has it any more: it was dropped or rewritten meanwhile');
  const kind = kindOf(row);
  const { path, part } = file;
  const relation = {
    ...(database !== undefined && { database }),
    ...{ name: row.name, kind },
    ...(row.is_part && { of: row.owner }),
    ...(part !== undefined && { part }),
    path,
    ...rangesOf(file.blocks),
  };
  const table = { schema: row.schema, table: row.table };
  return { ...relation, hint: damageHint(relation, { isSystem: row.is_system, table, ...(clean && { clean }) }) };
}

function kindOf({ kind, is_toast }: Row): DamagedRelation['kind'] {
  if (kind === 'i') return is_toast ? 'TOAST index' : 'index';
  const kinds = { r: 'table', t: 'TOAST table', m: 'materialized view', S: 'sequence' } as const;
  return kinds[kind as keyof typeof kinds] ?? 'unknown';
}

function unknown({ path, part, blocks }: DamagedFile, database: string | undefined, why: string): DamagedRelation {
  const where = { ...(database !== undefined && { database }), ...(part !== undefined && { part }), path };
  return { ...where, kind: 'unknown', ...rangesOf(blocks), hint: why };
}

/** Blocks as ranges, in order. */
export function rangesOf(blocks: readonly number[]): Pick<DamagedRelation, 'blocks' | 'moreBlocks'> {
  const ranges: [number, number][] = [];
  for (const block of blocks.toSorted((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && block <= last[1] + 1) last[1] = block;
    else ranges.push([block, block]);
  }
  const more = ranges.slice(MOST_RANGES).reduce((sum, [from, to]) => sum + to - from + 1, 0);
  return { blocks: ranges.slice(0, MOST_RANGES), ...(more > 0 && { moreBlocks: more }) };
}
