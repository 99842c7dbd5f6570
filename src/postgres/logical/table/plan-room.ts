// How much room production needs for a part: planned by what is there today, and asked again when what was then is known.

import type { ProductionRoom } from '../../../domain/part.ts';
import type { PlainConnection } from '../../connection/index.ts';
import { type Placing, placingOn, readSpread, type Spread } from '../spread.ts';
import type { PartFacts, PartRequest } from './plan-part.ts';
import { findProductionRoom, lackOfRoom, type PartSize, type RoomBeside } from './production-room.ts';
import { lookAtTable, type TableFacts } from './table-facts.ts';
import { passingSchema } from './table-names.ts';
import { hasReceivers, receiversOfNew } from './unpublished.ts';

/** `undefined`: the table is not there today, and how large it was is known when it is recovered. */
export async function roomOfTable(
  plain: PlainConnection,
  request: PartRequest,
  { production, today }: { readonly production: PartFacts['production']; readonly today: TableFacts | undefined },
): Promise<ProductionRoom | undefined> {
  if (today === undefined) return undefined;
  const { sizeBytes: totalBytes, heapBytes, tree } = today;
  const asked = {
    way: request.way,
    size: { heapBytes, totalBytes },
    tree,
    isRewritten: await isRewritten(plain, request),
  };
  return await findProductionRoom(plain, production.systemId, asked, withExtract(request, totalBytes));
}

export async function roomOfDatabase(
  plain: PlainConnection,
  systemId: string,
  { totalBytes, placing }: { readonly totalBytes: number; readonly placing: Placing },
  beside?: RoomBeside,
): Promise<ProductionRoom> {
  const asked = { way: 'into', size: { heapBytes: totalBytes, totalBytes }, placing, isRewritten: false } as const;
  return await findProductionRoom(plain, systemId, asked, beside);
}

/** What is taken out lies beside the recovered server for a while. */
export function withExtract(
  { recovery }: Pick<PartRequest, 'recovery'>,
  extractBytes: number,
): PartRequest['recovery'] {
  return recovery && { ...recovery, neededBytes: recovery.neededBytes + extractBytes };
}

/** Rows that only pass are written without log; a table that stays is written twice where somebody is sent every table of its database or schema. */
async function isRewritten(plain: PlainConnection, { run, way, table }: PartRequest): Promise<boolean> {
  const schema = way === 'replace' ? (table?.schema ?? '') : passingSchema(run);
  return way !== 'into' && hasReceivers(await receiversOfNew(plain, schema));
}

export interface SizeThen extends PartSize {
  /** Of a whole database. */
  readonly spread?: Spread;
}

/** In the recovered server: what a run has set apart, or without a run the whole database. */
export async function sizeOfApart(plain: PlainConnection, run?: string): Promise<SizeThen> {
  const whole =
    'select pg_database_size(current_database())::text as heap, pg_database_size(current_database())::text as total';
  const apart = `select coalesce(sum(pg_table_size(c.oid)), 0)::text as heap, coalesce(sum(pg_total_relation_size(c.oid)), 0)::text as total
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relkind = 'r'`;
  const [sql, values] = run === undefined ? [whole, []] : [apart, [passingSchema(run)]];
  const [row] = await plain.query<{ heap: string; total: string }>('measure what was taken out', sql, values);
  const size = { heapBytes: Number(row?.heap), totalBytes: Number(row?.total) };
  return run === undefined ? { ...size, spread: await readSpread(plain) } : size;
}

/** Before anything is loaded: a table that was emptied since is small today. Throws `NO_SPACE`. */
export async function requireRoom(
  plain: PlainConnection,
  systemId: string,
  request: PartRequest & { readonly size: SizeThen },
): Promise<void> {
  const { way, table, size } = request;
  const today = way === 'replace' && table !== undefined ? await lookAtTable(plain, table) : undefined;
  const placing = way === 'into' ? await placingOn(plain, size.spread) : undefined;
  const about = { ...(today && { tree: today.tree }), ...(placing && { placing }) };
  const asked = { way, size, ...about, isRewritten: await isRewritten(plain, request) };
  const [lack] = lackOfRoom(await findProductionRoom(plain, systemId, asked));
  if (lack !== undefined) throw lack;
}
