// What a load takes of this host's disk and of the server's own, which are often one: planned, and looked at again once the dump lies there.

import type { Dirent } from 'node:fs';
import { lstat, mkdir, readdir, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { ProductionRoom } from '../../../domain/part.ts';
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

export interface RoomOfLoad {
  readonly placing: Placing;
  readonly room: ProductionRoom;
}

/** Of a whole database that is new. `dump`: what is still to be fetched; default nothing. */
export async function roomOfLoad(
  target: Source,
  { spread, serverBytes: totalBytes }: DumpedDatabase,
  dump?: RoomBeside,
): Promise<RoomOfLoad> {
  return await comparing(target, async (plain) => {
    const { systemId } = await clusterOf(plain);
    const placing = await placingOn(plain, spread);
    return { placing, room: await roomOfDatabase(plain, systemId, { totalBytes, placing }, dump) };
  });
}

/** Before anything is made there: the dump, and whatever else came meanwhile, has taken room since it was planned. Throws `NO_SPACE`. */
export async function requireRoomToLoad(target: Source, database: DumpedDatabase): Promise<void> {
  const [lack] = lackOfRoom((await roomOfLoad(target, database)).room);
  if (lack !== undefined) throw lack;
}
