// What the main thread and its data workers say to each other while a snapshot is written.

import type { Compression } from '../codec.ts';
import type { LocalSource } from '../types.ts';

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
}

export type ToWorker =
  /** Begins to work for a snapshot; what was left of another one is dropped. */
  | { readonly kind: 'begin'; readonly setup: WorkerSetup }
  /** Chunks that are cut already, one after another in `slab` from its start. */
  | { readonly kind: 'cut'; readonly job: number; readonly slab: ArrayBuffer; readonly lengths: readonly number[] }
  | { readonly kind: 'files'; readonly job: number; readonly files: readonly FileToRead[] }
  /** Which chunks of the job are new: a byte each. */
  | { readonly kind: 'take'; readonly job: number; readonly wanted: Uint8Array }
  /** For the next pack, after `needs`. */
  | { readonly kind: 'room'; readonly buffer: ArrayBuffer }
  | { readonly kind: 'flush' };

/** What came of a file. */
export type FileRead =
  | {
      readonly sizeBytes: number;
      /** Lower-case hexadecimal. */
      readonly sha256: string;
      readonly chunks: number;
      /** Of the file after it was read; nanoseconds since 1970. */
      readonly mtimeNs: bigint;
      readonly ctimeNs: bigint;
      readonly inode: bigint;
      /** Permission bits. */
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
      /** Changed while it was read, again and again: the bytes are of no single moment. */
      readonly isTorn: boolean;
    }
  /** `code` as Node names it: `ENOENT`, `EACCES`, … */
  | { readonly code: string };

export type FromWorker =
  | {
      readonly kind: 'hashed';
      readonly job: number;
      /** Chunk ids one after another. */
      readonly ids: Uint8Array;
      readonly lengths: readonly number[];
      readonly files?: readonly FileRead[];
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
