// Writing one snapshot: files in, packs and index objects out to every copy; the commit is in its own file.

import { createHash, randomBytes } from 'node:crypto';
import { fail } from '../errors/index.ts';
import { ChunkPipeline } from './chunk-pipeline.ts';
import { Chunker, type GearTable } from './chunker.ts';
import { commitSnapshot } from './commit.ts';
import type { Copy } from './copies.ts';
import type { VaultCore } from './core.ts';
import type { Generation, Holdings, StoredPack } from './generation.ts';
import { type IndexedPack, sealIndex } from './index-object.ts';
import { indexesPrefix, packKeyOf } from './layout.ts';
import { sha256Of } from './manifest.ts';
import { ENTRY_BYTES, type FinishedPack } from './pack.ts';
import type { SnapshotOnCopies, SnapshotRequest, SnapshotStatistics, SnapshotWriter, TreeEntry } from './types.ts';
import type { Uploads } from './uploads.ts';

/** Chunks in one index object: about 3 MB, so that the index of new data never grows in memory. */
const INDEX_CHUNKS = 65_536;

export interface WriterParts {
  readonly core: VaultCore;
  readonly request: SnapshotRequest;
  readonly generation: Generation;
  readonly stored: readonly StoredPack[];
  readonly holdings: ReadonlyMap<Copy, Holdings>;
  readonly uploads: Uploads;
  readonly gear: GearTable;
}

type CommitEnd = Parameters<SnapshotWriter['commit']>[0];

export class PackingSnapshotWriter implements SnapshotWriter {
  readonly #parts: WriterParts;
  readonly #pipeline: ChunkPipeline;
  readonly #packs: { sha256: string; sizeBytes: number }[] = [];
  #unindexed: IndexedPack[] = [];
  #unindexedChunks = 0;
  readonly #indexes: string[] = [];
  readonly #treeChunker: Chunker;
  readonly #treeHash = createHash('sha256');
  readonly #treeIds: string[] = [];
  #treeBytes = 0;
  #treeLines: string[] = [];
  #files = 0;
  #readBytes = 0;
  #storedBytes = 0;
  #state: 'open' | 'busy' | 'ended' = 'open';

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.#treeChunker = new Chunker('content', parts.gear);
    this.#pipeline = new ChunkPipeline(parts.generation.context, parts.stored, (pack) => this.#storePack(pack));
  }

  get statistics(): SnapshotStatistics {
    const { chunks, newChunks, newBytes } = this.#pipeline;
    const [files, readBytes, storedBytes] = [this.#files, this.#readBytes, this.#storedBytes];
    return { files, readBytes, newBytes, storedBytes, chunks, newChunks };
  }

  async addFile(
    entry: Omit<TreeEntry, 'sha256' | 'chunks' | 'sizeBytes' | 'type'>,
    source: AsyncIterable<Uint8Array>,
  ): Promise<TreeEntry> {
    this.#begin();
    const chunking = entry.chunking ?? 'content';
    const chunker = new Chunker(chunking, this.#parts.gear);
    const hash = createHash('sha256');
    const chunks: string[] = [];
    let sizeBytes = 0;
    const take = async (pieces: readonly Buffer[]) => {
      for (const piece of pieces) {
        hash.update(piece);
        chunks.push((await this.#pipeline.add(piece)).toString('hex'));
      }
    };
    for await (const bytes of source) {
      sizeBytes += bytes.length;
      this.#readBytes += bytes.length;
      await take(chunker.push(bytes));
    }
    await take(chunker.end());
    const done: TreeEntry = { ...entry, type: 'file', sizeBytes, sha256: hash.digest('hex'), chunking, chunks };
    this.#files++;
    this.#treeLines.push(JSON.stringify(done));
    await this.#flushTree();
    this.#state = 'open';
    return done;
  }

  addDirectory(entry: Pick<TreeEntry, 'path' | 'mode' | 'mtimeSeconds'>): void {
    this.#begin('open');
    this.#treeLines.push(JSON.stringify({ ...entry, type: 'directory', sizeBytes: 0 }));
  }

  addSymlink(entry: Pick<TreeEntry, 'path' | 'mode' | 'mtimeSeconds'> & { linkTarget: string }): void {
    this.#begin('open');
    this.#treeLines.push(JSON.stringify({ ...entry, type: 'symlink', sizeBytes: 0 }));
  }

  async commit(end: CommitEnd): Promise<SnapshotOnCopies> {
    this.#begin('ended');
    await this.#flushTree();
    await this.#takeTree(this.#treeChunker.end());
    await this.#pipeline.finish();
    const reused = this.#pipeline.usedStoredPacks;
    for (const pack of reused) if (pack.indexKey === undefined) await this.#index(pack);
    await this.#flushIndex();
    await this.#parts.uploads.drain();
    const covered = reused.flatMap(({ indexKey }) => (indexKey === undefined ? [] : [indexKey]));
    const { core, request, generation, uploads, holdings } = this.#parts;
    return commitSnapshot(core, {
      request,
      generation,
      uploads,
      holdings,
      end,
      statistics: this.statistics,
      body: {
        packs: [...reused, ...this.#packs].map(({ sha256, sizeBytes }) => [sha256, sizeBytes] as const),
        indexes: [...new Set([...covered, ...this.#indexes])],
        tree: this.#treeIds,
        treeBytes: this.#treeBytes,
        treeSha256: this.#treeHash.digest('hex'),
      },
    });
  }

  async abandon(): Promise<void> {
    this.#state = 'ended';
    await this.#parts.uploads.abandon();
  }

  #begin(next: 'open' | 'busy' | 'ended' = 'busy'): void {
    if (this.#state === 'ended') fail('INTERNAL', 'the snapshot was committed or abandoned before');
    if (this.#state === 'busy') fail('INTERNAL', 'a file of the snapshot is being read, or failed');
    this.#state = next;
  }

  async #flushTree(): Promise<void> {
    if (this.#treeLines.length === 0) return;
    const bytes = Buffer.from(`${this.#treeLines.join('\n')}\n`);
    this.#treeLines = [];
    this.#treeHash.update(bytes);
    this.#treeBytes += bytes.length;
    await this.#takeTree(this.#treeChunker.push(bytes));
  }

  async #takeTree(pieces: readonly Buffer[]): Promise<void> {
    for (const piece of pieces) this.#treeIds.push((await this.#pipeline.add(piece)).toString('hex'));
  }

  async #storePack(pack: FinishedPack): Promise<void> {
    const sizeBytes = pack.bytes.length;
    this.#packs.push({ sha256: pack.sha256, sizeBytes });
    this.#storedBytes += sizeBytes;
    await this.#parts.uploads.add(packKeyOf(this.#parts.generation.path, pack.sha256), pack.bytes, pack.sha256);
    await this.#index({ sha256: pack.sha256, sizeBytes, entries: pack.entries });
  }

  async #index(pack: IndexedPack): Promise<void> {
    this.#unindexed.push(pack);
    this.#unindexedChunks += pack.entries.length / ENTRY_BYTES;
    if (this.#unindexedChunks >= INDEX_CHUNKS) await this.#flushIndex();
  }

  async #flushIndex(): Promise<void> {
    if (this.#unindexed.length === 0) return;
    const { generation, request, uploads } = this.#parts;
    const key = `${indexesPrefix(generation.path)}${request.id}.${randomBytes(4).toString('hex')}`;
    const bytes = await sealIndex(generation.context, key, this.#unindexed);
    this.#unindexed = [];
    this.#unindexedChunks = 0;
    this.#indexes.push(key);
    this.#storedBytes += bytes.length;
    await uploads.add(key, bytes, sha256Of(bytes));
  }
}
