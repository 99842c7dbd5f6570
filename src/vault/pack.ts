// Packs: many encrypted chunks in one object that carries its own index (docs/vault-format.md, section 6).

import { createHash, type Hash, randomBytes } from 'node:crypto';
import { fail } from '../errors/index.ts';
import { codecs, decompress } from './codec.ts';
import { decryptAt, derive, encryptAt, hmac, SALT_BYTES, TAG_BYTES } from './crypto.ts';

const MAGIC = Buffer.from('HFPK');
const END_MAGIC = Buffer.from('HFPE');
const VERSION = 1;
const HEAD_BYTES = 40;
export const TRAILER_BYTES = 16;
export const ENTRY_BYTES = 45;
export const CHUNK_ID_BYTES = 32;
export const LARGEST_CHUNK_BYTES = 16 * 1024 * 1024;
/** Large enough that a bucket has few objects and a request costs nothing beside its bytes, small enough that some fit in memory for every copy. */
export const PACK_TARGET_BYTES = 32 * 1024 * 1024;

/** What binds a pack to its place: vault, generation and the generation's data key. */
export interface PackContext {
  readonly vaultId: Buffer;
  /** `<component>/generations/<generation>` */
  readonly path: string;
  readonly dataKey: Buffer;
  readonly chunkIdKey: Buffer;
}

export interface ChunkPlace {
  /** Of the ciphertext in the pack. */
  readonly offset: number;
  /** Without the tag. */
  readonly storedLength: number;
  readonly plainLength: number;
  readonly codec: number;
}

export interface FinishedPack {
  /** SHA-256 of `bytes`: the pack's name. */
  readonly sha256: string;
  readonly bytes: Buffer;
  /** Entries of its index, 45 bytes each. */
  readonly entries: Buffer;
}

/** Fills one buffer; chunks that do not fit make it grow, so a pack may exceed the target by one chunk. */
export class PackBuilder {
  readonly #context: PackContext;
  readonly #key: Buffer;
  readonly #hash: Hash = createHash('sha256');
  #buffer = Buffer.allocUnsafeSlow(PACK_TARGET_BYTES + 1024 * 1024);
  #length = 0;
  #entries = Buffer.allocUnsafe(ENTRY_BYTES * 512);
  #count = 0;

  constructor(context: PackContext) {
    this.#context = context;
    const salt = randomBytes(SALT_BYTES);
    this.#key = derive(context.dataKey, salt, 'pack');
    this.#append(Buffer.concat([MAGIC, Buffer.from([VERSION, 0, 0, 0]), salt]));
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  get isFull(): boolean {
    return this.#length >= PACK_TARGET_BYTES;
  }

  add(id: Buffer, codec: number, stored: Uint8Array, plainLength: number): void {
    const offset = this.#length;
    this.#entry(id, offset, stored.length, plainLength, codec);
    const associated = associatedData(this.#context, 0, codec, plainLength, id);
    for (const part of encryptAt(this.#key, offset, associated, stored)) this.#append(part);
  }

  finish(): FinishedPack {
    const entries = this.#entries.subarray(0, this.#count * ENTRY_BYTES);
    const offset = this.#length;
    const trailer = Buffer.alloc(TRAILER_BYTES);
    trailer.writeUInt32BE(offset, 0);
    trailer.writeUInt32BE(entries.length, 4);
    trailer.writeUInt32BE(this.#count, 8);
    END_MAGIC.copy(trailer, 12);
    const associated = associatedData(this.#context, 1, codecs.raw, entries.length, trailerId(trailer));
    for (const part of encryptAt(this.#key, offset, associated, entries)) this.#append(part);
    this.#append(trailer);
    const bytes = this.#buffer.subarray(0, this.#length);
    return { sha256: this.#hash.digest('hex'), bytes, entries };
  }

  #append(part: Buffer): void {
    if (this.#length + part.length > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(this.#length + part.length + 1024 * 1024);
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    part.copy(this.#buffer, this.#length);
    this.#length += part.length;
    this.#hash.update(part);
  }

  #entry(id: Buffer, offset: number, storedLength: number, plainLength: number, codec: number): void {
    if ((this.#count + 1) * ENTRY_BYTES > this.#entries.length) {
      this.#entries = Buffer.concat([this.#entries, Buffer.allocUnsafe(this.#entries.length)]);
    }
    const at = this.#count++ * ENTRY_BYTES;
    id.copy(this.#entries, at);
    this.#entries.writeUInt32BE(offset, at + 32);
    this.#entries.writeUInt32BE(storedLength, at + 36);
    this.#entries.writeUInt32BE(plainLength, at + 40);
    this.#entries.writeUInt8(codec, at + 44);
  }
}

export function chunkIdOf(chunkIdKey: Buffer, plain: Uint8Array): Buffer {
  return hmac(chunkIdKey, plain);
}

export function placeAt(entries: Buffer, number: number): ChunkPlace {
  const at = number * ENTRY_BYTES;
  return {
    offset: entries.readUInt32BE(at + 32),
    storedLength: entries.readUInt32BE(at + 36),
    plainLength: entries.readUInt32BE(at + 40),
    codec: entries.readUInt8(at + 44),
  };
}

/** Key of a pack from its first 40 bytes. Throws `OBJECT_DAMAGED`, `VAULT_FORMAT`. */
export function packKey(context: PackContext, head: Buffer, what: string): Buffer {
  if (head.length < HEAD_BYTES || !head.subarray(0, 4).equals(MAGIC)) fail('OBJECT_DAMAGED', `${what} is not a pack`);
  if (head.readUInt8(4) !== VERSION) fail('VAULT_FORMAT', `${what} has format version ${head.readUInt8(4)}`);
  return derive(context.dataKey, head.subarray(8, HEAD_BYTES), 'pack');
}

/** One chunk, `sealed` being its ciphertext and tag; verified by GCM, by length and by its id. */
export async function openChunk(
  context: PackContext,
  key: Buffer,
  id: Buffer,
  place: ChunkPlace,
  sealed: Buffer,
  what: string,
): Promise<Buffer> {
  const associated = associatedData(context, 0, place.codec, place.plainLength, id);
  const stored = decryptAt(key, place.offset, associated, sealed, what);
  const plain = await decompress(place.codec, stored, place.plainLength, what);
  if (!chunkIdOf(context.chunkIdKey, plain).equals(id)) fail('OBJECT_DAMAGED', `a chunk of ${what} is another one`);
  return plain;
}

/** The index a pack carries itself, read by two small ranges. `read`: bytes of the pack. */
export async function readPackEntries(
  context: PackContext,
  sizeBytes: number,
  read: (offset: number, length: number) => Promise<Buffer>,
  what: string,
): Promise<Buffer> {
  if (sizeBytes < HEAD_BYTES + TAG_BYTES + TRAILER_BYTES) fail('OBJECT_DAMAGED', `${what} is too short`);
  const trailer = await read(sizeBytes - TRAILER_BYTES, TRAILER_BYTES);
  const offset = trailer.readUInt32BE(0);
  const length = trailer.readUInt32BE(4);
  const fits = offset + length + TAG_BYTES + TRAILER_BYTES === sizeBytes && length % ENTRY_BYTES === 0;
  if (!fits || !trailer.subarray(12).equals(END_MAGIC) || trailer.readUInt32BE(8) * ENTRY_BYTES !== length) {
    fail('OBJECT_DAMAGED', `${what} does not end as a pack does`);
  }
  const key = packKey(context, await read(0, HEAD_BYTES), what);
  const associated = associatedData(context, 1, codecs.raw, length, trailerId(trailer));
  return decryptAt(key, offset, associated, await read(offset, length + TAG_BYTES), what);
}

function trailerId(trailer: Buffer): Buffer {
  return Buffer.concat([trailer, Buffer.alloc(CHUNK_ID_BYTES - TRAILER_BYTES)]);
}

function associatedData(context: PackContext, kind: number, codec: number, plainLength: number, id: Buffer): Buffer {
  const path = Buffer.from(context.path);
  const data = Buffer.allocUnsafe(4 + 2 + 16 + 5 + CHUNK_ID_BYTES + path.length);
  MAGIC.copy(data);
  data.writeUInt8(VERSION, 4);
  data.writeUInt8(kind, 5);
  context.vaultId.copy(data, 6);
  data.writeUInt8(codec, 22);
  data.writeUInt32BE(plainLength, 23);
  id.copy(data, 27);
  path.copy(data, 27 + CHUNK_ID_BYTES);
  return data;
}

export { HEAD_BYTES };
