// Reading one snapshot: its tree, and its files verified chunk by chunk and as a whole.

import { createHash, type Hash } from 'node:crypto';
import { shownPath } from '../domain/path-text.ts';
import { fail, isHoldfastError, toHoldfastError } from '../errors/index.ts';
import { ChunkIndex } from './chunk-index.ts';
import { ChunkSource, type SourcePack, type SourceParts } from './chunk-source.ts';
import type { Copy } from './copies.ts';
import type { VaultCore } from './core.ts';
import { Elsewhere } from './elsewhere.ts';
import { openGeneration } from './generation.ts';
import { type IndexedPack, openIndex } from './index-object.ts';
import { packKeyOf } from './layout.ts';
import type { Manifest } from './manifest.ts';
import { type PackContext, readPackIndex } from './pack.ts';
import { eachChunk } from './pack-index.ts';
import { PIECE_NUMBERS, pieceAt } from './pieces.ts';
import { failWithWorst, openVerified } from './replicate.ts';
import { restoreFiles } from './restore/restore-files.ts';
import { parseTreeEntry } from './tree-entry.ts';
import type {
  FileToRestore,
  FromElsewhere,
  RestoredFiles,
  RestoreFilesOptions,
  Snapshot,
  SnapshotReader,
  TreeEntry,
} from './types.ts';
import { readThrough } from './versions.ts';

/** Chunks decoded ahead of the one that is handed out, for the cores' sake; a few megabytes. */
const AHEAD = 16;
/** Chunks looked at to find how far one ranged read can go. */
const RUN = 160;
/** Chunks of a file made of pieces that are kept for its other pieces: a few megabytes. */
const KEPT_CHUNKS = 64;

export async function openReader(
  core: VaultCore,
  manifest: Manifest,
  copies: readonly Copy[],
): Promise<SnapshotReader> {
  return readerOf(manifest, await openParts(core, manifest, copies));
}

/** Where every chunk of a snapshot lies, and who may be asked for it, in order of preference. */
export async function openParts(core: VaultCore, manifest: Manifest, copies: readonly Copy[]): Promise<SourceParts> {
  const packs = await sourcePacks(core, manifest, copies);
  const index = await readChunkIndex(core, manifest, packs, copies);
  return { core, index, packs, copies, elsewhere: new Elsewhere(copies) };
}

/** Closing it closes `parts.index`. */
export function readerOf(manifest: Manifest, parts: SourceParts): SnapshotReader {
  const { previous: _previous, ...snapshot } = manifest.header;
  return new ChunkSnapshotReader(snapshot, manifest, parts);
}

class ChunkSnapshotReader implements SnapshotReader {
  readonly snapshot: Snapshot;
  readonly #manifest: Manifest;
  readonly #parts: SourceParts;
  readonly #source: ChunkSource;

  constructor(snapshot: Snapshot, manifest: Manifest, parts: SourceParts) {
    this.snapshot = snapshot;
    this.#manifest = manifest;
    this.#parts = parts;
    this.#source = new ChunkSource(parts);
  }

  restoreFiles(
    files: Iterable<FileToRestore> | AsyncIterable<FileToRestore>,
    options: RestoreFilesOptions,
  ): Promise<RestoredFiles> {
    return restoreFiles(this.#parts, this.snapshot.id, files, options);
  }

  get elsewhere(): readonly FromElsewhere[] {
    return this.#parts.elsewhere.told;
  }

  close(): void {
    this.#parts.index.close();
  }

  async *entries(): AsyncGenerator<TreeEntry> {
    for await (const batch of this.entryBatches()) yield* batch;
  }

  async *entryBatches(): AsyncGenerator<readonly TreeEntry[]> {
    const { tree, treeBytes, treeSha256 } = this.#manifest.body;
    const what = `the tree of '${this.snapshot.id}'`;
    let rest: Buffer = Buffer.alloc(0);
    for await (const bytes of this.#stream('the tree', tree, treeBytes, treeSha256)) {
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      const end = rest.lastIndexOf(0x0a) + 1;
      const lines = rest.toString('utf8', 0, end).split('\n');
      yield lines.filter((line) => line !== '').map((line) => parseTreeEntry(line, what));
      rest = rest.subarray(end);
    }
    if (rest.length > 0) fail('OBJECT_DAMAGED', `the tree of '${this.snapshot.id}' ends in the middle of a line`);
  }

  async *read(entry: TreeEntry): AsyncGenerator<Buffer> {
    if (entry.type !== 'file' || !entry.chunks)
      fail('INTERNAL', `'${shownPath(entry.path)}' is not a file of a snapshot`);
    const what = `'${shownPath(entry.path)}'`;
    if (entry.pieces) yield* this.#laidOver(what, entry, entry.chunks, entry.pieces);
    else yield* this.#stream(what, entry.chunks, entry.sizeBytes, entry.sha256);
  }

  /** Each chunk is compared with its id as a whole before a part of it is given out. */
  async *#laidOver(
    what: string,
    entry: TreeEntry,
    hexIds: readonly string[],
    pieces: readonly number[],
  ): AsyncGenerator<Buffer> {
    const whole = new WholeFile(entry.sizeBytes, entry.sha256);
    const ids = hexIds.map((id) => Buffer.from(id, 'hex'));
    const chunks = new RecentChunks((number) => this.#source.read(ids[number] as Buffer, () => []));
    const count = pieces.length / PIECE_NUMBERS;
    for (let next = 0, at = 0; at < count; at++) {
      for (; next < count && next < at + AHEAD; next++) void chunks.ask(pieceAt(pieces, next).chunk);
      const { chunk, offset, length } = pieceAt(pieces, at);
      const bytes = await chunks.ask(chunk);
      if (offset + length > bytes.length) {
        fail('OBJECT_DAMAGED', `${what} of snapshot '${this.snapshot.id}' has a piece outside of its chunk`);
      }
      const piece = bytes.subarray(offset, offset + length);
      whole.take(piece);
      yield piece;
    }
    if (!whole.isRight) this.#isAnother(what);
  }

  async *#stream(
    what: string,
    hexIds: readonly string[],
    sizeBytes: number,
    sha256: string | undefined,
  ): AsyncGenerator<Buffer> {
    const whole = new WholeFile(sizeBytes, sha256);
    const ids = hexIds.map((id) => Buffer.from(id, 'hex'));
    const ahead: Promise<Buffer>[] = [];
    for (let next = 0, at = 0; at < ids.length; at++) {
      for (; next < ids.length && ahead.length < AHEAD; next++) {
        const from = next + 1;
        const chunk = this.#source.read(ids[next] as Buffer, () => ids.slice(from, from + RUN));
        chunk.catch(() => {});
        ahead.push(chunk);
      }
      const bytes = await (ahead.shift() as Promise<Buffer>);
      whole.take(bytes);
      yield bytes;
    }
    if (!whole.isRight) this.#isAnother(what);
  }

  #isAnother(what: string): never {
    return fail('OBJECT_DAMAGED', `${what} of snapshot '${this.snapshot.id}' is not what was captured`);
  }
}

/** Length and hash of what is read; a file that nobody has read before has no hash to compare with. */
class WholeFile {
  readonly #sizeBytes: number;
  readonly #sha256: string | undefined;
  readonly #hash: Hash | undefined;
  #length = 0;

  constructor(sizeBytes: number, sha256: string | undefined) {
    this.#sizeBytes = sizeBytes;
    this.#sha256 = sha256;
    this.#hash = sha256 === undefined ? undefined : createHash('sha256');
  }

  take(bytes: Buffer): void {
    this.#hash?.update(bytes);
    this.#length += bytes.length;
  }

  /** Asked once, at the end. */
  get isRight(): boolean {
    return this.#length === this.#sizeBytes && this.#hash?.digest('hex') === this.#sha256;
  }
}

/** Chunks by number, those asked for last. */
class RecentChunks {
  readonly #read: (number: number) => Promise<Buffer>;
  readonly #recent = new Map<number, Promise<Buffer>>();

  constructor(read: (number: number) => Promise<Buffer>) {
    this.#read = read;
  }

  ask(number: number): Promise<Buffer> {
    const known = this.#recent.get(number);
    const chunk = known ?? this.#read(number);
    chunk.catch(() => {}); // whoever waits for it is told
    this.#recent.delete(number);
    this.#recent.set(number, chunk);
    if (this.#recent.size > KEPT_CHUNKS) this.#recent.delete(this.#recent.keys().next().value as number);
    return chunk;
  }
}

/** Where each chunk lies, by the index objects; a pack that they do not tell about is asked for its own. */
export async function readChunkIndex(
  core: VaultCore,
  { body }: Manifest,
  packs: readonly SourcePack[],
  copies: readonly Copy[],
): Promise<ChunkIndex> {
  const index = new ChunkIndex({ directory: core.scratchDirectory });
  try {
    const numbers = new Map(packs.map(({ sha256 }, number) => [sha256, number]));
    const told = new Set<string>();
    const remember = (sha256: string, packIndex: Buffer) => {
      const pack = numbers.get(sha256);
      if (pack === undefined || told.has(sha256)) return;
      told.add(sha256);
      eachChunk(packIndex, `pack '${sha256}'`, (id, place) => index.add(id, { pack, ...place }));
    };
    for (const { generation, indexes } of body.parts) {
      const context = packs.find((pack) => pack.generation.name === generation)?.generation.context;
      for (const key of context ? indexes : []) {
        for (const pack of await indexedPacks(core, context as PackContext, key, copies))
          remember(pack.sha256, pack.index);
      }
    }
    for (const pack of packs) if (!told.has(pack.sha256)) remember(pack.sha256, await ownIndex(pack, copies));
    return index;
  } catch (error) {
    index.close();
    throw error;
  }
}

async function indexedPacks(
  core: VaultCore,
  context: PackContext,
  key: string,
  copies: readonly Copy[],
): Promise<readonly IndexedPack[]> {
  try {
    return await openVerified(core, copies, key, (each) => openIndex(context, key, each));
  } catch (error) {
    if (!isHoldfastError(error, 'OBJECT_MISSING', 'OBJECT_DAMAGED')) throw error;
    return []; // the packs tell it themselves
  }
}

async function ownIndex({ generation, sha256, sizeBytes }: SourcePack, copies: readonly Copy[]): Promise<Buffer> {
  const key = packKeyOf(generation.path, sha256);
  const errors = [];
  for (const copy of copies) {
    try {
      return await readThrough(copy.store, key, (get) => {
        const read = (offset: number, length: number) => get({ offset, length });
        return readPackIndex(generation.context, sizeBytes, read, `'${key}' on '${copy.description.name}'`);
      });
    } catch (error) {
      errors.push(toHoldfastError(error));
    }
  }
  return failWithWorst(key, errors);
}

/** The packs of a snapshot with the generations that they lie in. */
export async function sourcePacks(
  core: VaultCore,
  { header, body }: Manifest,
  copies: readonly Copy[],
): Promise<SourcePack[]> {
  const packs: SourcePack[] = [];
  for (const part of body.parts) {
    if (part.packs.length === 0) continue;
    const generation = await openGeneration(core, header.component, part.generation, copies);
    for (const [sha256, sizeBytes] of part.packs) packs.push({ sha256, sizeBytes, generation });
  }
  return packs;
}
