// Reading small files of this host in a worker thread: whole, one after another into one buffer, cut and hashed on the way.

import { hash } from 'node:crypto';
import { type BigIntStats, closeSync, fstatSync, readSync } from 'node:fs';
import type { ChunkIds } from '../chunk-id.ts';
import { CHUNK_ID_BYTES } from '../chunk-id.ts';
import { Cutter, type GearTable } from '../chunker.ts';
import { openSource } from './open-source.ts';
import type { FileRead, FileToRead } from './protocol.ts';

/** A file that changes while it is read is read again this often before it is called torn. */
const ATTEMPTS = 3;
const GROWTH_BYTES = 64 * 1024;
/** What a batch needs at the most, as long as its files do not grow: every buffer fits every batch. */
const BUFFER_BYTES = 4 * 1024 * 1024 + 1024;

export interface Batch {
  readonly bytes: Buffer;
  readonly ids: Uint8Array;
  readonly lengths: readonly number[];
  readonly files: readonly FileRead[];
}

/** Bytes, ids and lengths of all files one after another. */
export class BatchReader {
  readonly #gear: GearTable;
  readonly #chunkIds: ChunkIds;
  readonly #spares: Buffer[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;
  #ids: Buffer[] = [];
  #lengths: number[] = [];

  constructor(gear: GearTable, chunkIds: ChunkIds) {
    this.#gear = gear;
    this.#chunkIds = chunkIds;
  }

  read(files: readonly FileToRead[]): Batch {
    const wanted = files.reduce((sum, file) => sum + file.sizeBytes + 1, 0);
    this.#bytes = this.#spare(wanted);
    this.#length = 0;
    this.#ids = [];
    this.#lengths = [];
    const read = files.map((file) => this.#file(file));
    const ids = Buffer.concat(this.#ids, this.#ids.length * CHUNK_ID_BYTES);
    return { bytes: this.#bytes, ids, lengths: this.#lengths, files: read };
  }

  /** Gives back the buffer of a batch that nobody needs any more. */
  reuse(bytes: Buffer): void {
    if (this.#spares.length < 2) this.#spares.push(bytes);
  }

  #spare(sizeBytes: number): Buffer {
    const at = this.#spares.findIndex((each) => each.length >= sizeBytes);
    return at < 0
      ? Buffer.allocUnsafeSlow(Math.max(sizeBytes, BUFFER_BYTES))
      : (this.#spares.splice(at, 1)[0] as Buffer);
  }

  #file({ source }: FileToRead): FileRead {
    let file: number | undefined;
    try {
      file = openSource(source);
      return fstatSync(file).isFile() ? this.#content(file) : { code: 'EINVAL' };
    } catch (error) {
      return { code: (error as NodeJS.ErrnoException).code ?? 'EIO' };
    } finally {
      if (file !== undefined) closeSync(file);
    }
  }

  #content(file: number): FileRead {
    const start = this.#length;
    for (let attempt = 1; ; attempt++) {
      this.#length = start;
      const before = fstatSync(file, { bigint: true });
      this.#readAll(file, Number(before.size));
      const after = fstatSync(file, { bigint: true });
      const isSame = isUnchanged(before, after) && BigInt(this.#length - start) === after.size;
      if (isSame || attempt === ATTEMPTS) return this.#cut(start, after, !isSame);
    }
  }

  #readAll(file: number, expectedBytes: number): void {
    for (let position = 0; ; ) {
      // One byte more than expected tells in the same call that the file ends there.
      const room = position <= expectedBytes ? expectedBytes - position + 1 : GROWTH_BYTES;
      this.#reserve(room);
      const count = readSync(file, this.#bytes, this.#length, room, position);
      this.#length += count;
      position += count;
      if (count < room) return;
    }
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(this.#length + more + GROWTH_BYTES);
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }

  #cut(start: number, stat: BigIntStats, isTorn: boolean): FileRead {
    const bytes = this.#bytes.subarray(start, this.#length);
    const sha256 = hash('sha256', bytes, 'buffer');
    const first = this.#lengths.length;
    const cutter = new Cutter('content', this.#gear);
    for (let at = 0; at < bytes.length; ) {
      const end = cutter.next(bytes, at, bytes.length) ?? bytes.length;
      const isWhole = end - at === bytes.length;
      this.#ids.push(isWhole ? this.#chunkIds.for(sha256) : this.#chunkIds.of(bytes.subarray(at, end)));
      this.#lengths.push(end - at);
      at = end;
    }
    return {
      sizeBytes: bytes.length,
      sha256: sha256.toString('hex'),
      chunks: this.#lengths.length - first,
      ...readStat(stat),
      isTorn,
    };
  }
}

/** What is told of a file after it was read. */
export function readStat({ mtimeNs, ctimeNs, ino, mode, uid, gid }: BigIntStats) {
  return { mtimeNs, ctimeNs, inode: ino, mode: Number(mode) & 0o7777, uid: Number(uid), gid: Number(gid) };
}

function isUnchanged(before: BigIntStats, after: BigIntStats): boolean {
  return before.size === after.size && before.mtimeNs === after.mtimeNs && before.ctimeNs === after.ctimeNs;
}
