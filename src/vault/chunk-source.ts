// Reading chunks back: adjacent frames by one ranged read, a little ahead, verified, and from another copy when one fails.

import { type HoldfastError, isHoldfastError, toHoldfastError } from '../errors/index.ts';
import type { ByteRange } from '../stores/store.ts';
import type { ChunkIndex } from './chunk-index.ts';
import type { ChunkRecord } from './chunk-record.ts';
import type { Copy } from './copies.ts';
import type { VaultCore } from './core.ts';
import { TAG_BYTES } from './crypto.ts';
import type { Elsewhere } from './elsewhere.ts';
import type { Generation } from './generation.ts';
import { packKeyOf } from './layout.ts';
import { chunkOf, HEAD_BYTES, openFrame, packKey } from './pack.ts';
import { failWithWorst } from './replicate.ts';
import { findVersion } from './versions.ts';

/** One ranged read takes at least this much, so that a thousand small files captured together cost few requests. */
const SMALLEST_RANGE_BYTES = 1024 * 1024;
const LARGEST_RANGE_BYTES = 8 * 1024 * 1024;
/** Ranges kept for the next file, and as many in flight: about 100 MB at the most. */
const KEPT_RANGES = 12;
/** Opened frames kept for their other chunks: about 24 MB. */
const KEPT_FRAMES = 24;

interface Range {
  readonly copy: Copy;
  readonly pack: number;
  readonly start: number;
  readonly end: number;
  readonly bytes: Promise<Buffer>;
}

export interface SourcePack {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly generation: Generation;
}

export interface SourceParts {
  readonly core: VaultCore;
  readonly index: ChunkIndex;
  readonly packs: readonly SourcePack[];
  /** In order of preference. */
  readonly copies: readonly Copy[];
  readonly elsewhere: Elsewhere;
}

export class ChunkSource {
  readonly #parts: SourceParts;
  #copies: readonly Copy[];
  readonly #keys = new Map<number, Promise<Buffer>>();
  #ranges: Range[] = [];
  /** By copy, pack and offset, oldest first. */
  readonly #frames = new Map<string, Promise<Buffer>>();
  /** By `copy pack`: the version to read, and the search for it. */
  readonly #versions = new Map<string, string>();
  readonly #finding = new Map<string, Promise<string | undefined>>();
  /** `copy pack` that failed once: not asked again by this reader. */
  readonly #bad = new Map<string, HoldfastError>();

  constructor(parts: SourceParts) {
    this.#parts = parts;
    this.#copies = parts.copies;
  }

  /** `run`: the chunks that will be wanted next, which one read may take along. */
  async read(id: Buffer, run: () => readonly Buffer[]): Promise<Buffer> {
    const record = this.#parts.index.find(id);
    if (!record) return failWithWorst(`chunk ${id.toString('hex')}`, []);
    const errors: HoldfastError[] = [];
    for (const copy of this.#copies) {
      const place = packPlace(copy, record);
      const known = this.#bad.get(place);
      if (known) errors.push(known);
      else {
        try {
          return await this.#open(copy, id, record, run).catch((cause: unknown) =>
            this.#openOlder(copy, id, record, run, cause),
          );
        } catch (cause) {
          errors.push(this.#failed(copy, record, place, cause));
        }
      }
    }
    return failWithWorst(this.#packKey(record.pack), errors);
  }

  /** Where the ciphertext of the last frame ends that lies behind `first` in the same pack without a gap. */
  #runEnd(first: ChunkRecord, run: readonly Buffer[]): number {
    let end = endOf(first);
    for (const id of run) {
      const next = this.#parts.index.find(id);
      if (next?.pack !== first.pack) break;
      const { offset } = next.frame;
      if (offset >= first.frame.offset && offset < end) continue; // another chunk of a frame that is in
      if (offset !== end || endOf(next) - first.frame.offset > LARGEST_RANGE_BYTES) break;
      end = endOf(next);
    }
    return end;
  }

  async #open(copy: Copy, id: Buffer, record: ChunkRecord, run: () => readonly Buffer[]): Promise<Buffer> {
    const what = `'${this.#packKey(record.pack)}' on '${copy.description.name}'`;
    const frame = await this.#frame(copy, record, what, run);
    return chunkOf(this.#pack(record.pack).generation.context, frame, id, record, what);
  }

  /** The version of a pack that is what its name says, under what others put over it; looked for once. Throws `cause` when there is none. */
  async #openOlder(copy: Copy, id: Buffer, record: ChunkRecord, run: () => readonly Buffer[], cause: unknown) {
    if (!isHoldfastError(cause, 'OBJECT_MISSING', 'OBJECT_DAMAGED')) throw cause;
    const place = packPlace(copy, record);
    const finding = this.#finding.get(place) ?? this.#findVersion(copy, record.pack, place);
    this.#finding.set(place, finding);
    if ((await finding) === undefined) throw cause;
    this.#frames.delete(framePlace(copy, record));
    return this.#open(copy, id, record, run);
  }

  async #findVersion(copy: Copy, pack: number, place: string): Promise<string | undefined> {
    const { sizeBytes, sha256 } = this.#pack(pack);
    const version = await findVersion(copy.store, this.#packKey(pack), sizeBytes, sha256);
    if (version === undefined) return undefined;
    this.#versions.set(place, version);
    this.#ranges = this.#ranges.filter((range) => range.copy !== copy || range.pack !== pack);
    this.#keys.delete(pack);
    return version;
  }

  #get(copy: Copy, pack: number, range: ByteRange): Promise<Buffer> {
    const version = this.#versions.get(packPlace(copy, { pack }));
    return copy.store.get(this.#packKey(pack), range, version === undefined ? {} : { version });
  }

  #frame(copy: Copy, record: ChunkRecord, what: string, run: () => readonly Buffer[]): Promise<Buffer> {
    const place = framePlace(copy, record);
    const known = this.#frames.get(place);
    if (known) return known;
    const opening = this.#openFrame(copy, record, what, run);
    opening.catch(() => this.#frames.delete(place));
    this.#frames.set(place, opening);
    if (this.#frames.size > KEPT_FRAMES) this.#frames.delete(this.#frames.keys().next().value as string);
    return opening;
  }

  async #openFrame(copy: Copy, record: ChunkRecord, what: string, run: () => readonly Buffer[]): Promise<Buffer> {
    const range = this.#rangeFor(copy, record, run);
    const [key, bytes] = await Promise.all([this.#keyOf(copy, record.pack), range.bytes]);
    const at = record.frame.offset - range.start;
    const sealed = bytes.subarray(at, at + record.frame.storedLength + TAG_BYTES);
    return openFrame(this.#pack(record.pack).generation.context, key, record.frame, sealed, what);
  }

  #rangeFor(copy: Copy, record: ChunkRecord, run: () => readonly Buffer[]): Range {
    const start = record.frame.offset;
    const needed = endOf(record);
    const found = this.#ranges.find(
      (range) => range.copy === copy && range.pack === record.pack && range.start <= start && range.end >= needed,
    );
    if (found) return found;
    const size = Math.max(needed, this.#pack(record.pack).sizeBytes);
    const last = Math.min(size, Math.max(this.#runEnd(record, run()), start + SMALLEST_RANGE_BYTES));
    const bytes = this.#get(copy, record.pack, { offset: start, length: last - start });
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
    const key = this.#get(copy, pack, { offset: 0, length: HEAD_BYTES }).then((head) =>
      packKey(this.#pack(pack).generation.context, head, `'${path}' on '${copy.description.name}'`),
    );
    this.#keys.set(pack, key);
    key.catch(() => this.#keys.delete(pack));
    return key;
  }

  #failed(copy: Copy, record: ChunkRecord, place: string, cause: unknown): HoldfastError {
    const error = toHoldfastError(cause);
    this.#keys.delete(record.pack); // the salt may be what is damaged
    this.#frames.delete(framePlace(copy, record));
    if (isHoldfastError(error, 'OBJECT_MISSING')) this.#bad.set(place, error);
    // A copy that does not answer is asked last from now on: each of its refusals takes as long as its retries.
    else if (!isHoldfastError(error, 'OBJECT_DAMAGED')) {
      this.#copies = [...this.#copies.filter((each) => each !== copy), copy];
    }
    const key = this.#packKey(record.pack);
    this.#parts.core.logger.warn(
      { copy: copy.description.name, key, code: error.code },
      `reading from another copy if there is one: ${error.message}`,
    );
    return error;
  }

  #pack(number: number): SourcePack {
    return this.#parts.packs[number] as SourcePack;
  }

  #packKey(number: number): string {
    const { generation, sha256 } = this.#pack(number);
    return packKeyOf(generation.path, sha256);
  }
}

function endOf({ frame }: ChunkRecord): number {
  return frame.offset + frame.storedLength + TAG_BYTES;
}

function packPlace(copy: Copy, { pack }: Pick<ChunkRecord, 'pack'>): string {
  return `${copy.description.name} ${pack}`;
}

function framePlace(copy: Copy, { pack, frame }: ChunkRecord): string {
  return `${copy.description.name} ${pack} ${frame.offset}`;
}
