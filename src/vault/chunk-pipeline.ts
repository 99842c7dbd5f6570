// Plain chunks in, packs out: deduplicated against the generation, compressed on all cores, encrypted and packed in their order.

import { ChunkTable, PENDING } from './chunk-table.ts';
import { compress } from './codec.ts';
import type { StoredPack } from './generation.ts';
import type { IndexedPack } from './index-object.ts';
import {
  CHUNK_ID_BYTES,
  chunkIdOf,
  ENTRY_BYTES,
  type FinishedPack,
  PackBuilder,
  type PackContext,
  placeAt,
} from './pack.ts';

/** Plain bytes between the source and the pack: enough to keep the compressor's threads busy, small beside the packs in memory. */
const MOST_BYTES_IN_FLIGHT = 16 * 1024 * 1024;

export class ChunkPipeline {
  readonly #context: PackContext;
  readonly #table = new ChunkTable();
  readonly #stored: readonly StoredPack[];
  readonly #usedStored = new Set<number>();
  readonly #onPack: (pack: FinishedPack) => Promise<void>;
  #builder: PackBuilder;
  #tail: Promise<void> = Promise.resolve();
  #failure: { readonly cause: unknown } | undefined;
  #bytesInFlight = 0;
  chunks = 0;
  newChunks = 0;
  newBytes = 0;

  constructor(context: PackContext, stored: readonly StoredPack[], onPack: (pack: FinishedPack) => Promise<void>) {
    this.#context = context;
    this.#stored = stored;
    this.#onPack = onPack;
    this.#builder = new PackBuilder(context);
    for (const [number, pack] of stored.entries()) this.#remember(number, pack);
  }

  /** Gives the chunk's id at once; waits when too much is in flight. Throws what an earlier chunk failed with. */
  async add(plain: Buffer): Promise<Buffer> {
    this.#check();
    const id = chunkIdOf(this.#context.chunkIdKey, plain);
    this.chunks++;
    const record = this.#table.find(id);
    if (record >= 0) {
      const { pack } = this.#table.get(record);
      if (pack !== PENDING) this.#usedStored.add(pack);
      return id;
    }
    this.#table.add(id, { pack: PENDING, offset: 0, storedLength: 0, plainLength: plain.length, codec: 0 });
    this.newChunks++;
    this.newBytes += plain.length;
    this.#enqueue(id, plain);
    while (this.#bytesInFlight > MOST_BYTES_IN_FLIGHT && !this.#failure) await this.#oneLess();
    this.#check();
    return id;
  }

  /** Resolves when every chunk is in a pack and every pack was handed over. */
  async finish(): Promise<void> {
    await this.#tail;
    this.#check();
    if (!this.#builder.isEmpty) await this.#handOver();
  }

  /** Packs of earlier attempts and snapshots that chunks of this one lie in. */
  get usedStoredPacks(): StoredPack[] {
    return [...this.#usedStored].sort((a, b) => a - b).map((number) => this.#stored[number] as StoredPack);
  }

  #remember(number: number, pack: IndexedPack): void {
    for (let entry = 0; entry < pack.entries.length / ENTRY_BYTES; entry++) {
      const at = entry * ENTRY_BYTES;
      const id = pack.entries.subarray(at, at + CHUNK_ID_BYTES);
      this.#table.add(id, { pack: number, ...placeAt(pack.entries, entry) });
    }
  }

  #waiting: (() => void) | undefined;

  #oneLess(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  #enqueue(id: Buffer, plain: Buffer): void {
    this.#bytesInFlight += plain.length;
    const compressed = compress(plain);
    compressed.catch(() => {});
    this.#tail = this.#tail.then(async () => {
      try {
        if (this.#failure) return;
        const { codec, bytes } = await compressed;
        this.#builder.add(id, codec, bytes, plain.length);
        if (this.#builder.isFull) await this.#handOver();
      } catch (cause) {
        this.#failure ??= { cause };
      } finally {
        this.#bytesInFlight -= plain.length;
        this.#waiting?.();
      }
    });
  }

  async #handOver(): Promise<void> {
    const pack = this.#builder.finish();
    this.#builder = new PackBuilder(this.#context);
    await this.#onPack(pack);
  }

  #check(): void {
    if (this.#failure) throw this.#failure.cause;
  }
}
