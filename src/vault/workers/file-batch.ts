// Reading small files of this host in a worker thread: whole, one after another into one buffer, cut and hashed on the way.

import { hash } from 'node:crypto';
import { type BigIntStats, closeSync, fstatSync, readSync } from 'node:fs';
import type { ChunkIds } from '../chunk-id.ts';
import { CHUNK_ID_BYTES } from '../chunk-id.ts';
import { Cutter, type GearTable } from '../chunker.ts';
import type { Chunking, PageInspector } from '../snapshot-types.ts';
import { openSource } from './open-source.ts';
import { inspectPages, readUpTo } from './paged-file.ts';
import type { FileRead, FileToRead } from './protocol.ts';
import { readStat } from './read-stat.ts';

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
  /** Looks at the pages of files that are cut into pages. */
  inspector: PageInspector | undefined;

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

  #file({ source, sizeBytes, firstPage }: FileToRead): FileRead {
    let file: number | undefined;
    try {
      file = openSource(source);
      if (!fstatSync(file).isFile()) return { code: 'EINVAL' };
      return firstPage === undefined ? this.#content(file) : this.#pages(file, sizeBytes, firstPage);
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
      if (isSame || attempt === ATTEMPTS) return { ...this.#cut('content', start, after), isTorn: !isSame };
    }
  }

  #pages(file: number, sizeBytes: number, firstPage: number): FileRead {
    const start = this.#length;
    this.#reserve(sizeBytes);
    this.#length += readUpTo(file, this.#bytes, start, sizeBytes, 0);
    const bytes = this.#bytes.subarray(start, this.#length);
    const badPages = inspectPages(bytes, { file, positionBytes: 0, firstPage }, this.inspector);
    return { ...this.#cut('pages', start, fstatSync(file, { bigint: true })), isTorn: false, badPages };
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

  #cut(chunking: Chunking, start: number, stat: BigIntStats) {
    const bytes = this.#bytes.subarray(start, this.#length);
    const sha256 = hash('sha256', bytes, 'buffer');
    const first = this.#lengths.length;
    const cutter = new Cutter(chunking, this.#gear);
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
    };
  }
}

function isUnchanged(before: BigIntStats, after: BigIntStats): boolean {
  return before.size === after.size && before.mtimeNs === after.mtimeNs && before.ctimeNs === after.ctimeNs;
}
