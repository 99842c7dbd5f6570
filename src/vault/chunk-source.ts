// Reading chunks back: adjacent ones by one ranged read, a little ahead, verified, and from another copy when one fails.

import { type HoldfastError, isHoldfastError, toHoldfastError } from '../errors/index.ts';
import type { ChunkRecord, ChunkTable } from './chunk-table.ts';
import type { Copy } from './copies.ts';
import type { VaultCore } from './core.ts';
import { TAG_BYTES } from './crypto.ts';
import type { Generation } from './generation.ts';
import { packKeyOf } from './layout.ts';
import { HEAD_BYTES, openChunk, packKey } from './pack.ts';
import { failWithWorst } from './replicate.ts';

/** One ranged read takes at least this much, so that a thousand small files captured together cost few requests. */
const SMALLEST_RANGE_BYTES = 1024 * 1024;
const LARGEST_RANGE_BYTES = 8 * 1024 * 1024;
/** Ranges kept for the next file, and as many in flight: about 100 MB at the most. */
const KEPT_RANGES = 12;

interface Range {
  readonly copy: Copy;
  readonly pack: number;
  readonly start: number;
  readonly end: number;
  readonly bytes: Promise<Buffer>;
}

export interface SourceParts {
  readonly core: VaultCore;
  readonly generation: Generation;
  readonly table: ChunkTable;
  readonly packs: readonly { readonly sha256: string; readonly sizeBytes: number }[];
  /** In order of preference. */
  readonly copies: readonly Copy[];
}

export class ChunkSource {
  readonly #parts: SourceParts;
  #copies: readonly Copy[];
  readonly #keys = new Map<number, Promise<Buffer>>();
  #ranges: Range[] = [];
  /** `copy pack` that failed once: not asked again by this reader. */
  readonly #bad = new Map<string, HoldfastError>();

  constructor(parts: SourceParts) {
    this.#parts = parts;
    this.#copies = parts.copies;
  }

  /** `run`: the chunk with those that will be wanted next, which one read may take along. */
  async read(id: Buffer, run: () => readonly Buffer[]): Promise<Buffer> {
    const { table } = this.#parts;
    const number = table.find(id);
    if (number < 0) failWithWorst(`chunk ${id.toString('hex')}`, []);
    const record = table.get(number);
    const errors: HoldfastError[] = [];
    for (const copy of this.#copies) {
      const place = `${copy.description.name} ${record.pack}`;
      const known = this.#bad.get(place);
      if (known) errors.push(known);
      else {
        try {
          return await this.#open(copy, id, record, run);
        } catch (cause) {
          errors.push(this.#failed(copy, record.pack, place, cause));
        }
      }
    }
    return failWithWorst(this.#packKey(record.pack), errors);
  }

  /** Where the ciphertext of the last chunk ends that lies behind `first` in the same pack without a gap. */
  #runEnd(first: ChunkRecord, run: readonly Buffer[]): number {
    let end = first.offset + first.storedLength + TAG_BYTES;
    for (const id of run) {
      const number = this.#parts.table.find(id);
      if (number < 0) break;
      const next = this.#parts.table.get(number);
      if (next.pack !== first.pack || next.offset !== end) {
        if (next.pack === first.pack && next.offset >= first.offset && next.offset < end) continue; // the same chunk again
        break;
      }
      const nextEnd = next.offset + next.storedLength + TAG_BYTES;
      if (nextEnd - first.offset > LARGEST_RANGE_BYTES) break;
      end = nextEnd;
    }
    return end;
  }

  async #open(copy: Copy, id: Buffer, record: ChunkRecord, run: () => readonly Buffer[]): Promise<Buffer> {
    const key = await this.#keyOf(copy, record.pack);
    const range = this.#rangeFor(copy, record, run);
    const bytes = await range.bytes;
    const at = record.offset - range.start;
    const sealed = bytes.subarray(at, at + record.storedLength + TAG_BYTES);
    const what = `'${this.#packKey(record.pack)}' on '${copy.description.name}'`;
    return openChunk(this.#parts.generation.context, key, id, record, sealed, what);
  }

  #rangeFor(copy: Copy, record: ChunkRecord, run: () => readonly Buffer[]): Range {
    const needed = record.offset + record.storedLength + TAG_BYTES;
    const found = this.#ranges.find(
      (range) =>
        range.copy === copy && range.pack === record.pack && range.start <= record.offset && range.end >= needed,
    );
    if (found) return found;
    const size = this.#parts.packs[record.pack]?.sizeBytes ?? needed;
    const start = record.offset;
    const last = Math.min(size, Math.max(this.#runEnd(record, run()), start + SMALLEST_RANGE_BYTES));
    const bytes = copy.store.get(this.#packKey(record.pack), { offset: start, length: last - start });
    bytes.catch(() => {
      this.#ranges = this.#ranges.filter((range) => range.bytes !== bytes);
    });
    const range = { copy, pack: record.pack, start, end: last, bytes };
    this.#ranges = [...this.#ranges.slice(-(KEPT_RANGES - 1)), range];
    return range;
  }

  /** The salt of a pack is in its first bytes; one small read per pack, asked of the same copy so that a damaged one is noticed there. */
  async #keyOf(copy: Copy, pack: number): Promise<Buffer> {
    const known = this.#keys.get(pack);
    if (known) return known;
    const path = this.#packKey(pack);
    const key = copy.store
      .get(path, { offset: 0, length: HEAD_BYTES })
      .then((head) => packKey(this.#parts.generation.context, head, `'${path}' on '${copy.description.name}'`));
    this.#keys.set(pack, key);
    key.catch(() => this.#keys.delete(pack));
    return key;
  }

  #failed(copy: Copy, pack: number, place: string, cause: unknown): HoldfastError {
    const error = toHoldfastError(cause);
    this.#keys.delete(pack); // the salt may be what is damaged
    if (isHoldfastError(error, 'OBJECT_MISSING')) this.#bad.set(place, error);
    // A copy that does not answer is asked last from now on: each of its refusals takes as long as its retries.
    else if (!isHoldfastError(error, 'OBJECT_DAMAGED')) {
      this.#copies = [...this.#copies.filter((each) => each !== copy), copy];
    }
    const key = this.#packKey(pack);
    this.#parts.core.logger.warn(
      { copy: copy.description.name, key, code: error.code },
      `reading from another copy if there is one: ${error.message}`,
    );
    return error;
  }

  #packKey(pack: number): string {
    return packKeyOf(this.#parts.generation.path, this.#parts.packs[pack]?.sha256 ?? '');
  }
}
