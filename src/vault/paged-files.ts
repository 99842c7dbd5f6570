// Large files that are cut into pages on their way into a snapshot: several at once, each read by one worker from start to end.

import type { ChunkPipeline } from './chunk-pipeline.ts';
import type { ChunkOwner } from './stream-cutter.ts';
import type { LocalFile } from './types.ts';
import { SLICE_BYTES } from './workers/paged-file.ts';
import type { FileRead, FileToRead } from './workers/protocol.ts';

/** While this thread thinks about one, the worker reads the other. */
const FILES_A_THREAD = 2;
const ID_DIGITS = 64;

type Placed = LocalFile & { readonly place: ChunkOwner };

export function fileToRead({ source, sizeBytes, entry, firstPage = 0 }: LocalFile): FileToRead {
  return { source, sizeBytes, ...(entry.chunking === 'pages' && { firstPage }) };
}

export class PagedFiles<File extends Placed> {
  readonly #pipeline: ChunkPipeline;
  readonly #pace: (bytes: number) => Promise<void>;
  readonly #onFile: (file: File, read: FileRead) => void;
  readonly #readings = new Set<Promise<void>>();
  #failure: { readonly cause: unknown } | undefined;

  constructor(
    pipeline: ChunkPipeline,
    pace: (bytes: number) => Promise<void>,
    onFile: (file: File, read: FileRead) => void,
  ) {
    this.#pipeline = pipeline;
    this.#pace = pace;
    this.#onFile = onFile;
  }

  /** Resolves when the file is being read. Throws what an earlier one failed with. */
  async add(file: File): Promise<void> {
    while (this.#readings.size >= this.#pipeline.threads * FILES_A_THREAD) await Promise.race(this.#readings);
    this.#check();
    const reading: Promise<void> = this.#read(file)
      .catch((cause: unknown) => {
        this.#failure ??= { cause };
      })
      .finally(() => this.#readings.delete(reading));
    this.#readings.add(reading);
  }

  /** Resolves when all are read. */
  async end(): Promise<void> {
    await Promise.all(this.#readings);
    this.#check();
  }

  async #read(file: File): Promise<void> {
    const badPages: number[] = [];
    const slices = this.#pipeline.slices(fileToRead(file));
    for (let leftBytes = file.sizeBytes; ; leftBytes -= SLICE_BYTES) {
      this.#check();
      await this.#pace(Math.max(0, Math.min(leftBytes, SLICE_BYTES)));
      const { value } = await slices.next();
      if (value === undefined) return;
      const { ids, slice } = value;
      if ('code' in slice) return this.#onFile(file, slice);
      const hex = Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength).toString('hex');
      for (let at = 0; at < hex.length; at += ID_DIGITS) file.place.chunks.push(hex.slice(at, at + ID_DIGITS));
      badPages.push(...slice.badPages);
      if (slice.end !== undefined) return this.#onFile(file, { ...slice.end, badPages });
    }
  }

  #check(): void {
    if (this.#failure) throw this.#failure.cause;
  }
}
