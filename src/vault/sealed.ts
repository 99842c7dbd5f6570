// The sealed object: one container for everything that is not a pack (docs/vault-format.md, section 5).

import { randomBytes } from 'node:crypto';
import { fail } from '../errors/index.ts';
import { type Compressed, codecs, compress, compressHere, decompress } from './codec.ts';
import { decryptAt, derive, encryptAt, SALT_BYTES, TAG_BYTES } from './crypto.ts';
import { letGo } from './let-go.ts';

export const objectTypes = {
  generationKey: 1,
  index: 2,
  manifest: 3,
  segment: 4,
  extent: 5,
  mark: 6,
  history: 7,
  record: 8,
  lease: 9,
  slotRemoval: 10,
  tombstone: 11,
  hold: 12,
  proof: 13,
} as const;
export type ObjectType = (typeof objectTypes)[keyof typeof objectTypes];

const MAGIC = Buffer.from('HFSO');
const VERSION = 1;
const PREFIX_BYTES = 64;
/** Enough for nearly every header in one ranged read. */
export const HEADER_READ_BYTES = 16 * 1024;

/** What opens a sealed object: where it lies, what it is, and the base key of its type. */
export interface SealContext {
  readonly vaultId: Buffer;
  readonly type: ObjectType;
  readonly key: string;
  readonly baseKey: Buffer;
}

export interface Opened {
  readonly header: unknown;
  readonly body: Buffer;
}

export async function seal(context: SealContext, header: unknown, body: Uint8Array): Promise<Buffer> {
  const head = Buffer.from(JSON.stringify(header));
  return assemble(context, [await section(head, compress), await section(body, compress)]);
}

/** As `seal`, in the calling thread: for worker threads, which have nothing else to do. */
export function sealHere(context: SealContext, header: unknown, body: Uint8Array): Buffer {
  const sectionHere = (plain: Uint8Array) => ({ ...compressHere(plain), plainLength: plain.length });
  return assemble(context, [sectionHere(Buffer.from(JSON.stringify(header))), sectionHere(body)]);
}

interface PackedSection extends Compressed {
  readonly plainLength: number;
}

async function section(plain: Uint8Array, pack: (plain: Uint8Array) => Promise<Compressed>): Promise<PackedSection> {
  return { ...(await pack(plain)), plainLength: plain.length };
}

function assemble(context: SealContext, sections: readonly [PackedSection, PackedSection]): Buffer {
  const [first, second] = sections;
  const prefix = Buffer.alloc(PREFIX_BYTES);
  MAGIC.copy(prefix);
  prefix.writeUInt8(VERSION, 4);
  prefix.writeUInt8(context.type, 5);
  prefix.writeUInt8(first.codec, 6);
  prefix.writeUInt8(second.codec, 7);
  randomBytes(SALT_BYTES).copy(prefix, 8);
  prefix.writeUInt32BE(first.bytes.length, 40);
  prefix.writeUInt32BE(first.plainLength, 44);
  prefix.writeBigUInt64BE(BigInt(second.bytes.length), 48);
  prefix.writeBigUInt64BE(BigInt(second.plainLength), 56);
  const key = objectKey(context, prefix);
  const secondOffset = PREFIX_BYTES + first.bytes.length + TAG_BYTES;
  const encrypted = [
    ...encryptAt(key, PREFIX_BYTES, associated(context, prefix, 0), first.bytes),
    ...encryptAt(key, secondOffset, associated(context, prefix, 1), second.bytes),
  ];
  const sealed = Buffer.concat([prefix, ...encrypted]);
  for (const part of encrypted) letGo(part);
  // What was not compressed is the caller's.
  for (const { codec, bytes } of sections) if (codec !== codecs.raw) letGo(bytes);
  return sealed;
}

type Decompress = (codec: number, bytes: Buffer, plainLength: number, what: string) => Buffer | Promise<Buffer>;

/**
 * Opens a whole object; worker threads give the `decompressSync` of the codec, because they have nothing else to do. Throws `OBJECT_DAMAGED`, or
 * `VAULT_FORMAT` for a version this program does not know.
 */
export async function unseal(context: SealContext, bytes: Buffer, open: Decompress = decompress): Promise<Opened> {
  const { prefix, first, second, end } = readPrefix(context, bytes);
  if (bytes.length !== end) fail('OBJECT_DAMAGED', `'${context.key}' has ${bytes.length} bytes, expected ${end}`);
  const key = objectKey(context, prefix);
  const header = await openSection({ context, prefix, key }, bytes, 0, first);
  const body = await openSection({ context, prefix, key }, bytes, 1, second, open);
  return { header: parseHeader(context, header), body };
}

/** Opens the header alone from the first bytes of an object; `undefined` when they are too few: then `headerEnd` says how many. */
export async function unsealHeader(
  context: SealContext,
  start: Buffer,
): Promise<{ header: unknown } | { headerEnd: number }> {
  const { prefix, first, second } = readPrefix(context, start);
  if (start.length < second.offset) return { headerEnd: second.offset };
  const key = objectKey(context, prefix);
  return { header: parseHeader(context, await openSection({ context, prefix, key }, start, 0, first)) };
}

interface Section {
  readonly offset: number;
  readonly storedLength: number;
  readonly plainLength: number;
  readonly codec: number;
}

function readPrefix(
  context: SealContext,
  bytes: Buffer,
): { prefix: Buffer; first: Section; second: Section; end: number } {
  if (bytes.length < PREFIX_BYTES || !bytes.subarray(0, 4).equals(MAGIC)) {
    fail('OBJECT_DAMAGED', `'${context.key}' is not an object of a vault`);
  }
  const version = bytes.readUInt8(4);
  if (version !== VERSION) fail('VAULT_FORMAT', `'${context.key}' has format version ${version}`);
  if (bytes.readUInt8(5) !== context.type) {
    fail('OBJECT_DAMAGED', `'${context.key}' is of type ${bytes.readUInt8(5)}, expected ${context.type}`);
  }
  const first = {
    offset: PREFIX_BYTES,
    storedLength: bytes.readUInt32BE(40),
    plainLength: bytes.readUInt32BE(44),
    codec: bytes.readUInt8(6),
  };
  const second = {
    offset: first.offset + first.storedLength + TAG_BYTES,
    storedLength: Number(bytes.readBigUInt64BE(48)),
    plainLength: Number(bytes.readBigUInt64BE(56)),
    codec: bytes.readUInt8(7),
  };
  const end = second.offset + second.storedLength + TAG_BYTES;
  if (!Number.isSafeInteger(end)) fail('OBJECT_DAMAGED', `'${context.key}' has impossible lengths`);
  return { prefix: bytes.subarray(0, PREFIX_BYTES), first, second, end };
}

interface ObjectParts {
  readonly context: SealContext;
  readonly prefix: Buffer;
  /** The object's own. */
  readonly key: Buffer;
}

async function openSection(
  { context, prefix, key }: ObjectParts,
  bytes: Buffer,
  number: number,
  section: Section,
  open: Decompress = decompress,
): Promise<Buffer> {
  const sealed = bytes.subarray(section.offset, section.offset + section.storedLength + TAG_BYTES);
  const what = `'${context.key}'`;
  const stored = decryptAt(key, section.offset, associated(context, prefix, number), sealed, what);
  const plain = await open(section.codec, stored, section.plainLength, what);
  if (plain !== stored) letGo(stored);
  return plain;
}

function objectKey(context: SealContext, prefix: Buffer): Buffer {
  return derive(context.baseKey, prefix.subarray(8, 8 + SALT_BYTES), 'sealed');
}

function associated(context: SealContext, prefix: Buffer, section: number): Buffer {
  return Buffer.concat([prefix, context.vaultId, Buffer.from([section]), Buffer.from(context.key)]);
}

function parseHeader(context: SealContext, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch (cause) {
    return fail('OBJECT_DAMAGED', `the header of '${context.key}' is not JSON`, { cause });
  }
}

export { codecs };
