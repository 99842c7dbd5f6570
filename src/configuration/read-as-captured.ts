// Reads a file of the host as its snapshot has it, or not at all: a commit never shows what its snapshot does not hold.

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { pathOfText } from '../domain/path-text.ts';

const ATTEMPTS = 3;
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The bytes that were captured; `other`: they are not there any more. Never more than `largestBytes` are read. */
export async function readAsCaptured(
  path: string,
  sha256: string | undefined,
  largestBytes: number,
): Promise<Buffer | 'too large' | 'other'> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const bytes = await readFileAt(path, largestBytes);
    if (bytes === 'too large') return bytes;
    if (bytes !== undefined && createHash('sha256').update(bytes).digest('hex') === sha256) return bytes;
  }
  return 'other';
}

async function readFileAt(path: string, largestBytes: number): Promise<Buffer | 'too large' | undefined> {
  return await withFileAt(path, async (file, sizeBytes) =>
    sizeBytes > largestBytes ? ('too large' as const) : await readWhole(file, sizeBytes),
  );
}

/** Undefined where there is no file, or it cannot be read to its end. */
async function withFileAt<T>(
  path: string,
  read: (file: FileHandle, sizeBytes: number) => Promise<T>,
): Promise<T | undefined> {
  // Who exchanges a file for a pipe must not make us wait for its other end.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(pathOfText(`/${path}`), flags).catch(() => undefined);
  if (!file) return undefined;
  try {
    const info = await file.stat();
    return info.isFile() ? await read(file, info.size) : undefined;
  } catch {
    return undefined;
  } finally {
    await file.close();
  }
}

/** Of a file as it is now, whatever its size. */
export async function sha256Of(path: string): Promise<string | undefined> {
  return await withFileAt(path, async (file) => {
    const hash = createHash('sha256');
    await pipeline(file.createReadStream({ autoClose: false }), hash);
    return hash.digest('hex');
  });
}

/** Undefined for one that grew meanwhile: a log must not be followed to its end. */
async function readWhole(file: FileHandle, sizeBytes: number): Promise<Buffer | undefined> {
  const bytes = Buffer.alloc(sizeBytes + 1);
  let at = 0;
  for (;;) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at);
    at += bytesRead;
    if (at > sizeBytes) return undefined;
    if (bytesRead === 0) return bytes.subarray(0, at);
  }
}

/** Undefined for what is no text. */
export function textOfBytes(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

export function hasLineLongerThan(text: string, lengthChars: number): boolean {
  let from = 0;
  for (let to = text.indexOf('\n'); to !== -1; to = text.indexOf('\n', from)) {
    if (to - from > lengthChars) return true;
    from = to + 1;
  }
  return text.length - from > lengthChars;
}
