// What bringing back a part takes of production's own room, on which of its file systems, and whether it is free there.

import { stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { PartWay, ProductionRoom, RoomPlace } from '../../../domain/part.ts';
import { bytesText } from '../../../domain/size.ts';
import { HoldfastError } from '../../../errors/index.ts';
import { CONTROL_FILE, readControlFile } from '../../backup/control-file.ts';
import { portOfProcess } from '../../backup/files-at-hand.ts';
import type { PlainConnection } from '../../connection/index.ts';
import type { Spread } from '../spread.ts';

export interface PartSize {
  /** Rows, with those that are stored out of line. */
  readonly heapBytes: number;
  /** The same with indexes. */
  readonly totalBytes: number;
}

/** What is brought back, and what is there today. */
export interface RoomRequest {
  readonly way: PartWay;
  readonly size: PartSize;
  /** Of the table of today and its partitions; of a replace alone. */
  readonly tree?: readonly string[];
  /** Of a whole database: where it goes. */
  readonly placing?: Spread;
  /** Its rows are written once more, so that nobody is sent them. */
  readonly isRewritten: boolean;
}

/** A directory of this host that takes so much more, and may be on the same file system. */
export interface RoomBeside {
  /** In words; default `the recovery`. */
  readonly of?: string;
  readonly directory: string;
  readonly neededBytes: number;
  /** Of that it has, or gives back first; default 0. */
  readonly heldBytes?: number;
}

interface Needed {
  /** By tablespace. */
  readonly spaces: ReadonlyMap<string, number>;
  readonly logBytes: number;
}

interface Share extends Record<string, unknown> {
  readonly space: string;
  readonly heap: string;
  readonly indexes: string;
}

const sharesSql = `select coalesce(t.spcname, d.spcname)::text as space, sum(heap)::text as heap, sum(indexes)::text as indexes
  from (select reltablespace, 1 as own, pg_table_size(oid) as heap, 0 as indexes from pg_class where oid = any($1::int8[]::oid[])
    union all select i.reltablespace, 0, 0, pg_relation_size(i.oid) from pg_index x join pg_class i on i.oid = x.indexrelid
      where x.indrelid = any($1::int8[]::oid[])) parts
  left join pg_tablespace t on t.oid = parts.reltablespace
  cross join (select spcname from pg_database join pg_tablespace s on s.oid = dattablespace where datname = current_database()) d
  group by 1 order by sum(heap) desc, sum(own) desc`;

/** A table that is loaded goes into its database's own tablespace, wherever it was and whatever new tables get by default: it is loaded so. */
const serverSql = `select (select spcname from pg_database join pg_tablespace s on s.oid = dattablespace
    where datname = current_database())::text as "ownSpace",
  (pg_size_bytes(current_setting('max_wal_size')))::text as "logLimit",
  exists (select from pg_replication_slots) as "holdsLog",
  (select case when setting::bigint >= 0 then pg_size_bytes(current_setting('max_slot_wal_keep_size')) end
    from pg_settings where name = 'max_slot_wal_keep_size')::text as "slotLimit",
  (select setting from pg_settings where name = 'data_directory') as "dataDirectory", current_setting('port')::int as port,
  (select json_object_agg(spcname, pg_tablespace_location(oid)) from pg_tablespace) as locations`;

interface Server extends Record<string, unknown> {
  readonly ownSpace: string;
  readonly logLimit: string;
  readonly holdsLog: boolean;
  /** `null`: a slot keeps whatever its reader has not taken. */
  readonly slotLimit: string | null;
  /** `null`: the role may not see it. */
  readonly dataDirectory: string | null;
  readonly port: number;
  /** Empty: in the data directory. */
  readonly locations: Readonly<Record<string, string>>;
}

/** Where a table, its partitions and their indexes are, by tablespace; the one that has most of the rows first. */
export async function sharesOf(plain: PlainConnection, tree: readonly string[]): Promise<readonly Share[]> {
  return await plain.query<Share>('measure the table', sharesSql, [tree]);
}

/**
 * At its highest, until dead rows are cleaned up and log is recycled. Where the server's own files are not on this host, what is free is not known,
 * and so it says.
 */
export async function findProductionRoom(
  plain: PlainConnection,
  systemId: string,
  request: RoomRequest,
  beside?: RoomBeside,
): Promise<ProductionRoom> {
  const [server] = await plain.query<Server>('ask where its room is', serverSql);
  const shares = request.tree === undefined ? [] : await sharesOf(plain, request.tree);
  const { spaces, logBytes } = neededFor(request, server!, shares);
  const home = await homeAtHand(server!, systemId);
  const { locations } = server!;
  const inHome = (name: string) => (home === undefined ? undefined : path.join(home, name));
  const asked = [
    ...[...spaces].map(([space, neededBytes]) => {
      const location = locations[space];
      const directory = home === undefined ? undefined : location || inHome('base');
      return { of: `tablespace ${space}`, neededBytes, directory };
    }),
    { of: 'log', neededBytes: logBytes, directory: inHome('pg_wal') },
    ...(beside === undefined || home === undefined ? [] : [{ of: 'the recovery', ...beside }]),
  ].filter(({ neededBytes }) => neededBytes > 0);
  return { places: await byFileSystem(asked) };
}

function neededFor({ way, size, placing, isRewritten }: RoomRequest, server: Server, shares: readonly Share[]): Needed {
  const { heapBytes, totalBytes } = size;
  const spaces = new Map<string, number>();
  const add = (space: string, bytes: number) => spaces.set(space, (spaces.get(space) ?? 0) + bytes);
  const times = isRewritten ? 2 : 1;
  let logBytes = totalBytes;
  if (way === 'replace') {
    const today = shares.reduce((sum, { heap }) => sum + Number(heap), 0);
    const todayTotal = shares.reduce((sum, { indexes }) => sum + Number(indexes), today);
    // In passing without indexes or log; the rows of today once more; then those of then behind the ones that are deleted.
    add(server.ownSpace, heapBytes);
    const [most] = shares;
    if (most !== undefined) add(most.space, today * times);
    for (const { space, heap, indexes } of shares)
      add(space, todayTotal === 0 ? 0 : Math.round((totalBytes * (Number(heap) + Number(indexes))) / todayTotal));
    logBytes = today + today + totalBytes;
  } else if (placing !== undefined) {
    for (const { name, bytes } of placing.apart) add(name, bytes);
    const apart = placing.apart.reduce((sum, { bytes }) => sum + bytes, 0);
    add(placing.own, Math.max(0, totalBytes - apart));
  } else add(server.ownSpace, totalBytes * times);
  return { spaces, logBytes: Math.min(logBytes, mostLog(server)) };
}

/** Log that no checkpoint needs any more is recycled, unless a slot holds it: until a transaction has ended, or until a receiver behind a slow store has taken it. */
function mostLog({ holdsLog, slotLimit, logLimit }: Server): number {
  const withoutSlots = 2 * Number(logLimit);
  if (!holdsLog) return withoutSlots;
  return slotLimit === null ? Number.POSITIVE_INFINITY : Math.max(withoutSlots, Number(slotLimit));
}

/** The data directory, where it is on this host and proves to be the one of the server that was asked. */
async function homeAtHand({ dataDirectory, port }: Server, systemId: string): Promise<string | undefined> {
  if (dataDirectory === null) return undefined;
  try {
    const control = await readControlFile(path.join(dataDirectory, CONTROL_FILE));
    const isOwn = control.systemId === systemId && control.isInProduction;
    return isOwn && (await portOfProcess(dataDirectory)) === port ? dataDirectory : undefined;
  } catch {
    // Not there, or not to be read: unknown, which is told.
    return undefined;
  }
}

interface Asked {
  readonly of: string;
  readonly neededBytes: number;
  readonly directory: string | undefined;
  readonly heldBytes?: number;
}

/** Those on one file system count together. */
async function byFileSystem(asked: readonly Asked[]): Promise<readonly RoomPlace[]> {
  const known = new Map<number, Required<RoomPlace>>();
  const unknown: RoomPlace[] = [];
  for (const { of, neededBytes, directory, heldBytes = 0 } of asked) {
    const seen = directory === undefined ? undefined : await look(directory);
    if (seen === undefined || directory === undefined) {
      unknown.push({ of: [of], neededBytes });
      continue;
    }
    const { dev, availableBytes } = seen;
    const before = known.get(dev) ?? { of: [], neededBytes: 0, directory, availableBytes };
    known.set(dev, {
      of: [...before.of, of],
      neededBytes: before.neededBytes + neededBytes,
      directory: before.directory,
      availableBytes: before.availableBytes + heldBytes,
    });
  }
  return [...known.values(), ...unknown];
}

async function look(directory: string): Promise<{ dev: number; availableBytes: number } | undefined> {
  try {
    const { dev } = await stat(directory);
    const { bavail, bsize } = await statfs(directory);
    return { dev, availableBytes: bavail * bsize };
  } catch {
    return undefined;
  }
}

/** One for each file system that is too small. */
export function lackOfRoom({ places }: ProductionRoom): readonly HoldfastError[] {
  return places
    .filter(({ neededBytes, availableBytes = Number.POSITIVE_INFINITY }) => neededBytes > availableBytes)
    .map(({ of, neededBytes, directory, availableBytes = 0 }) => {
      const words = `${bytesText(neededBytes)} for ${of.join(', ')}, and ${bytesText(availableBytes)} are free in '${directory}'`;
      return new HoldfastError('NO_SPACE', `production needs ${words}`, {
        hint: `make room for ${bytesText(neededBytes - availableBytes)} more there; nothing was changed`,
        details: { neededBytes, availableBytes },
      });
    });
}

/** What nobody could look at, or count: what is gone today is measured when it is recovered. */
export function roomWarnings(room: ProductionRoom | undefined): readonly string[] {
  if (room === undefined)
    return ['how much of its room production needs is known when it is recovered, and asked for then'];
  return room.places
    .filter(({ availableBytes }) => availableBytes === undefined)
    .map(({ of, neededBytes }) => {
      const what = `production needs ${bytesText(neededBytes)} for ${of.join(', ')}`;
      return `${what}: what is free there is not known here`;
    });
}
