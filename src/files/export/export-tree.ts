// An export: the archive of a tree, compressed where its name says so, into a file that has its name only when all of it is on the disk, or into a stream.

import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, link, lstat, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdCompress, constants as zlib } from 'node:zlib';
import { isCompressed } from '../../domain/archive-name.ts';
import { fail, HoldfastError } from '../../errors/index.ts';
import { isThere, syncDirectory } from '../../system/index.ts';
import type { SnapshotReader } from '../../vault/index.ts';
import type { Selection } from '../restore/select.ts';
import { type Archived, archive } from './archive.ts';

export interface ExportOptions {
  readonly reader: Pick<SnapshotReader, 'snapshot' | 'entries' | 'read'>;
  readonly selection: Selection;
  readonly signal: AbortSignal;
  readonly onProgress?: (done: Readonly<Archived>) => void;
}

export interface Exported extends Readonly<Archived> {
  /** Of the archive as it was written. */
  readonly archiveBytes: number;
  /** Lower-case hexadecimal SHA-256 of it. */
  readonly sha256: string;
}

/** As Holdfast's own default: more costs much time for little room. */
const LEVEL = 3;
/** Of file systems that know no hard links. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS']);
const PROGRESS_BYTES = 64 * 1024 * 1024;

/**
 * Until everything is written, synced and read once more, the bytes are under a name of their own beside `file`, and removed when that fails.
 * Throws `TARGET_UNFIT` when there is a file of the name, `NO_SPACE`, `RECOVERY_MISMATCH` and as `archive` does.
 */
export async function exportToFile(file: string, options: ExportOptions): Promise<Exported> {
  const compressed = isCompressed(file);
  await requireAbsent(file);
  const partial = `${file}.${randomBytes(4).toString('hex')}.partial`;
  const handle = await openNew(partial);
  try {
    const written = await writeAll(handle, compressed, options);
    await requireSame(partial, written, options.signal);
    await giveName(partial, file);
    return written;
  } catch (error) {
    throw roomError(error, file);
  } finally {
    await handle.close().catch(() => undefined);
    await rm(partial, { force: true });
    await syncDirectory(path.dirname(path.resolve(file)));
  }
}

/** Compressed. The stream is not ended. Throws as `archive` does, and what the stream says. */
export async function exportToStream(output: Writable, options: ExportOptions): Promise<Exported> {
  const counted = new Counted();
  for await (const bytes of bytesOf(options, true, counted.archived)) {
    counted.take(bytes);
    await write(output, bytes);
  }
  return counted.exported;
}

async function writeAll(handle: FileHandle, compressed: boolean, options: ExportOptions): Promise<Exported> {
  const counted = new Counted();
  for await (const bytes of bytesOf(options, compressed, counted.archived)) {
    counted.take(bytes);
    await handle.writeFile(bytes);
  }
  await handle.sync();
  return counted.exported;
}

/** What the compressor is still busy with when the reader fails is lost with it: the error comes out here. */
async function* bytesOf(
  { reader, selection, signal, onProgress }: ExportOptions,
  compressed: boolean,
  archived: Archived,
): AsyncGenerator<Buffer> {
  const plain = reported(archive({ reader, selection, archived, signal }), archived, onProgress);
  if (!compressed) {
    yield* plain;
    return;
  }
  const params = { [zlib.ZSTD_c_compressionLevel]: LEVEL, [zlib.ZSTD_c_checksumFlag]: 1 };
  const compressor = createZstdCompress({ params });
  const feeding = pipeline(Readable.from(plain, { objectMode: true }), compressor).catch((error: unknown) => {
    compressor.destroy(error as Error);
    throw error;
  });
  feeding.catch(() => undefined);
  for await (const bytes of compressor as AsyncIterable<Buffer>) yield bytes;
  await feeding;
}

async function* reported(
  source: AsyncIterable<Buffer>,
  archived: Archived,
  onProgress: ExportOptions['onProgress'],
): AsyncGenerator<Buffer> {
  let toldAt = 0;
  for await (const bytes of source) {
    yield bytes;
    if (archived.bytes - toldAt < PROGRESS_BYTES) continue;
    toldAt = archived.bytes;
    onProgress?.({ ...archived });
  }
}

class Counted {
  readonly archived: Archived = { files: 0, others: 0, bytes: 0 };
  readonly #hash = createHash('sha256');
  #bytes = 0;

  take(bytes: Buffer): void {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
  }

  /** Asked once, at the end. */
  get exported(): Exported {
    return { ...this.archived, archiveBytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }
}

async function write(output: Writable, bytes: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const onError = (error: Error) => reject(error);
    output.once('error', onError);
    output.write(bytes, (error) => {
      output.off('error', onError);
      if (error) reject(error);
      else resolve();
    });
  });
}

async function requireAbsent(file: string): Promise<void> {
  if (!(await isThere(file))) return;
  const { size } = await lstat(file);
  fail('TARGET_UNFIT', `'${file}' is there already, ${size} bytes`, { hint: 'name a file that is not there' });
}

async function openNew(partial: string): Promise<FileHandle> {
  try {
    // What was private in the tree is private in its archive.
    return await open(partial, 'wx', 0o600);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const hint = 'name a file in a directory that is there and that this user may write to';
    const why =
      code === 'ENOENT'
        ? `there is no directory '${path.dirname(partial)}'`
        : `'${partial}' cannot be made: ${code ?? message}`;
    return fail('TARGET_UNFIT', why, { hint, cause });
  }
}

/** A disk that lies about what it took is noticed while everything else is still there. */
async function requireSame(partial: string, { archiveBytes, sha256 }: Exported, signal: AbortSignal): Promise<void> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of createReadStream(partial, { signal }) as AsyncIterable<Buffer>) {
    hash.update(piece);
    bytes += piece.length;
  }
  if (bytes === archiveBytes && hash.digest('hex') === sha256) return;
  fail('RECOVERY_MISMATCH', `'${partial}' does not hold what was written to it`, { hint: 'look after its disk' });
}

/** A link is made only where nothing has the name: two exports never become one. */
async function giveName(partial: string, file: string): Promise<void> {
  try {
    await link(partial, file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') fail('TARGET_UNFIT', `'${file}' was made by somebody else meanwhile`, { cause });
    if (code === undefined || !NO_LINKS.has(code)) throw cause;
    await requireAbsent(file);
    await rename(partial, file);
  }
}

function roomError(error: unknown, file: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new HoldfastError('NO_SPACE', `there is no more room for '${file}'`, { cause: error });
  }
  return error;
}
