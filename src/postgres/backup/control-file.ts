// `global/pg_control` as bytes whose checksum is right: what a copy of it must be, and what it says about the server that keeps it.

import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Lsn, lsnFrom } from '../../domain/lsn.ts';
import { fail } from '../../errors/index.ts';
import { crc32c } from '../wal/index.ts';

export const CONTROL_FILE = 'global/pg_control';

export interface ControlFile {
  /** The whole file. */
  readonly bytes: Buffer;
  /** Decimal. */
  readonly systemId: string;
  /** Names the directories of tablespaces, together with the major version. */
  readonly catalogVersion: number;
  readonly isInProduction: boolean;
  /** Where recovery from the latest checkpoint would begin. */
  readonly redoLsn: Lsn;
  readonly mode: number;
  readonly mtimeSeconds: number;
}

/** The same places in all supported majors (PostgreSQL, `pg_control.h`). */
const places = { systemId: 0, catalogVersion: 12, state: 16, redoLsn: 40 } as const;
const IN_PRODUCTION = 6;
/** What the fields take at the least and at the most: they are written by one write of a sector. */
const SHORTEST_BYTES = 128;
const LONGEST_BYTES = 512;
/** The server writes it now and then, in one small write: to meet that twice is rare. */
const ATTEMPTS = 20;
const PAUSE_MS = 20;

/** Reads it again while it is torn. Throws `BACKUP_INVALID` when it stays so, and what the file system says. */
export async function readControlFile(file: string): Promise<ControlFile> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const found = parseControlFile(await readWhole(file));
    if (found !== undefined) return found;
    await sleep(PAUSE_MS);
  }
  return fail('BACKUP_INVALID', `'${file}' does not match its own checksum, however often it is read`);
}

interface Read {
  readonly bytes: Buffer;
  readonly mode: number;
  readonly mtimeSeconds: number;
}

async function readWhole(file: string): Promise<Read> {
  const handle = await open(file, 'r');
  try {
    const { mode, mtimeMs } = await handle.stat();
    return { bytes: await handle.readFile(), mode: mode & 0o7777, mtimeSeconds: Math.floor(mtimeMs / 1000) };
  } finally {
    await handle.close();
  }
}

/** `undefined` when no checksum in it is that of everything before it. */
export function parseControlFile({ bytes, mode, mtimeSeconds }: Read): ControlFile | undefined {
  if (!hasChecksum(bytes)) return undefined;
  return {
    bytes,
    mode,
    mtimeSeconds,
    systemId: String(bytes.readBigUInt64LE(places.systemId)),
    catalogVersion: bytes.readUInt32LE(places.catalogVersion),
    isInProduction: bytes.readUInt32LE(places.state) === IN_PRODUCTION,
    redoLsn: lsnFrom(bytes.readBigUInt64LE(places.redoLsn)),
  };
}

/** It stands right behind the fields, of which each major has its own number; behind it are zeros. */
function hasChecksum(bytes: Buffer): boolean {
  for (let at = SHORTEST_BYTES; at + 4 <= Math.min(bytes.length, LONGEST_BYTES); at += 4) {
    if (bytes.readUInt32LE(at) === crc32c(bytes.subarray(0, at))) return true;
  }
  return false;
}
