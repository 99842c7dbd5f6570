// Files of this host on their way into a snapshot: small ones in batches that a worker reads, large ones as streams.

import { createHash } from 'node:crypto';
import { closeSync, constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { LocalFile } from './types.ts';
import { openSource } from './workers/open-source.ts';
import type { FileRead } from './workers/protocol.ts';
import { readStat } from './workers/read-stat.ts';

/** A batch is read by one worker at once; larger files are streams, so that all workers share one. */
const BATCH_BYTES = 4 * 1024 * 1024;
/** So few that what is known of them is garbage before the collector has moved it to where it looks seldom. */
const BATCH_FILES = 256;
const PIECE_BYTES = 1024 * 1024;

export type Portion<File> = { readonly batch: readonly File[] } | { readonly large: File };

/** In the order given: a large file ends the batch before it. */
export async function* portionsOf<File extends { readonly sizeBytes: number }>(
  files: Iterable<File> | AsyncIterable<File>,
): AsyncGenerator<Portion<File>> {
  let batch: File[] = [];
  let bytes = 0;
  for await (const file of files) {
    const isLarge = file.sizeBytes > BATCH_BYTES;
    if (batch.length > 0 && (isLarge || batch.length === BATCH_FILES || bytes + file.sizeBytes > BATCH_BYTES)) {
      yield { batch };
      batch = [];
      bytes = 0;
    }
    if (isLarge) yield { large: file };
    else {
      batch.push(file);
      bytes += file.sizeBytes;
    }
  }
  if (batch.length > 0) yield { batch };
}

/** Reads a file once from start to end; what came of it, less the chunks. A file that changed meanwhile is torn: the caller decides whether it is read again. */
export async function readLarge(
  file: LocalFile,
  push: (bytes: Uint8Array) => Promise<void>,
): Promise<Omit<Exclude<FileRead, { code: string }>, 'chunks'> | { code: string }> {
  let handle: FileHandle | undefined;
  try {
    handle = await openLarge(file.source);
    const before = await handle.stat({ bigint: true });
    if (!before.isFile()) return { code: 'EINVAL' };
    const hash = createHash('sha256');
    const sizeBytes = await readPieces(handle, async (bytes) => {
      hash.update(bytes);
      await push(bytes);
    });
    const after = await handle.stat({ bigint: true });
    const isSame =
      before.mtimeNs === after.mtimeNs && before.ctimeNs === after.ctimeNs && after.size === BigInt(sizeBytes);
    return { sizeBytes, sha256: hash.digest('hex'), ...readStat(after), isTorn: !isSame };
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (syscall === undefined || code === undefined) throw error; // the vault's own failure, not the file's
    return { code };
  } finally {
    await handle?.close();
  }
}

async function openLarge(source: LocalFile['source']): Promise<FileHandle> {
  const found = openSource(source);
  try {
    return await open(`/proc/self/fd/${found}`, constants.O_RDONLY | constants.O_NONBLOCK);
  } finally {
    closeSync(found);
  }
}

/** Two buffers: while one is hashed and cut, the other is being read. */
async function readPieces(handle: FileHandle, take: (bytes: Uint8Array) => Promise<void>): Promise<number> {
  const buffers = [Buffer.allocUnsafeSlow(PIECE_BYTES), Buffer.allocUnsafeSlow(PIECE_BYTES)];
  let position = 0;
  let reading = handle.read(buffers[0] as Buffer, 0, PIECE_BYTES, 0);
  for (let turn = 0; ; turn++) {
    const { bytesRead, buffer } = await reading;
    if (bytesRead === 0) return position;
    position += bytesRead;
    reading = handle.read(buffers[(turn + 1) % 2] as Buffer, 0, PIECE_BYTES, position);
    reading.catch(() => {}); // awaited in the next turn
    await take(buffer.subarray(0, bytesRead));
  }
}
