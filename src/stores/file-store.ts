// The store on a directory: atomic by link(2), durable by fsync of the file and of every directory that names it.

import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, lstat, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fail, HoldfastError, isHoldfastError } from '../errors/index.ts';
import { syncDirectory } from '../system/index.ts';
import { type Bandwidth, type Pace, paced } from './bandwidth.ts';
import { withDeadline } from './deadline.ts';
import { checkKey, checkPrefix, compareKeys, TEMPORARY_PREFIX } from './keys.ts';
import type {
  ByteRange,
  CallOptions,
  GetOptions,
  ListOptions,
  ObjectInfo,
  ObjectVersion,
  PutOptions,
  Store,
  StoreProperties,
} from './store.ts';

/** Files that are looked at in one call while a directory is listed; a listing that is given up after its first key has looked at few. */
const MOST_AT_ONCE = 64;

/** The directory must exist: one that is made on demand hides a disk that is not mounted. */
export class FileStore implements Store {
  readonly name: string;
  readonly location: string;
  readonly #root: string;
  readonly #bandwidth: Bandwidth | undefined;
  /** Device and inode of the root when first seen; another one later is another (or no) disk. */
  #identity: string | undefined;
  /** Directories that were fsynced into their parents by this process; saves a sync per object. */
  readonly #durableDirectories = new Set<string>();

  /** `bandwidth`: default no limit. */
  constructor(name: string, path: string, bandwidth?: Bandwidth) {
    this.name = name;
    this.location = `file:${path}`;
    this.#root = resolve(path);
    this.#bandwidth = bandwidth;
  }

  put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    checkKey(key);
    return this.#call(`storing '${key}'`, options, async (signal, pace) => {
      const path = this.#path(key);
      const temporary = join(this.#root, `${TEMPORARY_PREFIX}${randomBytes(12).toString('hex')}`);
      try {
        await writeDurably(temporary, this.#inPieces(bytes, pace));
        signal.throwIfAborted();
        const publish = async () => {
          await this.#makeDirectory(dirname(path));
          await this.#publish(temporary, path, key, options.ifAbsent ?? true);
        };
        await publish().catch((error: unknown) => {
          if (codeOf(error) !== 'ENOENT') throw error;
          // Somebody removed a directory since we made it; another put may have met the same and forgotten them already.
          this.#durableDirectories.clear();
          return publish();
        });
      } finally {
        await unlink(temporary).catch(() => {});
      }
      await syncDirectory(dirname(path));
    });
  }

  get(key: string, range?: ByteRange, options: GetOptions = {}): Promise<Buffer> {
    checkKey(key);
    if (options.version !== undefined)
      fail('INTERNAL', `a directory keeps no version '${options.version}' of '${key}'`);
    return this.#call(`reading '${key}'`, options, async (_signal, pace) => {
      const file = await this.#open(key);
      try {
        const size = (await file.stat()).size;
        const { offset, length } = range ?? { offset: 0, length: size };
        if (offset + length > size) {
          fail('OBJECT_DAMAGED', `'${key}' on '${this.name}' has ${size} bytes, expected at least ${offset + length}`);
        }
        const buffer = options.into ? Buffer.from(options.into(length), 0, length) : Buffer.allocUnsafeSlow(length);
        return await readFully(file, offset, buffer, key, this.#bandwidth?.pieceBytes, pace);
      } finally {
        await file.close();
      }
    });
  }

  head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    checkKey(key);
    return this.#call(`looking for '${key}'`, options, () => this.#info(key));
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    const directory = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    yield* this.#walk(directory, prefix, options);
  }

  delete(keys: readonly string[], options: CallOptions = {}): Promise<void> {
    for (const key of keys) checkKey(key);
    return this.#call(`deleting ${keys.length} objects`, options, async (signal) => {
      for (const key of keys) {
        signal.throwIfAborted();
        try {
          await unlink(this.#path(key));
          await syncDirectory(dirname(this.#path(key)));
        } catch (error) {
          if (!isAbsent(error)) throw error;
          await this.#checkRoot();
        }
      }
    });
  }

  async versions(key: string): Promise<readonly ObjectVersion[]> {
    checkKey(key);
    return [];
  }

  /** A directory cannot lock, and its configuration cannot ask for it. */
  async extendLock(key: string): Promise<undefined> {
    checkKey(key);
  }

  async probe(options: CallOptions = {}): Promise<StoreProperties> {
    const key = `probe/${randomBytes(8).toString('hex')}`;
    const startedMs = Date.now();
    await this.put(key, Buffer.from('first'), options);
    let conditionalPut = false;
    try {
      await this.put(key, Buffer.from('second'), options);
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_EXISTS')) throw error;
      conditionalPut = (await this.get(key, undefined, options)).toString() === 'first';
    }
    const storedAt = (await this.head(key, options))?.storedAt ?? new Date();
    await this.delete([key], options);
    return {
      conditionalPut,
      checksumVerified: false,
      checksumAttested: false,
      versioned: false,
      guarantees: [],
      // The time of a file on a network mount is its server's.
      clockSkewMs: Math.min(0, startedMs - storedAt.getTime() + 1) || Math.max(0, startedMs - storedAt.getTime() - 1),
    };
  }

  async close(): Promise<void> {}

  #path(key: string): string {
    return join(this.#root, key);
  }

  #inPieces(bytes: Uint8Array, pace: Pace | undefined): Uint8Array | AsyncIterable<Uint8Array> {
    return pace && this.#bandwidth ? paced(bytes, this.#bandwidth.pieceBytes, pace) : bytes;
  }

  async #call<T>(
    what: string,
    options: CallOptions,
    call: (signal: AbortSignal, pace: Pace | undefined) => Promise<T>,
  ): Promise<T> {
    const bandwidth = this.#bandwidth;
    return withDeadline(`${what} in '${this.#root}'`, options, async (signal, hold) => {
      const pace = bandwidth && ((bytes: number) => hold(() => bandwidth.take(bytes, signal)));
      try {
        await this.#checkRoot();
        return await call(signal, pace);
      } catch (error) {
        if (signal.aborted) throw error;
        throw this.#translate(what, error);
      }
    });
  }

  /** Also right before anything is called absent: what a disk that went away had is unknown. */
  async #checkRoot(): Promise<void> {
    const { dev, ino } = await stat(this.#root).then(
      (info) => (info.isDirectory() ? info : fail('STORE_UNAVAILABLE', `'${this.#root}' is not a directory`)),
      (error: unknown) => {
        if (!isAbsent(error)) throw error;
        return fail('STORE_UNAVAILABLE', `directory '${this.#root}' of copy '${this.name}' does not exist`, {
          hint: 'is the disk mounted? `holdfast setup` makes the directory the first time',
          cause: error,
        });
      },
    );
    const identity = `${dev}:${ino}`;
    this.#identity ??= identity;
    if (this.#identity !== identity) {
      fail('STORE_UNAVAILABLE', `'${this.#root}' is another directory than before`, { hint: 'was a disk unmounted?' });
    }
  }

  async #makeDirectory(path: string): Promise<void> {
    if (path === this.#root || this.#durableDirectories.has(path)) return;
    const parent = dirname(path);
    await this.#makeDirectory(parent);
    await mkdir(path).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
    // Another process may have made it and died before its fsync: sync whether or not we made it.
    await syncDirectory(parent);
    this.#durableDirectories.add(path);
  }

  async #publish(temporary: string, path: string, key: string, ifAbsent: boolean): Promise<void> {
    try {
      await (ifAbsent ? link(temporary, path) : rename(temporary, path));
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      // Whoever made it may have died before its fsync; a caller that accepts the object must be able to rely on it.
      await syncDirectory(dirname(path));
      fail('OBJECT_EXISTS', `'${key}' exists already on '${this.name}'`, { cause: error });
    }
  }

  async #open(key: string): Promise<FileHandle> {
    try {
      const file = await open(this.#path(key), constants.O_RDONLY);
      if ((await file.stat()).isFile()) return file;
      await file.close();
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
    await this.#checkRoot();
    return fail('OBJECT_MISSING', `'${key}' is not on '${this.name}'`);
  }

  async #info(key: string): Promise<ObjectInfo | undefined> {
    try {
      const info = await lstat(this.#path(key));
      return info.isFile() ? { key, sizeBytes: info.size, storedAt: info.mtime } : undefined;
    } catch (error) {
      if (!isAbsent(error)) throw error;
      await this.#checkRoot();
      return undefined;
    }
  }

  async *#walk(directory: string, prefix: string, options: ListOptions): AsyncGenerator<ObjectInfo> {
    const names = await this.#call(`listing '${directory}'`, options, () => this.#children(directory));
    const keys = names.map((name) => directory + name).filter((key) => isListed(key, prefix, options.after));
    for (let at = 0, atOnce = 1; at < keys.length; atOnce = Math.min(MOST_AT_ONCE, atOnce * 2)) {
      const first = keys[at] as string;
      if (first.endsWith('/')) {
        yield* this.#walk(first, prefix, options);
        at++;
        continue;
      }
      const below = keys.slice(at, at + atOnce).findIndex((key) => key.endsWith('/'));
      const files = keys.slice(at, below < 0 ? at + atOnce : at + below);
      at += files.length;
      const infos = await this.#call(`looking for '${first}' and others`, options, () =>
        Promise.all(files.map((key) => this.#info(key))),
      );
      for (const info of infos) if (info) yield info; // deleted meanwhile otherwise
    }
  }

  /** Names in a directory in key order: a directory sorts with its slash. */
  async #children(directory: string): Promise<string[]> {
    try {
      const entries = await readdir(join(this.#root, directory), { withFileTypes: true });
      return entries
        .filter((entry) => !entry.name.startsWith(TEMPORARY_PREFIX) && (entry.isDirectory() || entry.isFile()))
        .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
        .filter((name) => name !== 'lost+found/')
        .sort(compareKeys);
    } catch (error) {
      if (!isAbsent(error)) throw error;
      await this.#checkRoot();
      return [];
    }
  }

  #translate(what: string, error: unknown): unknown {
    if (error instanceof HoldfastError) return error;
    const code = codeOf(error);
    const message = `${what} in '${this.#root}' failed: ${code ?? String(error)}`;
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
      return new HoldfastError('STORE_DENIED', message, { hint: 'check the owner and mode of it', cause: error });
    }
    if (code === 'ENOSPC' || code === 'EDQUOT') return new HoldfastError('NO_SPACE', message, { cause: error });
    return new HoldfastError('STORE_UNAVAILABLE', message, { cause: error });
  }
}

/** A directory is walked when anything below it may be listed. */
function isListed(key: string, prefix: string, after: string | undefined): boolean {
  const isBelow = key.endsWith('/');
  if (isBelow ? !(key.startsWith(prefix) || prefix.startsWith(key)) : !key.startsWith(prefix)) return false;
  return after === undefined || key > after || (isBelow && after.startsWith(key));
}

async function writeDurably(path: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes a store's directory with its parents. Only `setup` may: made on demand it would hide a disk that is not mounted. */
export async function makeDirectoryDurably(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = resolve(path); made.length >= resolve(first).length; made = dirname(made)) {
    await syncDirectory(dirname(made));
  }
}

async function readFully(
  file: FileHandle,
  offset: number,
  buffer: Buffer,
  key: string,
  pieceBytes = buffer.length,
  pace?: Pace,
): Promise<Buffer> {
  const { length } = buffer;
  for (let done = 0; done < length; ) {
    const wanted = Math.min(pieceBytes, length - done);
    await pace?.(wanted);
    const { bytesRead } = await file.read(buffer, done, wanted, offset + done);
    if (bytesRead === 0) fail('OBJECT_DAMAGED', `'${key}' ended while it was read`);
    done += bytesRead;
  }
  return buffer;
}

/** Lower-case hexadecimal. */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function isAbsent(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}
