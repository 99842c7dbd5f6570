// The conversation of BASE_BACKUP: archives one after another, then the manifest, then the position at which the backup is consistent.

import { type Lsn, parseLsn } from '../../domain/lsn.ts';
import { fail } from '../../errors/index.ts';
import type { ReplicationConnection } from '../connection/index.ts';
import { readAnswer, type TextRow } from '../protocol/result.ts';
import { parseServerError } from '../protocol/server-error.ts';
import { messageTypes } from '../protocol/wire.ts';
import type { Tablespace } from '../types.ts';
import { readTar, type TarEntry } from './tar.ts';

export interface BaseBackupOptions {
  readonly label: string;
  readonly checkpoint: 'fast' | 'spread';
  /** Only what changed since the backup of which the manifest was uploaded on this connection; default everything. */
  readonly incremental?: boolean;
  /** The server's own throttle; it takes 32 KiB/s to 1 GiB/s. */
  readonly rateLimitBytesPerSecond?: number;
}

export interface BaseBackupStart {
  readonly startLsn: Lsn;
  readonly timeline: number;
  readonly tablespaces: readonly Tablespace[];
  /** The server's estimate. */
  readonly totalBytes: number;
}

export interface BaseBackupEnd {
  readonly stopLsn: Lsn;
  readonly timeline: number;
  /** The text of `backup_manifest`. */
  readonly manifest: Buffer;
}

export interface Archive {
  /** Absent: the data directory itself. */
  readonly tablespaceOid: number | undefined;
  readonly entries: AsyncIterable<TarEntry>;
}

export interface BaseBackupStream {
  readonly start: BaseBackupStart;
  /** To be read to its end, archive by archive, entry by entry. */
  archives(): AsyncIterable<Archive>;
  /** Reads the rest after the archives. Throws unless the server says that all is well. */
  finish(): Promise<BaseBackupEnd>;
}

const doing = 'take a base backup';
/** A spread checkpoint takes up to `checkpoint_timeout`, which may be a day; dead hosts are found by TCP. */
const CHECKPOINT_MS = { fast: 30 * 60_000, spread: 25 * 3_600_000 } as const;
const SILENCE_MS = 10 * 60_000;
const PROGRESS_BYTES = 4 * 1024 * 1024;

/** Starts the backup; resolves after its checkpoint. The server drops it as soon as the connection ends. */
export async function startBaseBackup(
  connection: ReplicationConnection,
  options: BaseBackupOptions,
  onProgress: (doneBytes: number) => void,
): Promise<BaseBackupStream> {
  const answer = await connection.command(doing, baseBackupCommand(options), CHECKPOINT_MS[options.checkpoint]);
  const [position, tablespaces] = answer.sets;
  const start = parsePosition(position?.rows[0]);
  if (answer.type !== 'copy') fail('BACKUP_INVALID', 'the server sent no archives');
  const rows = tablespaces?.rows ?? [];
  return new Stream(connection, onProgress, {
    startLsn: start.lsn,
    timeline: start.timeline,
    tablespaces: rows.flatMap(parseTablespace),
    totalBytes: rows.reduce((sum, { size }) => sum + Number(size ?? 0) * 1024, 0),
  });
}

function baseBackupCommand(given: BaseBackupOptions): string {
  const { label, checkpoint, incremental = false, rateLimitBytesPerSecond } = given;
  const options = [
    `LABEL '${label.replaceAll("'", "''")}'`,
    'PROGRESS',
    `CHECKPOINT '${checkpoint}'`,
    // The log is taken by the receiver: nothing to wait for, nothing to include.
    'WAIT false',
    "MANIFEST 'yes'",
    "MANIFEST_CHECKSUMS 'SHA256'",
    // The server would end the stream at the first damaged page; the pages are verified here instead.
    'VERIFY_CHECKSUMS false',
  ];
  if (incremental) options.push('INCREMENTAL');
  if (rateLimitBytesPerSecond !== undefined) {
    options.push(`MAX_RATE ${Math.min(1_048_576, Math.max(32, Math.floor(rateLimitBytesPerSecond / 1024)))}`);
  }
  return `BASE_BACKUP (${options.join(', ')})`;
}

class Stream implements BaseBackupStream {
  readonly start: BaseBackupStart;
  private readonly connection: ReplicationConnection;
  private readonly onProgress: (doneBytes: number) => void;
  private doneBytes = 0;
  /** What is left of the message that is read. */
  private pieces: readonly Buffer[] = [];
  /** The control message that ended the previous archive; `end`: the copy is over. */
  private next: { type: 'archive'; name: string } | { type: 'manifest' } | { type: 'end' } | undefined;

  constructor(connection: ReplicationConnection, onProgress: (doneBytes: number) => void, start: BaseBackupStart) {
    this.connection = connection;
    this.onProgress = onProgress;
    this.start = start;
  }

  async *archives(): AsyncGenerator<Archive> {
    if ((await this.pull()) !== undefined) fail('BACKUP_INVALID', 'the server sent data before naming an archive');
    while (this.next?.type === 'archive') {
      const { name } = this.next;
      this.next = undefined;
      yield { tablespaceOid: parseArchiveName(name), entries: readTar(() => this.pull()) };
    }
  }

  async finish(): Promise<BaseBackupEnd> {
    if (this.next?.type !== 'manifest') fail('BACKUP_INVALID', 'the server sent no manifest');
    this.next = undefined;
    const parts: Buffer[] = [];
    for (let part = await this.pull(); part !== undefined; part = await this.pull()) parts.push(Buffer.from(part));
    if ((this.next as { type: string } | undefined)?.type !== 'end')
      fail('BACKUP_INVALID', 'the server sent something after the manifest');
    const { sets } = await readAnswer(this.connection.wire, SILENCE_MS).catch((error) => {
      throw this.connection.explain(error, doing);
    });
    const stop = parsePosition(sets[0]?.rows[0]);
    return { stopLsn: stop.lsn, timeline: stop.timeline, manifest: Buffer.concat(parts) };
  }

  /** The next data of the current archive or manifest, good until the next call; `undefined` when it is over, and `next` says what follows. */
  private async pull(): Promise<Buffer | undefined> {
    const { wire } = this.connection;
    while (this.next === undefined) {
      const [piece, ...rest] = this.pieces;
      this.pieces = rest;
      if (piece !== undefined) return piece;
      const { type, pieces } = wire.tryNextInPieces() ?? (await wire.nextInPieces(SILENCE_MS));
      if (type === messageTypes.copyDone) this.next = { type: 'end' };
      else if (type === messageTypes.error)
        throw this.connection.explain(parseServerError(Buffer.concat(pieces)), doing);
      else if (type === messageTypes.copyData) this.take(pieces);
      else if (type !== messageTypes.notice && type !== messageTypes.parameterStatus) {
        fail('BACKUP_INVALID', `the server sent an unexpected message in the middle of the backup`);
      }
    }
    return undefined;
  }

  private count(sizeBytes: number): void {
    const before = this.doneBytes;
    this.doneBytes += sizeBytes;
    if (Math.floor(before / PROGRESS_BYTES) < Math.floor(this.doneBytes / PROGRESS_BYTES))
      this.onProgress(this.doneBytes);
  }

  private take(pieces: readonly Buffer[]): void {
    const [first = Buffer.alloc(1), ...others] = pieces;
    switch (String.fromCharCode(first[0]!)) {
      case 'd':
        this.pieces = [first.subarray(1), ...others].filter(({ length }) => length > 0);
        this.count(this.pieces.reduce((sum, { length }) => sum + length, 0));
        return;
      case 'n': {
        const body = Buffer.concat(pieces);
        this.next = { type: 'archive', name: body.toString('utf8', 1, body.indexOf(0, 1)) };
        return;
      }
      case 'm':
        this.next = { type: 'manifest' };
        return;
      case 'p':
        // Comes once a second at most; what was taken here is counted here.
        return;
      default:
        fail('BACKUP_INVALID', 'the server sent a kind of data that is not known');
    }
  }
}

function parsePosition(row: TextRow | undefined): { lsn: Lsn; timeline: number } {
  if (row?.recptr === undefined || row.tli === undefined) {
    return fail('BACKUP_INVALID', 'the server does not say where the backup starts and ends');
  }
  return { lsn: parseLsn(row.recptr), timeline: Number(row.tli) };
}

/** The data directory itself is the row without an oid. */
function parseTablespace({ spcoid, spclocation, size }: TextRow): Tablespace[] {
  if (spcoid === undefined || spclocation === undefined) return [];
  return [{ oid: Number(spcoid), location: spclocation, sizeBytes: Number(size ?? 0) * 1024 }];
}

function parseArchiveName(name: string): number | undefined {
  if (name === 'base.tar') return undefined;
  const match = /^(\d+)\.tar$/.exec(name);
  return match === null ? fail('BACKUP_INVALID', `the server sent an archive named '${name}'`) : Number(match[1]);
}
