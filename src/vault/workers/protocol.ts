// What the main thread and its data workers say to each other while a snapshot is written.

import type { Compression } from '../codec.ts';
import type { LocalSource, PageInspection, ReadFile } from '../snapshot-types.ts';

/** What a worker needs to know of the snapshot that it works for. */
export interface WorkerSetup {
  readonly vaultId: Uint8Array;
  /** Path of the generation. */
  readonly path: string;
  readonly dataKey: Uint8Array;
  readonly chunkIdKey: Uint8Array;
  readonly gear: Uint32Array;
  readonly compression: Compression;
}

/** A file of this host that a worker reads by itself. */
export interface FileToRead {
  readonly source: LocalSource;
  /** By the scan; a file that grew is read this far at the first go and again when it has changed. */
  readonly sizeBytes: number;
  /** Cut into pages, of which this is the number of the first; it is read as far as the scan saw it, once. */
  readonly firstPage?: number;
}

/** Chunks one after another in `slab` from its start. */
export interface HashedChunks {
  readonly slab: ArrayBuffer;
  readonly ids: Uint8Array;
  readonly lengths: readonly number[];
}

export type ToWorker =
  /** Begins to work for a snapshot; what was left of another one is dropped. */
  | { readonly kind: 'begin'; readonly setup: WorkerSetup }
  /** Chunks that are cut already, one after another in `slab` from its start. */
  | { readonly kind: 'cut'; readonly job: number; readonly slab: ArrayBuffer; readonly lengths: readonly number[] }
  | { readonly kind: 'files'; readonly job: number; readonly files: readonly FileToRead[] }
  /** Who looks at pages that are read from now on. */
  | { readonly kind: 'inspect'; readonly inspection: PageInspection }
  /** The next slice, into `slab`, of a large file that is cut into pages; `file` with the first one. */
  | {
      readonly kind: 'slice';
      readonly job: number;
      readonly reading: number;
      readonly slab: ArrayBuffer;
      readonly file?: FileToRead;
    }
  /** Which chunks of the job are new: a byte each. `given`: what this or another thread has hashed and handed over. */
  | { readonly kind: 'take'; readonly job: number; readonly wanted: Uint8Array; readonly given?: HashedChunks }
  /** For the next pack, after `needs`. */
  | { readonly kind: 'room'; readonly buffer: ArrayBuffer }
  | { readonly kind: 'flush' };

/** A file that was read. */
export interface WholeRead extends ReadFile {
  readonly chunks: number;
}

/** Why it could not be read, as Node names it: `ENOENT`, `EACCES`, … */
export interface Unread {
  readonly code: string;
}

export type FileRead = WholeRead | Unread;

/** What came of a slice; `end`, of the whole file less its bad pages, with the last one. */
export type SliceRead = { readonly badPages: readonly number[]; readonly end?: Omit<WholeRead, 'badPages'> } | Unread;

export type FromWorker =
  | {
      readonly kind: 'hashed';
      readonly job: number;
      /** Chunk ids one after another. */
      readonly ids: Uint8Array;
      readonly lengths: readonly number[];
      readonly files?: readonly FileRead[];
      readonly slice?: SliceRead;
      /** Of a slice: its chunks, for whichever thread will take them. */
      readonly slab?: ArrayBuffer;
    }
  /** No buffer for the next pack: what is to be taken waits for one. */
  | { readonly kind: 'needs' }
  | { readonly kind: 'taken'; readonly job: number; readonly slab?: ArrayBuffer }
  | {
      readonly kind: 'pack';
      readonly sha256: string;
      readonly buffer: ArrayBuffer;
      readonly sizeBytes: number;
      readonly index: Uint8Array;
    }
  | { readonly kind: 'flushed' };
