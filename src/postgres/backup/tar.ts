// Reads the tar stream that the server makes of a data directory: one entry after another, nothing kept (POSIX.1-1988 ustar, as PostgreSQL writes it).

import { fail } from '../../errors/index.ts';

const BLOCK_BYTES = 512;

/** Gives the next bytes of one archive, good until more are asked for; `undefined` at its end. */
export type Pull = () => Promise<Buffer | undefined>;

export interface TarEntry {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink';
  readonly mode: number;
  readonly mtimeSeconds: number;
  readonly linkTarget: string;
  readonly sizeBytes: number;
  /** To be read to its end before the next entry is asked for; what it gives is good until more is asked for. */
  readonly body: AsyncIterable<Buffer>;
}

/** Throws `BACKUP_INVALID` when the stream is not tar, or ends inside an entry. */
export async function* readTar(pull: Pull): AsyncGenerator<TarEntry> {
  const input = new Input(pull);
  for (;;) {
    const header = await input.exactly(BLOCK_BYTES);
    // Two blocks of zeros close an archive; a server may also just end it.
    if (header === undefined || isZero(header)) return await input.drain();
    const entry = parseHeader(header);
    const body = new Body(input, entry.sizeBytes);
    yield { ...entry, body };
    await body.finish();
  }
}

/** The bytes of an archive as far as they have come, cut where needed. */
class Input {
  private readonly pull: Pull;
  private rest: Buffer | undefined;

  constructor(pull: Pull) {
    this.pull = pull;
  }

  /** Up to `limit` bytes, without copying; `undefined` at the end. */
  async some(limit: number): Promise<Buffer | undefined> {
    let chunk = this.rest ?? (await this.pull());
    this.rest = undefined;
    while (chunk?.length === 0) chunk = await this.pull();
    if (chunk !== undefined && chunk.length > limit) {
      this.rest = chunk.subarray(limit);
      return chunk.subarray(0, limit);
    }
    return chunk;
  }

  async exactly(size: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    let missing = size;
    while (missing > 0) {
      const part = await this.some(missing);
      if (part === undefined && missing === size) return undefined;
      if (part === undefined)
        return fail('BACKUP_INVALID', 'the stream of the base backup ends in the middle of a file');
      missing -= part.length;
      // What came is gone when more is pulled.
      parts.push(missing > 0 ? Buffer.from(part) : part);
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts);
  }

  async drain(): Promise<void> {
    for (let chunk = await this.some(BLOCK_BYTES); chunk !== undefined; chunk = await this.some(BLOCK_BYTES)) {
      if (!isZero(chunk)) fail('BACKUP_INVALID', 'the stream of the base backup goes on after its end');
    }
  }
}

class Body implements AsyncIterable<Buffer> {
  private readonly input: Input;
  private readonly paddingBytes: number;
  private left: number;

  constructor(input: Input, sizeBytes: number) {
    this.input = input;
    this.left = sizeBytes;
    this.paddingBytes = (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    while (this.left > 0) {
      const chunk = await this.input.some(this.left);
      if (chunk === undefined)
        return fail('BACKUP_INVALID', 'the stream of the base backup ends in the middle of a file');
      this.left -= chunk.length;
      yield chunk;
    }
  }

  async finish(): Promise<void> {
    if (this.left > 0) fail('INTERNAL', 'a file of the base backup was not read to its end');
    await this.input.exactly(this.paddingBytes);
  }
}

function parseHeader(header: Buffer): Omit<TarEntry, 'body'> {
  if (header.toString('latin1', 257, 262) !== 'ustar' || number(header, 148, 8) !== checksum(header)) {
    fail('BACKUP_INVALID', 'the stream of the base backup is not a tar archive');
  }
  const type = entryType(header[156]!);
  const prefix = text(header, 345, 155);
  const name = text(header, 0, 100);
  return {
    path: (prefix === '' ? name : `${prefix}/${name}`).replace(/^(\.\/)+/, '').replace(/\/+$/, ''),
    type,
    mode: number(header, 100, 8) & 0o7777,
    mtimeSeconds: number(header, 136, 12),
    linkTarget: text(header, 157, 100),
    sizeBytes: type === 'file' ? number(header, 124, 12) : 0,
  };
}

function entryType(flag: number): TarEntry['type'] {
  switch (String.fromCharCode(flag)) {
    case '0':
    case '\0':
      return 'file';
    case '2':
      return 'symlink';
    case '5':
      return 'directory';
    default:
      return fail('BACKUP_INVALID', `the base backup holds an entry of unknown type ${flag}`);
  }
}

function text(header: Buffer, at: number, size: number): string {
  const field = header.subarray(at, at + size);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? size : end);
}

/** Octal digits, or, from 8 GiB on, a big-endian number behind a first byte with its highest bit set (GNU). */
function number(header: Buffer, at: number, size: number): number {
  if ((header[at]! & 0x80) !== 0) {
    let value = header[at]! & 0x7f;
    for (let index = 1; index < size; index += 1) value = value * 256 + header[at + index]!;
    return value;
  }
  const digits = text(header, at, size).trim();
  if (!/^[0-7]*$/.test(digits))
    return fail('BACKUP_INVALID', 'the base backup holds a header with a number that is none');
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function checksum(header: Buffer): number {
  let sum = 0;
  // The field itself counts as spaces.
  for (let index = 0; index < BLOCK_BYTES; index += 1) sum += index >= 148 && index < 156 ? 0x20 : header[index]!;
  return sum;
}

function isZero(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}
