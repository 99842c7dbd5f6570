// Writing one snapshot: files in, packs and index objects out to every copy; the commit is in its own file.

import { createHash } from 'node:crypto';
import { shownPath } from '../domain/path-text.ts';
import { fail } from '../errors/index.ts';
import type { ChunkIndex } from './chunk-index.ts';
import { ChunkPipeline } from './chunk-pipeline.ts';
import type { GearTable } from './chunker.ts';
import { commitSnapshot } from './commit.ts';
import type { Copy } from './copies.ts';
import type { VaultCore } from './core.ts';
import type { Generation, Holdings } from './generation.ts';
import { type IndexedPack, sealIndex } from './index-object.ts';
import { INDEX_BYTES, newIndexKey, type StoredPack } from './known-chunks.ts';
import { LaidOver, LaidParent } from './laid-over.ts';
import { packKeyOf } from './layout.ts';
import { portionsOf, readLarge } from './local-files.ts';
import { type ManifestPart, sha256Of } from './manifest.ts';
import { fileToRead, PagedFiles } from './paged-files.ts';
import { MOST_PIECES } from './pieces.ts';
import { StreamCutter } from './stream-cutter.ts';
import { type PendingEntry, TreeWriter } from './tree-writer.ts';
import type {
  BareEntry,
  FileEntry,
  LaidFile,
  LaidPart,
  LocalFile,
  LocalFileResult,
  LocalFilesOptions,
  PlainEntry,
  SnapshotOnCopies,
  SnapshotRequest,
  SnapshotStatistics,
  SnapshotWriter,
  StoredFile,
  TreeEntry,
} from './types.ts';
import type { Uploads } from './uploads.ts';
import type { FileRead } from './workers/protocol.ts';

type PlacedFile = LocalFile & { readonly place: PendingEntry };

const ID_DIGITS = 64;
/** Read again this often when a large file changed while it was read. */
const LARGE_ATTEMPTS = 3;

export interface WriterParts {
  readonly core: VaultCore;
  readonly request: SnapshotRequest;
  readonly generation: Generation;
  readonly stored: readonly StoredPack[];
  /** Of the chunks in `stored`, by their numbers; the writer closes it. */
  readonly index: ChunkIndex;
  readonly holdings: ReadonlyMap<Copy, Holdings>;
  readonly uploads: Uploads;
  readonly gear: GearTable;
}

/** `busy`: with one file, so that nothing may come between; `reading`: local files, whose source adds the other entries between them. */
type State = 'open' | 'busy' | 'reading' | 'ended';
type CommitEnd = Parameters<SnapshotWriter['commit']>[0];

export class PackingSnapshotWriter implements SnapshotWriter {
  readonly #parts: WriterParts;
  readonly #index: ChunkIndex;
  readonly #pipeline: ChunkPipeline;
  readonly #cutter: StreamCutter;
  readonly #tree: TreeWriter;
  readonly #usedStored = new Set<number>();
  readonly #packs: { sha256: string; sizeBytes: number }[] = [];
  #unindexed: IndexedPack[] = [];
  #unindexedBytes = 0;
  readonly #indexes: string[] = [];
  #files = 0;
  #readBytes = 0;
  #storedBytes = 0;
  #state: State = 'open';

  constructor(parts: WriterParts) {
    const { core, generation, gear } = parts;
    this.#parts = parts;
    this.#index = parts.index;
    const { vaultId, path, dataKey } = generation.context;
    this.#pipeline = new ChunkPipeline({
      setup: { vaultId, path, dataKey, chunkIdKey: core.keys.chunkId, gear, compression: core.compression },
      index: this.#index,
      workers: core.threads,
      onPack: (pack, settle) => this.#storePack(pack, settle),
      onKnown: (pack) => this.#usedStored.add(pack),
    });
    this.#tree = new TreeWriter(this.#pipeline, gear);
    this.#cutter = new StreamCutter(this.#pipeline, gear, () => this.#tree.settle());
  }

  get statistics(): SnapshotStatistics {
    const { chunks, newChunks, newBytes } = this.#pipeline;
    const [files, readBytes, storedBytes] = [this.#files, this.#readBytes, this.#storedBytes];
    return { files, readBytes, newBytes, storedBytes, chunks, newChunks };
  }

  get generations(): ReadonlySet<string> {
    const { generation, stored } = this.#parts;
    return new Set([generation.name, ...stored.map((pack) => pack.generation)]);
  }

  async addFile(entry: FileEntry, source: AsyncIterable<Uint8Array>): Promise<StoredFile> {
    this.#begin();
    const chunking = entry.chunking ?? 'content';
    const pending = this.#tree.open();
    this.#cutter.begin(pending, chunking);
    const hash = createHash('sha256');
    let sizeBytes = 0;
    for await (const bytes of source) {
      sizeBytes += bytes.length;
      this.#readBytes += bytes.length;
      hash.update(bytes);
      await this.#cutter.push(bytes);
    }
    this.#cutter.end();
    const sha256 = hash.digest('hex');
    await this.#file(pending, { ...entry, type: 'file', sizeBytes, sha256, chunking });
    this.#state = 'open';
    return { path: entry.path, sizeBytes, sha256 };
  }

  async addLocalFiles(
    files: Iterable<LocalFile> | AsyncIterable<LocalFile>,
    onFile: (result: LocalFileResult) => void,
    { inspection, pace = () => Promise.resolve() }: LocalFilesOptions = {},
  ): Promise<void> {
    this.#begin('reading');
    if (inspection !== undefined) this.#pipeline.inspect(inspection);
    const batches = new Set<Promise<void>>();
    const paged = new PagedFiles<PlacedFile>(this.#pipeline, pace, (file, read) => {
      this.#local(file.place, file, read, onFile);
      this.#tree.settle();
    });
    for await (const portion of portionsOf(this.#placed(files))) {
      if ('large' in portion && portion.large.entry.chunking === 'pages') await paged.add(portion.large);
      else if ('large' in portion) onFile(await this.#large(portion.large, pace));
      else {
        await pace(portion.batch.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
        const { hashed } = await this.#batch(portion.batch, onFile);
        batches.add(hashed);
        hashed.then(
          () => batches.delete(hashed),
          () => {}, // stays, and is thrown below
        );
      }
      await this.#tree.flush();
    }
    await Promise.all([...batches, paged.end()]);
    this.#state = 'open';
  }

  async addUnchanged(entry: TreeEntry): Promise<boolean> {
    this.#requireOpen();
    const ids = (entry.chunks ?? []).map((id) => Buffer.from(id, 'hex'));
    if (!this.#pipeline.claimAll(ids)) return false;
    if (entry.type === 'file') this.#files++;
    await this.#tree.add(entry);
    return true;
  }

  async addLaidOver(
    entry: FileEntry,
    parent: TreeEntry,
    parts: Iterable<LaidPart> | AsyncIterable<LaidPart>,
    sizeBytes: number,
  ): Promise<LaidFile | undefined> {
    this.#begin();
    const below = LaidParent.open(parent, this.#index);
    const laid = below && (await this.#layOver(entry, below, parts, sizeBytes));
    this.#state = 'open';
    return laid;
  }

  async addDirectory(entry: PlainEntry): Promise<void> {
    await this.addEntry({ ...entry, type: 'directory' });
  }

  async addSymlink(entry: PlainEntry & { readonly linkTarget: string }): Promise<void> {
    await this.addEntry({ ...entry, type: 'symlink' });
  }

  async addEntry(entry: BareEntry | (() => BareEntry | undefined)): Promise<void> {
    this.#requireOpen();
    if (typeof entry !== 'function') return this.#tree.add({ ...entry, sizeBytes: 0 });
    return this.#tree.add(() => {
      const told = entry();
      return told && { ...told, sizeBytes: 0 };
    });
  }

  async settle(): Promise<void> {
    this.#requireOpen();
    await this.#settle();
  }

  async commit(end: CommitEnd): Promise<SnapshotOnCopies> {
    this.#begin('ended');
    try {
      return await this.#commit(end);
    } finally {
      await this.#pipeline.end();
      this.#index.close();
    }
  }

  async abandon(): Promise<void> {
    this.#state = 'ended';
    await this.#pipeline.end();
    await this.#parts.uploads.abandon();
    this.#index.close();
  }

  async #commit(end: CommitEnd): Promise<SnapshotOnCopies> {
    await this.#settle();
    await this.#tree.end();
    await this.#pipeline.finish();
    const { core, request, generation, stored, uploads, holdings } = this.#parts;
    await this.#flushIndex();
    await uploads.drain();
    const reused = [...this.#usedStored].sort((a, b) => a - b).map((number) => stored[number] as StoredPack);
    const body = { parts: this.#manifestParts(reused), ...this.#tree.result };
    return commitSnapshot(core, { request, generation, uploads, holdings, end, statistics: this.statistics, body });
  }

  async #settle(): Promise<void> {
    await this.#cutter.flush();
    await this.#pipeline.settle();
    await this.#tree.flush();
  }

  /** Its own generation first, then those of longer-lived classes that it found something in. */
  #manifestParts(reused: readonly StoredPack[]): ManifestPart[] {
    const own = this.#parts.generation.name;
    const others = new Set(reused.map(({ generation }) => generation).filter((name) => name !== own));
    return [own, ...others].map((generation) => {
      const [packs, indexes] = generation === own ? [this.#packs, this.#indexes] : [[], []];
      const theirs = reused.filter((pack) => pack.generation === generation);
      return {
        generation,
        packs: [...theirs, ...packs].map(({ sha256, sizeBytes }) => [sha256, sizeBytes] as const),
        indexes: [...new Set([...theirs.map(({ indexKey }) => indexKey), ...indexes])],
      };
    });
  }

  #begin(next: State = 'busy'): void {
    this.#requireOpen();
    if (this.#state === 'reading') fail('INTERNAL', 'files of the snapshot are being read, or failed');
    this.#state = next;
  }

  #requireOpen(): void {
    if (this.#state === 'ended') fail('INTERNAL', 'the snapshot was committed or abandoned before');
    if (this.#state === 'busy') fail('INTERNAL', 'a file of the snapshot is being read, or failed');
  }

  async #layOver(
    entry: FileEntry,
    below: LaidParent,
    parts: Iterable<LaidPart> | AsyncIterable<LaidPart>,
    sizeBytes: number,
  ): Promise<LaidFile | undefined> {
    const pending = this.#tree.open();
    const file = new LaidOver(below);
    const hash = createHash('sha256');
    this.#cutter.begin(pending, 'pages');
    for await (const part of parts) {
      if (!('bytes' in part)) file.keep(part.positionBytes, part.lengthBytes);
      else {
        file.give(part.bytes.length);
        this.#readBytes += part.bytes.length;
        if (file.isFresh) hash.update(part.bytes);
        await this.#cutter.push(part.bytes);
      }
      if (file.pieceCount > MOST_PIECES) break;
    }
    this.#cutter.end();
    const isTooMuch = file.pieceCount > MOST_PIECES;
    if (!isTooMuch && file.sizeBytes !== sizeBytes) {
      fail('INTERNAL', `the parts of '${shownPath(entry.path)}' have ${file.sizeBytes} bytes, it has ${sizeBytes}`);
    }
    const kept = file.keptChunks;
    if (isTooMuch || !this.#pipeline.claimAll(kept.map((id) => Buffer.from(id, 'hex')))) {
      pending.entry = null;
      return undefined;
    }
    pending.kept = kept;
    const { pieces } = file;
    const sha256 = file.isFresh ? hash.digest('hex') : file.isParent ? below.entry.sha256 : undefined;
    await this.#file(pending, {
      ...entry,
      type: 'file',
      sizeBytes,
      ...(sha256 !== undefined && { sha256 }),
      chunking: 'pages',
      ...(pieces && { pieces }),
    });
    const { freshBytes: givenBytes, chunkBytes } = file;
    return { path: entry.path, sizeBytes, ...(sha256 !== undefined && { sha256 }), givenBytes, chunkBytes };
  }

  /** Each file's place in the tree is where it came, whatever is read first. */
  async *#placed(files: Iterable<LocalFile> | AsyncIterable<LocalFile>): AsyncGenerator<PlacedFile> {
    for await (const file of files) yield { ...file, place: this.#tree.open() };
  }

  async #file(pending: PendingEntry, entry: Omit<TreeEntry, 'chunks'>): Promise<void> {
    pending.entry = entry;
    this.#files++;
    await this.#tree.flush();
  }

  async #batch(
    files: readonly PlacedFile[],
    onFile: (result: LocalFileResult) => void,
  ): Promise<{ hashed: Promise<void> }> {
    const wanted = files.map(fileToRead);
    const { hashed } = await this.#pipeline.files(wanted);
    const told = hashed.then(({ ids, files: read }) => {
      let at = 0;
      const hex = Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength).toString('hex');
      for (const [number, file] of files.entries()) {
        const { place } = file;
        const result = read[number] as FileRead;
        const chunks = 'code' in result ? 0 : result.chunks;
        for (let chunk = 0; chunk < chunks; chunk++, at += ID_DIGITS) place.chunks.push(hex.slice(at, at + ID_DIGITS));
        this.#local(place, file, result, onFile);
      }
      this.#tree.settle();
    });
    told.catch(() => {}); // awaited by the caller
    return { hashed: told };
  }

  /** A file that changes under us is read again; its last reading counts. */
  async #large(file: PlacedFile, pace: (bytes: number) => Promise<void>): Promise<LocalFileResult> {
    for (let { place }: { place: PendingEntry } = file, attempt = 1; ; attempt++, place = this.#tree.open()) {
      this.#cutter.begin(place, file.entry.chunking ?? 'content');
      const read = await readLarge(file, async (bytes) => {
        await pace(bytes.length);
        await this.#cutter.push(bytes);
      });
      this.#cutter.end();
      // Its last bytes must not wait for the next large file: the whole tree behind it would wait in memory.
      await this.#cutter.flush();
      if ('code' in read || !read.isTorn || attempt === LARGE_ATTEMPTS) {
        let told: LocalFileResult | undefined;
        this.#local(place, file, 'code' in read ? read : { ...read, chunks: 0 }, (result) => {
          told = result;
        });
        return told as unknown as LocalFileResult;
      }
      place.entry = null;
    }
  }

  #local(place: PendingEntry, file: LocalFile, read: FileRead, onFile: (result: LocalFileResult) => void): void {
    const { path } = file.entry;
    if ('code' in read) {
      place.entry = null;
      onFile({ path, code: read.code });
      return;
    }
    const { chunks: _, ...rest } = read;
    const { sizeBytes, sha256 } = rest;
    const entry = file.settle ? file.settle(rest) : file.entry;
    place.entry = entry ? { chunking: 'content', ...entry, type: 'file', sizeBytes, sha256 } : null;
    if (entry) this.#files++;
    this.#readBytes += sizeBytes;
    onFile({ path, ...rest });
  }

  async #storePack(
    pack: { sha256: string; bytes: Buffer; index: Buffer },
    settle: (isFree: boolean) => void,
  ): Promise<void> {
    const sizeBytes = pack.bytes.length;
    this.#packs.push({ sha256: pack.sha256, sizeBytes });
    this.#storedBytes += sizeBytes;
    const key = packKeyOf(this.#parts.generation.path, pack.sha256);
    await this.#parts.uploads.add(key, pack.bytes, pack.sha256, settle);
    await this.#note({ sha256: pack.sha256, sizeBytes, index: pack.index });
  }

  async #note(pack: IndexedPack): Promise<void> {
    this.#unindexed.push(pack);
    this.#unindexedBytes += pack.index.length;
    if (this.#unindexedBytes >= INDEX_BYTES) await this.#flushIndex();
  }

  async #flushIndex(): Promise<void> {
    if (this.#unindexed.length === 0) return;
    const { generation, request, uploads } = this.#parts;
    const key = newIndexKey(generation, request);
    const bytes = await sealIndex(generation.context, key, this.#unindexed);
    this.#unindexed = [];
    this.#unindexedBytes = 0;
    this.#indexes.push(key);
    this.#storedBytes += bytes.length;
    await uploads.add(key, bytes, sha256Of(bytes));
  }
}
