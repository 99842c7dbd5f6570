// What a load takes of this host's disk and of the server's own, which are often one: planned, and looked at again once the dump lies there.

import type { Dirent } from 'node:fs';
import { lstat, mkdir, readdir, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { ProductionRoom } from '../../../domain/part.ts';
import type { PlainConnection } from '../../connection/index.ts';
import type { Source } from '../../types.ts';
import { type Placing, placingOn } from '../spread.ts';
import { roomOfDatabase } from '../table/plan-room.ts';
import { lackOfRoom, type RoomBeside } from '../table/production-room.ts';
import { clusterOf, comparing } from '../table/sessions.ts';
import type { DumpedDatabase } from '../types.ts';

export interface SpoolRoom {
  readonly freeBytes: number;
  /** Of this run, which is kept or written over, and of others, which goes before anything is fetched. */
  readonly heldBytes: number;
}

export async function roomOfSpool(directory: string): Promise<SpoolRoom> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const heldBytes = await bytesBelow(directory);
  const { bavail, bsize } = await statfs(directory);
  return { freeBytes: bavail * bsize, heldBytes };
}

const BLOCK_BYTES = 512;

/** As the disk has them: of a file that is not whole yet, what was written. A run that is at work may take away what was listed. */
async function bytesBelow(directory: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(directory, { withFileTypes: true }).catch(gone<Dirent[]>([]))) {
    const name = path.join(directory, entry.name);
    if (entry.isDirectory()) bytes += await bytesBelow(name);
    else bytes += (await lstat(name).catch(gone({ blocks: 0 }))).blocks * BLOCK_BYTES;
  }
  return bytes;
}

function gone<T>(fallback: T): (error: unknown) => T {
  return (error) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return fallback;
    throw error;
  };
}

/** What is loaded, and into what. */
export interface Loaded {
  readonly database: DumpedDatabase;
  readonly isWhole: boolean;
  /** Of the rows, in the dump. */
  readonly bytes: number;
  /** A database that is there already. */
  readonly into?: string;
}

export interface RoomOfLoad {
  readonly placing: Placing;
  readonly room: ProductionRoom;
}

/** `dump`: what is still to be fetched; default nothing. */
export async function roomOfLoad(target: Source, loaded: Loaded, dump?: RoomBeside): Promise<RoomOfLoad> {
  return await comparing(target, async (plain) => {
    const { systemId } = await clusterOf(plain);
    const { database } = loaded;
    const placing = await placingOn(plain, database.spread);
    const taken = loaded.isWhole
      ? { totalBytes: database.serverBytes, placing }
      : await roomOfSome(plain, loaded, placing);
    return { placing, room: await roomOfDatabase(plain, systemId, taken, dump) };
  });
}

/** What a database takes that has nothing of its own; asked of `template0`, where the role may. */
const emptySql = `select (select case when has_database_privilege(oid, 'connect') then pg_database_size(oid) else 8388608 end
    from pg_database where datname = 'template0')::text as empty,
  (select spcname from pg_database d join pg_tablespace t on t.oid = d.dattablespace where datname = $1)::text as space`;

/**
 * A schema or a table: first alone in a database of a passing name, and where it goes into one that is there, there once more before the first is dropped.
 * How much the server keeps of it the dump does not know: as much of the database, indexes included, as it is of the dump.
 */
async function roomOfSome(plain: PlainConnection, { database, bytes, into }: Loaded, placing: Placing) {
  const [row] = await plain.query<{ empty: string; space: string | null }>('ask what it takes', emptySql, [
    into ?? null,
  ]);
  const { serverBytes, dumpBytes } = database;
  const share = dumpBytes === 0 ? 0 : Math.min(1, bytes / dumpBytes);
  const onceBytes = Math.round(serverBytes * share);
  const passing = placing.apart.map(({ name, bytes: apart }) => ({ name, bytes: Math.round(apart * share) }));
  const again = into === undefined ? [] : [{ name: row?.space ?? placing.ofNew, bytes: onceBytes }];
  const apart = [...passing, ...again];
  return { totalBytes: Number(row?.empty) + onceBytes * (1 + again.length), placing: { ...placing, apart } };
}

/** Before anything is made there: the dump, and whatever else came meanwhile, has taken room since it was planned. Throws `NO_SPACE`. */
export async function requireRoomToLoad(target: Source, loaded: Loaded): Promise<void> {
  const [lack] = lackOfRoom((await roomOfLoad(target, loaded)).room);
  if (lack !== undefined) throw lack;
}
