// The tree of the snapshot that an incremental capture is laid over: on disk by path, so that a parent of any size needs little memory.

import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../errors/index.ts';
import type { SnapshotReader, TreeEntry } from '../../vault/types.ts';
import { keepInState } from '../own-files.ts';
import { relationFile } from './relation-file.ts';

/** For errors. */
const WHAT = "the parent's tree";

export interface ParentTreeOptions {
  /** Where the spool is; its file loses its name at once, so that nothing of it can stay behind. */
  readonly directory: string;
  readonly pageSizeBytes: number;
  readonly signal: AbortSignal;
}

interface Place {
  readonly at: number;
  readonly lengthBytes: number;
}

const WRITE_BYTES = 1024 * 1024;

export class ParentTree {
  /** The entry of `backup_manifest`. */
  manifest: TreeEntry | undefined;
  private readonly file: FileHandle;
  private readonly places = new Map<string, Place>();
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  private writtenBytes = 0;

  private constructor(file: FileHandle) {
    this.file = file;
  }

  /** Reads the whole tree once. Throws what the reader throws, `NO_SPACE` and `STORE_UNAVAILABLE` for the spool. */
  static async read(reader: SnapshotReader, options: ParentTreeOptions): Promise<ParentTree> {
    const tree = new ParentTree(await keepInState(WHAT, options.directory, () => openNameless(options.directory)));
    try {
      for await (const entry of reader.entries()) {
        options.signal.throwIfAborted();
        if (entry.path === 'backup_manifest') tree.manifest = entry;
        if (entry.type !== 'file' || relationFile(entry.path, options.pageSizeBytes) === undefined) continue;
        if (tree.add(entry)) await keepInState(WHAT, options.directory, () => tree.flush());
      }
      await keepInState(WHAT, options.directory, () => tree.flush());
      return tree;
    } catch (error) {
      await tree.close();
      throw error;
    }
  }

  /** The file of a relation, if the parent has it. */
  async find(name: string): Promise<TreeEntry | undefined> {
    const place = this.places.get(name);
    if (place === undefined) return undefined;
    const line = Buffer.allocUnsafe(place.lengthBytes);
    const { bytesRead } = await this.file.read(line, 0, place.lengthBytes, place.at);
    if (bytesRead !== place.lengthBytes) fail('INTERNAL', 'the spooled tree of the parent is shorter than it was');
    return JSON.parse(line.toString('utf8')) as TreeEntry;
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  /** True when enough waits to be written. */
  private add(entry: TreeEntry): boolean {
    const line = Buffer.from(JSON.stringify(entry));
    this.places.set(entry.path, { at: this.writtenBytes + this.waitingBytes, lengthBytes: line.length });
    this.waiting.push(line);
    this.waitingBytes += line.length;
    return this.waitingBytes >= WRITE_BYTES;
  }

  private async flush(): Promise<void> {
    await this.file.writeFile(Buffer.concat(this.waiting));
    this.writtenBytes += this.waitingBytes;
    this.waiting = [];
    this.waitingBytes = 0;
  }
}

async function openNameless(directory: string): Promise<FileHandle> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const name = path.join(directory, `parent-${process.pid}-${process.hrtime.bigint()}.tree`);
  const file = await open(name, 'wx+', 0o600);
  await unlink(name);
  return file;
}
