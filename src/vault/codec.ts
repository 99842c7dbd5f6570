// Compression of one piece: smaller or stored raw; lengths checked after, because a truncated zstd frame passes for a whole one.

import { promisify } from 'node:util';
import {
  constants,
  gunzip,
  gunzipSync,
  gzipSync,
  zstdCompress,
  zstdCompressSync,
  zstdDecompress,
  zstdDecompressSync,
} from 'node:zlib';
import { fail } from '../errors/index.ts';
import { letGo } from './let-go.ts';

export const codecs = { raw: 0, zstd: 1, gzip: 2 } as const;

/** What the configuration may ask for new data. */
export type Compression = 'zstd' | 'gzip' | 'none';

const compressZstd = promisify(zstdCompress);
const decompressZstd = promisify(zstdDecompress);
const decompressGzip = promisify(gunzip);

/** zstd's own default; level 1 saves 30 % of the time and costs 12 % more bytes on database pages. */
const LEVEL = 3;

const ZSTD_OPTIONS = { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } };

/** Saves nothing that anybody pays for: a store counts requests and blocks, and whoever reads it pays for a decompressor. */
const TOO_SMALL_BYTES = 512;
/** Up to here the way to another thread and back costs more than the work, which keeps nobody waiting: tens of microseconds. */
const SMALL_BYTES = 64 * 1024;

/** A length that somebody claims gets no more memory than this before there are bytes. */
const LARGEST_STEP_BYTES = 16 * 1024 * 1024;

/** With the length known and room for the worst case zstd works in one pass, without buffers of its own. */
function inOnePass(plain: Uint8Array) {
  return { ...ZSTD_OPTIONS, pledgedSrcSize: plain.length, chunkSize: plain.length + (plain.length >> 8) + 1024 };
}

export interface Compressed {
  readonly codec: number;
  readonly bytes: Uint8Array;
}

/** Small things in the calling thread, larger ones in libuv's pool. */
export async function compress(plain: Uint8Array): Promise<Compressed> {
  if (plain.length <= SMALL_BYTES) return compressHere(plain);
  return smaller(plain, codecs.zstd, await compressZstd(plain, inOnePass(plain)));
}

/** As `compress`, in the calling thread. */
export function compressHere(plain: Uint8Array): Compressed {
  return compressSync(plain, plain.length <= TOO_SMALL_BYTES ? 'none' : 'zstd');
}

/** In the calling thread: for worker threads, which have nothing else to do. */
export function compressSync(plain: Uint8Array, compression: Compression): Compressed {
  if (compression === 'none' || plain.length === 0) return { codec: codecs.raw, bytes: plain };
  if (compression === 'gzip') return smaller(plain, codecs.gzip, gzipSync(plain));
  return smaller(plain, codecs.zstd, zstdCompressSync(plain, inOnePass(plain)));
}

function smaller(plain: Uint8Array, codec: number, bytes: Uint8Array): Compressed {
  if (bytes.length < plain.length) return { codec, bytes };
  letGo(bytes);
  return { codec: codecs.raw, bytes: plain };
}

/** Throws `OBJECT_DAMAGED` unless exactly `plainLength` bytes come out; never makes more than that. */
export async function decompress(codec: number, bytes: Buffer, plainLength: number, what: string): Promise<Buffer> {
  if (Math.max(bytes.length, plainLength) <= SMALL_BYTES) return decompressSync(codec, bytes, plainLength, what);
  return requireLength(await decompressBounded(codec, bytes, plainLength, what), plainLength, what);
}

/** With room for everything and a little more it is one step, without a window of its own: in the default steps of 16 KiB it takes half as long again. */
function bounded(plainLength: number) {
  return { maxOutputLength: Math.max(1, plainLength), chunkSize: Math.min(plainLength, LARGEST_STEP_BYTES) + 64 };
}

async function decompressBounded(codec: number, bytes: Buffer, plainLength: number, what: string): Promise<Buffer> {
  const limit = bounded(plainLength);
  try {
    if (codec === codecs.raw) return bytes;
    if (codec === codecs.zstd) return await decompressZstd(bytes, limit);
    if (codec === codecs.gzip) return await decompressGzip(bytes, limit);
  } catch (cause) {
    fail('OBJECT_DAMAGED', `${what} cannot be decompressed`, { cause });
  }
  return fail('VAULT_FORMAT', `${what} has an unknown codec ${codec}`);
}

/** As `decompress`, in the calling thread. */
export function decompressSync(codec: number, bytes: Buffer, plainLength: number, what: string): Buffer {
  const limit = bounded(plainLength);
  let plain: Buffer | undefined;
  try {
    if (codec === codecs.raw) plain = bytes;
    else if (codec === codecs.zstd) plain = zstdDecompressSync(bytes, limit);
    else if (codec === codecs.gzip) plain = gunzipSync(bytes, limit);
  } catch (cause) {
    fail('OBJECT_DAMAGED', `${what} cannot be decompressed`, { cause });
  }
  if (plain === undefined) return fail('VAULT_FORMAT', `${what} has an unknown codec ${codec}`);
  return requireLength(plain, plainLength, what);
}

function requireLength(plain: Buffer, plainLength: number, what: string): Buffer {
  if (plain.length === plainLength) return plain;
  return fail('OBJECT_DAMAGED', `${what} has ${plain.length} bytes after decompression, expected ${plainLength}`);
}
