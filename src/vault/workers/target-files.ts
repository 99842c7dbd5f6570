// Files of a restore as a thread writes them: under another name until they are whole, then with their own.

import { createHash, type Hash } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  type Stats,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { bytesOfText, pathOfText, shownPath } from '../../domain/path-text.ts';
import { fail } from '../../errors/index.ts';
import type { TargetFile } from './jobs.ts';
import { isSettled, settle } from './settle-file.ts';
import type { TargetTree } from './target-tree.ts';
import { stretchesWithData } from './zero-blocks.ts';

const SUFFIX = '.holdfast-part';
/** Of a restore's session, in the names of unfinished files without a hash. */
const SESSION_LENGTH = 8;
/** Of a name, in bytes, on every usual file system. */
const LONGEST_NAME = 255;
const READ_BYTES = 1024 * 1024;
/** Whatever took the file's place: no link is followed, and nobody waits for the other end of a pipe. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const NEW_FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export interface Places {
  /** The unfinished form. */
  readonly part: string | Buffer;
  readonly final: string | Buffer;
}

/**
 * What an earlier attempt left of a file with a hash can be gone on with. One without cannot be told from another, so its unfinished form is
 * this session's alone: nobody else writes into it, and nothing of an earlier one is taken for what this one wrote.
 */
export function placesOf(tree: TargetTree, { path, sha256 }: Pick<TargetFile, 'path' | 'sha256'>): Places {
  const { directory, name } = tree.locate(path);
  const { mark, session } = tree.root;
  const suffix = `.${mark}${sha256 === undefined ? `.${session.slice(0, SESSION_LENGTH)}` : ''}${SUFFIX}`;
  const isLong = Buffer.byteLength(name) + suffix.length > LONGEST_NAME;
  const stem = isLong ? `.${createHash('sha256').update(bytesOfText(name)).digest('hex')}` : name;
  return { part: pathOfText(`${directory}/${stem}${suffix}`), final: pathOfText(`${directory}/${name}`) };
}

/** The file at `place` when it is one, and nobody reaches it by another name; the caller closes it. */
export function openIfOwn(place: string | Buffer, flags = READ_FLAGS): { handle: number; stat: Stats } | undefined {
  let handle: number;
  try {
    handle = openSync(place, flags);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Nothing there, a link, a directory or a socket: what is wanted is not there.
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'EISDIR' || code === 'ENXIO') return undefined;
    throw error;
  }
  const stat = fstatSync(handle);
  if (stat.isFile() && stat.nlink === 1) return { handle, stat };
  closeSync(handle);
  return undefined;
}

/** An empty file that did not exist before; one that an earlier attempt left goes. */
export function openNew(part: string | Buffer): number {
  for (let attempt = 1; ; attempt++) {
    try {
      return openSync(part, NEW_FLAGS, 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 1) throw error;
      unlinkSync(part);
    }
  }
}

export function writeAll(handle: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(handle, bytes, done, bytes.length - done, position + done);
  }
}

/** As `writeAll`; of a file with holes blocks of zeros are not written: a new file has them. */
function write(handle: number, { holes }: TargetFile, bytes: Uint8Array, position: number): void {
  if (!holes) {
    writeAll(handle, bytes, position);
    return;
  }
  for (const { from, to } of stretchesWithData(bytes, position)) {
    writeAll(handle, bytes.subarray(from, to), position + from);
  }
}

/** Reads `[from, to)` of a file in pieces. Throws `OBJECT_DAMAGED` when it ends before. */
export function readInto(handle: number, from: number, to: number, take: (bytes: Buffer) => void): void {
  const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(READ_BYTES, to - from)));
  for (let position = from; position < to; ) {
    const count = readSync(handle, buffer, 0, Math.min(buffer.length, to - position), position);
    if (count === 0) fail('OBJECT_DAMAGED', 'a restored file became shorter while it was read');
    take(buffer.subarray(0, count));
    position += count;
  }
}

/** Writes a whole file. */
export function writeWhole(tree: TargetTree, file: TargetFile, pieces: readonly Buffer[]): void {
  const places = placesOf(tree, file);
  if (file.sha256 === undefined) clearLeftovers(tree, file);
  const handle = openNew(places.part);
  try {
    let position = 0;
    for (const bytes of pieces) {
      write(handle, file, bytes, position);
      position += bytes.length;
    }
    if (file.holes) ftruncateSync(handle, position);
    settle(tree, handle, file);
  } finally {
    closeSync(handle);
  }
  publish(tree, file, places);
}

/** Whether the file with its own name is what the snapshot has. Mode, owner and time are put right then. */
export function keepIfRight(tree: TargetTree, file: TargetFile): boolean {
  if (file.sha256 === undefined) return false; // nothing says what it should be
  const { final } = placesOf(tree, file);
  // Mostly there is nothing; that an exception says so costs as much as the file.
  const found = exists(final) ? openIfOwn(final) : undefined;
  if (!found) return false;
  try {
    if (found.stat.size !== file.sizeBytes) return false;
    const hash = createHash('sha256');
    readInto(found.handle, 0, file.sizeBytes, (bytes) => hash.update(bytes));
    if (hash.digest('hex') !== file.sha256) return false;
    if (!isSettled(found.stat, file) || file.isSynced) settle(tree, found.handle, file);
    return true;
  } finally {
    closeSync(found.handle);
  }
}

/** Makes the unfinished form with its full length, or gives the one that an earlier attempt left of a file with a hash. */
export function beginLarge(tree: TargetTree, file: TargetFile): { handle: number; isNew: boolean } {
  const { part } = placesOf(tree, file);
  if (file.sha256 === undefined) clearLeftovers(tree, file);
  const flags = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  // In one with holes, zeros would not be written over what an earlier attempt left.
  const found = file.sha256 === undefined || file.holes ? undefined : openIfOwn(part, flags);
  if (found) {
    if (found.stat.size === file.sizeBytes && found.stat.uid === process.geteuid?.()) {
      return { handle: found.handle, isNew: false };
    }
    closeSync(found.handle);
  }
  const handle = openNew(part);
  ftruncateSync(handle, file.sizeBytes);
  return { handle, isNew: true };
}

/** Writes into the unfinished form; `at` counts from `position`. */
export function writeStretch(
  tree: TargetTree,
  file: TargetFile,
  position: number,
  pieces: Iterable<{ readonly at: number; readonly bytes: Buffer }>,
): void {
  const found = openIfOwn(placesOf(tree, file).part, constants.O_RDWR | constants.O_NOFOLLOW);
  if (!found) fail('TARGET_UNFIT', `the unfinished form of '${shownPath(file.path)}' was taken away`);
  try {
    for (const { at, bytes } of pieces) write(found.handle, file, bytes, position + at);
  } finally {
    closeSync(found.handle);
  }
}

/** The hash of a large file, as far as it is written. */
export class LargeHash {
  readonly #hash: Hash = createHash('sha256');
  #position = 0;

  advance(tree: TargetTree, file: TargetFile, upTo: number): void {
    const found = openIfOwn(placesOf(tree, file).part);
    if (!found) fail('TARGET_UNFIT', `the unfinished form of '${shownPath(file.path)}' was taken away`);
    try {
      readInto(found.handle, this.#position, upTo, (bytes) => this.#hash.update(bytes));
      this.#position = Math.max(this.#position, upTo);
    } finally {
      closeSync(found.handle);
    }
  }

  digest(): string {
    return this.#hash.digest('hex');
  }
}

/** Done again after its answer was lost, it finds the file with its name. `inode`: of the unfinished form that was begun. */
export function finishLarge(tree: TargetTree, file: TargetFile, hash: LargeHash, inode: string): void {
  const places = placesOf(tree, file);
  if (!exists(places.part) && (keepIfRight(tree, file) || wasNamed(places, file, inode))) return;
  if (file.sha256 !== undefined) {
    hash.advance(tree, file, file.sizeBytes);
    if (hash.digest() !== file.sha256) notAsCaptured(file);
  }
  const found = openIfOwn(places.part, constants.O_RDWR | constants.O_NOFOLLOW);
  if (!found) fail('TARGET_UNFIT', `the unfinished form of '${shownPath(file.path)}' was taken away`);
  try {
    if (found.stat.size !== file.sizeBytes) notAsCaptured(file);
    settle(tree, found.handle, file);
  } finally {
    closeSync(found.handle);
  }
  publish(tree, file, places);
}

/** Whether the file without a hash that was begun, and is written, has its name. */
function wasNamed({ final }: Places, { sha256, sizeBytes }: TargetFile, inode: string): boolean {
  if (sha256 !== undefined) return false;
  const stat = lstatSync(final, { bigint: true, throwIfNoEntry: false });
  if (!stat?.isFile()) return false;
  return `${stat.ino}` === inode && stat.size === BigInt(sizeBytes);
}

/** What killed attempts left beside the file, once for each directory. */
function clearLeftovers(tree: TargetTree, { path }: TargetFile): void {
  const { mark, session } = tree.root;
  const own = `.${session.slice(0, SESSION_LENGTH)}${SUFFIX}`;
  const others = new RegExp(`\\.${mark}\\.[0-9a-f]{${SESSION_LENGTH}}\\${SUFFIX}$`);
  tree.clearOnce(path, (name) => others.test(name) && !name.endsWith(own));
}

function exists(place: string | Buffer): boolean {
  return lstatSync(place, { throwIfNoEntry: false }) !== undefined;
}

export function notAsCaptured(file: TargetFile): never {
  return fail(
    'OBJECT_DAMAGED',
    `'${shownPath(file.path)}' is not what was captured: its chunks are right, the whole is not`,
  );
}

function publish(tree: TargetTree, file: TargetFile, { part, final }: Places): void {
  renameSync(part, final);
  if (file.isSynced) tree.noteRename(file.path);
}
