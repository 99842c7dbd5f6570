// A file that is cut into pages, read by a worker slice by slice: once, whoever writes to it meanwhile, each page looked at and the whole hashed on the way.

import { createHash } from 'node:crypto';
import { closeSync, fstatSync, readSync } from 'node:fs';
import { PAGES_CHUNK_BYTES } from '../chunker.ts';
import type { PageInspector } from '../snapshot-types.ts';
import { openSource } from './open-source.ts';
import type { FileToRead, SliceRead } from './protocol.ts';
import { readStat } from './read-stat.ts';

/** Whole chunks, so that slices are cut as one stream would be. */
export const SLICE_BYTES = 64 * PAGES_CHUNK_BYTES;
/** A page that is being written is whole again in no time; one that is damaged is not, however often it is read. */
const LOOKS = 4;
const PAUSE_MS = 2;

const pause = new Int32Array(new SharedArrayBuffer(4));

export class PagedFile {
  readonly #file: number;
  readonly #wanted: FileToRead;
  readonly #hash = createHash('sha256');
  #positionBytes = 0;
  #failure: string | undefined;

  private constructor(file: number, wanted: FileToRead, failure?: string) {
    this.#file = file;
    this.#wanted = wanted;
    this.#failure = failure;
  }

  /** Never throws: the first slice tells why it cannot be read. */
  static open(wanted: FileToRead): PagedFile {
    try {
      const file = openSource(wanted.source);
      return new PagedFile(file, wanted, fstatSync(file).isFile() ? undefined : 'EINVAL');
    } catch (error) {
      return new PagedFile(-1, wanted, codeOf(error));
    }
  }

  /** The next slice, into `bytes` from its start; closes the file with the last one. */
  read(
    bytes: Buffer,
    inspector: PageInspector | undefined,
  ): { readonly slice: SliceRead; readonly lengthBytes: number } {
    try {
      if (this.#failure !== undefined) return this.#failed(this.#failure);
      return this.#next(bytes, inspector);
    } catch (error) {
      return this.#failed(codeOf(error));
    }
  }

  #next(bytes: Buffer, inspector: PageInspector | undefined) {
    const wantedBytes = Math.min(SLICE_BYTES, this.#wanted.sizeBytes - this.#positionBytes);
    const lengthBytes = readUpTo(this.#file, bytes, 0, wantedBytes, this.#positionBytes);
    const from = { file: this.#file, positionBytes: this.#positionBytes, firstPage: this.#wanted.firstPage ?? 0 };
    const badPages = inspectPages(bytes.subarray(0, lengthBytes), from, inspector);
    this.#hash.update(bytes.subarray(0, lengthBytes));
    this.#positionBytes += lengthBytes;
    // One that became shorter ends where it ends now.
    const isEnd = lengthBytes < wantedBytes || this.#positionBytes === this.#wanted.sizeBytes;
    return { slice: { badPages, ...(isEnd && { end: this.#end() }) }, lengthBytes };
  }

  #end() {
    const stat = readStat(fstatSync(this.#file, { bigint: true }));
    closeSync(this.#file);
    const sizeBytes = this.#positionBytes;
    const chunks = Math.ceil(sizeBytes / PAGES_CHUNK_BYTES);
    return { sizeBytes, sha256: this.#hash.digest('hex'), chunks, ...stat, isTorn: false };
  }

  #failed(code: string) {
    if (this.#file >= 0) closeSync(this.#file);
    return { slice: { code }, lengthBytes: 0 };
  }
}

/** How many bytes there are, up to `lengthBytes`. */
export function readUpTo(file: number, into: Buffer, at: number, lengthBytes: number, positionBytes: number): number {
  let done = 0;
  while (done < lengthBytes) {
    const count = readSync(file, into, at + done, lengthBytes - done, positionBytes + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

interface ReadFrom {
  readonly file: number;
  readonly positionBytes: number;
  readonly firstPage: number;
}

/** Numbers of the pages of `bytes` that are not right, also after another look at the file; a last piece that is no whole page is nobody's business. */
export function inspectPages(bytes: Buffer, from: ReadFrom, inspector: PageInspector | undefined): number[] {
  if (inspector === undefined) return [];
  const { pageSizeBytes } = inspector;
  const first = from.firstPage + from.positionBytes / pageSizeBytes;
  const bad: number[] = [];
  for (let at = 0; at + pageSizeBytes <= bytes.length; at += pageSizeBytes) {
    const page = first + at / pageSizeBytes;
    if (!inspector.isGood(bytes, at, page) && !isGoodLater(bytes, at, page, from, inspector)) bad.push(page);
  }
  return bad;
}

function isGoodLater(bytes: Buffer, at: number, page: number, from: ReadFrom, inspector: PageInspector): boolean {
  const { pageSizeBytes } = inspector;
  for (let look = 1; look < LOOKS; look++) {
    Atomics.wait(pause, 0, 0, PAUSE_MS);
    readUpTo(from.file, bytes, at, pageSizeBytes, from.positionBytes + at);
    if (inspector.isGood(bytes, at, page)) return true;
  }
  return false;
}

function codeOf(error: unknown): string {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall === undefined) throw error;
  return code ?? 'EIO';
}
