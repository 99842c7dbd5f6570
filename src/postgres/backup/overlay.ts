// The files of an incremental backup laid over its parent's: changed blocks from the stream, all others by reference.

import { createHash, type Hash } from 'node:crypto';
import { fail, isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import type { LaidPart, SnapshotId, SnapshotReader, SnapshotWriter, Vault } from '../../vault/types.ts';
import type { ReplicationConnection } from '../connection/index.ts';
import { BecomesFull, becomesFull } from './becomes-full.ts';
import { type IncrementalFile, readIncrementalFile } from './incremental-file.ts';
import { ParentTree, type ParentTreeOptions } from './parent-tree.ts';
import type { ManifestFile } from './server-manifest.ts';
import type { TarEntry } from './tar.ts';
import { uploadManifest } from './upload-manifest.ts';

/** A file as the snapshot has it. */
export interface WholeFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Absent for a file that was laid over: nobody has read it whole. */
  readonly sha256?: string;
}

export interface AddedOver {
  readonly sent: ManifestFile;
  readonly whole: WholeFile;
}

const ZEROS = Buffer.alloc(65_536);

export class Overlay {
  readonly parent: SnapshotId;
  /** Plain bytes of all chunks that the files so far refer to. */
  chunkBytes = 0;
  private readonly tree: ParentTree;
  private readonly pageSizeBytes: number;

  private constructor(parent: SnapshotId, tree: ParentTree, pageSizeBytes: number) {
    this.parent = parent;
    this.tree = tree;
    this.pageSizeBytes = pageSizeBytes;
  }

  /** Reads the parent's tree and tells the server what it holds. Throws `BecomesFull` where one of them will not do. */
  static async prepare(
    vault: Vault,
    parent: SnapshotId,
    connection: ReplicationConnection,
    options: ParentTreeOptions,
  ): Promise<Overlay> {
    let reader: SnapshotReader | undefined;
    let tree: ParentTree | undefined;
    try {
      reader = await vault.openSnapshot(parent);
      tree = await ParentTree.read(reader, options);
      const { manifest } = tree;
      if (manifest === undefined) return becomesFull(`base backup ${parent} has no manifest`);
      await uploadManifest(connection, reader.read(manifest));
      return new Overlay(parent, tree, options.pageSizeBytes);
    } catch (error) {
      await tree?.close();
      options.signal.throwIfAborted();
      throw unusable(parent, error);
    } finally {
      reader?.close();
    }
  }

  /** Throws `BACKUP_INVALID` for what is no list of changed blocks, or has no parent; `BecomesFull` when chunks of the parent are gone. */
  async add(
    writer: SnapshotWriter,
    path: string,
    entry: TarEntry,
    onPage: (bytes: Buffer, block: number) => void,
  ): Promise<AddedOver> {
    const { mode, mtimeSeconds } = entry;
    const hash = createHash('sha256');
    const file = await readIncrementalFile(entry.path, entry.sizeBytes, hashed(entry.body, hash), this.pageSizeBytes);
    const parent = await this.tree.find(path);
    if (parent === undefined)
      return fail('BACKUP_INVALID', `only changed blocks of '${path}' came, and the parent has no such file`);
    const { sizeBytes } = file;
    const parts = laidOver(file, parent.sizeBytes, this.pageSizeBytes, onPage);
    const whole = await writer.addLaidOver({ path, mode, mtimeSeconds, chunking: 'pages' }, parent, parts, sizeBytes);
    if (whole === undefined) return becomesFull(`chunks of base backup ${this.parent} cannot be referred to any more`);
    this.chunkBytes += whole.chunkBytes;
    return { sent: { sizeBytes: entry.sizeBytes, sha256: hash.digest('hex') }, whole };
  }

  async close(): Promise<void> {
    await this.tree.close();
  }
}

async function* hashed(body: AsyncIterable<Buffer>, hash: Hash): AsyncGenerator<Buffer> {
  for await (const bytes of body) {
    hash.update(bytes);
    yield bytes;
  }
}

/** In the order of the file. What neither was sent nor is in the parent was never written to: zeros, as `pg_combinebackup` has it. */
async function* laidOver(
  file: IncrementalFile,
  parentBytes: number,
  pageSizeBytes: number,
  onPage: (bytes: Buffer, block: number) => void,
): AsyncGenerator<LaidPart> {
  const parentEnd = Math.min(Math.floor(parentBytes / pageSizeBytes), file.truncationBlocks) * pageSizeBytes;
  let [at, index] = [0, 0];
  for await (const bytes of file.pages()) {
    const block = file.blocks[index++] as number;
    yield* notSent(at, block * pageSizeBytes, parentEnd);
    onPage(bytes, block);
    yield { bytes };
    at = (block + 1) * pageSizeBytes;
  }
  yield* notSent(at, file.sizeBytes, parentEnd);
}

function* notSent(from: number, to: number, parentEnd: number): Generator<LaidPart> {
  const known = Math.max(from, Math.min(to, parentEnd));
  if (known > from) yield { positionBytes: from, lengthBytes: known - from };
  for (let at = known; at < to; at += ZEROS.length) yield { bytes: ZEROS.subarray(0, Math.min(ZEROS.length, to - at)) };
}

/** What the server or the vault says against the parent is a reason; a connection that ended is an error like any other. */
export function unusable(parent: SnapshotId, error: unknown): unknown {
  if (error instanceof BecomesFull || isHoldfastError(error, 'CANCELLED')) return error;
  const { code, message, details } = toHoldfastError(error);
  if (code.startsWith('DATABASE_') && code !== 'DATABASE_SETTING') return error;
  const fromServer = typeof details?.sqlstate === 'string';
  const ofVault = ['OBJECT_DAMAGED', 'OBJECT_MISSING', 'VAULT_FORMAT', 'NOT_FOUND', 'NO_SPACE', 'STORE_UNAVAILABLE'];
  if (fromServer) return new BecomesFull(message);
  return ofVault.includes(code) ? new BecomesFull(`base backup ${parent} cannot be read: ${message}`) : error;
}
