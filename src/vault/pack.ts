// Packs: many encrypted frames of chunks in one object that carries its own index (docs/vault-format.md, section 6).

import { createHash, type Hash, randomBytes } from 'node:crypto';
import { fail } from '../errors/index.ts';
import type { ChunkIds } from './chunk-id.ts';
import { codecs, decompress } from './codec.ts';
import { decryptAt, derive, encryptAt, SALT_BYTES, TAG_BYTES } from './crypto.ts';
import { letGo } from './let-go.ts';
import { type ChunkPlace, type FramePlace, PackIndexBuilder } from './pack-index.ts';

const MAGIC = Buffer.from('HFPK');
const END_MAGIC = Buffer.from('HFPE');
const VERSION = 1;
export const HEAD_BYTES = 40;
export const TRAILER_BYTES = 16;
/**
 * Large enough that a bucket has few objects and a request costs nothing beside its bytes, small enough that some fit in memory for every copy. With
 * the last frame and the index a pack stays below 32 MiB: from there on glibc maps a buffer anew each time, and whoever reads packs touches fresh pages.
 */
export const PACK_TARGET_BYTES = 30 * 1024 * 1024;
/** Room behind the target for the frame that fills the pack and for the index. */
const PACK_SLACK_BYTES = 2 * 1024 * 1024;
/** Of the largest packs. */
export const PACK_BUFFER_BYTES = PACK_TARGET_BYTES + PACK_SLACK_BYTES;

/** What binds a pack to its place: vault, generation and the generation's data key. */
export interface PackContext {
  readonly vaultId: Buffer;
  /** `<component>/generations/<generation>` */
  readonly path: string;
  readonly dataKey: Buffer;
  readonly chunkIds: ChunkIds;
}

export interface FinishedPack {
  /** SHA-256 of `bytes`: the pack's name. */
  readonly sha256: string;
  /** A view of the buffer that the builder was given. */
  readonly bytes: Buffer;
  /** The pack's own index, plain. */
  readonly index: Buffer;
}

/** Fills one buffer, up to 2 MiB before its end; frames that do not fit make it grow. */
export class PackBuilder {
  readonly #context: PackContext;
  readonly #key: Buffer;
  readonly #hash: Hash = createHash('sha256');
  readonly #index = new PackIndexBuilder();
  readonly #targetBytes: number;
  #buffer: Buffer;
  #length = 0;

  constructor(context: PackContext, buffer: Buffer = Buffer.allocUnsafeSlow(PACK_BUFFER_BYTES)) {
    this.#context = context;
    this.#buffer = buffer;
    this.#targetBytes = buffer.length - PACK_SLACK_BYTES;
    const salt = randomBytes(SALT_BYTES);
    this.#key = derive(context.dataKey, salt, 'pack');
    this.#append(Buffer.concat([MAGIC, Buffer.from([VERSION, 0, 0, 0]), salt]));
  }

  get isEmpty(): boolean {
    return this.#index.frames === 0;
  }

  get isFull(): boolean {
    return this.#length >= this.#targetBytes;
  }

  /** `stored`: the frame as its codec made it; `ids` and `lengths` of its chunks. */
  add(codec: number, stored: Uint8Array, plainLength: number, ids: Uint8Array, lengths: readonly number[]): void {
    const offset = this.#length;
    this.#index.add({ offset, storedLength: stored.length, plainLength, codec }, ids, lengths);
    const associated = associatedData(this.#context, 0, codec, plainLength, FRAME_MARK);
    for (const part of encryptAt(this.#key, offset, associated, stored)) {
      this.#append(part);
      letGo(part);
    }
  }

  finish(): FinishedPack {
    const index = this.#index.bytes;
    const trailer = Buffer.alloc(TRAILER_BYTES);
    trailer.writeUInt32BE(this.#length, 0);
    trailer.writeUInt32BE(index.length, 4);
    trailer.writeUInt32BE(this.#index.frames, 8);
    END_MAGIC.copy(trailer, 12);
    const associated = associatedData(this.#context, 1, codecs.raw, index.length, trailerMark(trailer));
    for (const part of encryptAt(this.#key, this.#length, associated, index)) this.#append(part);
    this.#append(trailer);
    return { sha256: this.#hash.digest('hex'), bytes: this.#buffer.subarray(0, this.#length), index };
  }

  #append(part: Buffer): void {
    if (this.#length + part.length > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(this.#length + part.length + PACK_SLACK_BYTES);
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    part.copy(this.#buffer, this.#length);
    this.#length += part.length;
    this.#hash.update(part);
  }
}

/** Key of a pack from its first 40 bytes. Throws `OBJECT_DAMAGED`, `VAULT_FORMAT`. */
export function packKey(context: PackContext, head: Buffer, what: string): Buffer {
  if (head.length < HEAD_BYTES || !head.subarray(0, 4).equals(MAGIC)) fail('OBJECT_DAMAGED', `${what} is not a pack`);
  if (head.readUInt8(4) !== VERSION) fail('VAULT_FORMAT', `${what} has format version ${head.readUInt8(4)}`);
  return derive(context.dataKey, head.subarray(8, HEAD_BYTES), 'pack');
}

/** The plain bytes of a frame, `sealed` being its ciphertext and tag; verified by GCM and by length, its chunks not yet by their ids. */
export async function openFrame(
  context: PackContext,
  key: Buffer,
  place: FramePlace,
  sealed: Buffer,
  what: string,
): Promise<Buffer> {
  return decompress(place.codec, decryptFrame(context, key, place, sealed, what), place.plainLength, what);
}

/** The frame as its codec made it. */
export function decryptFrame(
  context: PackContext,
  key: Buffer,
  place: FramePlace,
  sealed: Buffer,
  what: string,
): Buffer {
  const associated = associatedData(context, 0, place.codec, place.plainLength, FRAME_MARK);
  return decryptAt(key, place.offset, associated, sealed, what);
}

/** A chunk cut out of its frame, compared with its id. */
export function chunkOf(
  context: PackContext,
  frame: Buffer,
  id: Buffer,
  place: Pick<ChunkPlace, 'offset' | 'length'>,
  what: string,
): Buffer {
  const plain = frame.subarray(place.offset, place.offset + place.length);
  if (!context.chunkIds.of(plain).equals(id)) fail('OBJECT_DAMAGED', `a chunk of ${what} is another one`);
  return plain;
}

/** The index a pack carries itself, read by three small ranges. `read`: bytes of the pack. */
export async function readPackIndex(
  context: PackContext,
  sizeBytes: number,
  read: (offset: number, length: number) => Promise<Buffer>,
  what: string,
): Promise<Buffer> {
  if (sizeBytes < HEAD_BYTES + TAG_BYTES + TRAILER_BYTES) fail('OBJECT_DAMAGED', `${what} is too short`);
  const trailer = await read(sizeBytes - TRAILER_BYTES, TRAILER_BYTES);
  const offset = trailer.readUInt32BE(0);
  const length = trailer.readUInt32BE(4);
  const fits = offset >= HEAD_BYTES && offset + length + TAG_BYTES + TRAILER_BYTES === sizeBytes;
  if (!fits || !trailer.subarray(12).equals(END_MAGIC)) fail('OBJECT_DAMAGED', `${what} does not end as a pack does`);
  const key = packKey(context, await read(0, HEAD_BYTES), what);
  const associated = associatedData(context, 1, codecs.raw, length, trailerMark(trailer));
  return decryptAt(key, offset, associated, await read(offset, length + TAG_BYTES), what);
}

const MARK_BYTES = 32;
const FRAME_MARK = Buffer.alloc(MARK_BYTES);

function trailerMark(trailer: Buffer): Buffer {
  return Buffer.concat([trailer, Buffer.alloc(MARK_BYTES - TRAILER_BYTES)]);
}

function associatedData(context: PackContext, kind: number, codec: number, plainLength: number, mark: Buffer): Buffer {
  const path = Buffer.from(context.path);
  const data = Buffer.allocUnsafe(4 + 2 + 16 + 5 + MARK_BYTES + path.length);
  MAGIC.copy(data);
  data.writeUInt8(VERSION, 4);
  data.writeUInt8(kind, 5);
  context.vaultId.copy(data, 6);
  data.writeUInt8(codec, 22);
  data.writeUInt32BE(plainLength, 23);
  mark.copy(data, 27);
  path.copy(data, 27 + MARK_BYTES);
  return data;
}
