// Reading one snapshot: its tree, and its files verified chunk by chunk and as a whole.

import { createHash } from 'node:crypto';
import { z } from 'zod';
import { fail, isHoldfastError, toHoldfastError } from '../errors/index.ts';
import { ChunkSource } from './chunk-source.ts';
import { ChunkTable } from './chunk-table.ts';
import type { Copy } from './copies.ts';
import type { VaultCore } from './core.ts';
import { type Generation, openGeneration } from './generation.ts';
import { openIndex } from './index-object.ts';
import { packKeyOf } from './layout.ts';
import type { Manifest } from './manifest.ts';
import { CHUNK_ID_BYTES, ENTRY_BYTES, placeAt, readPackEntries } from './pack.ts';
import { failWithWorst, readVerified } from './replicate.ts';
import type { Snapshot, SnapshotReader, TreeEntry } from './types.ts';

/** Chunks decoded ahead of the one that is handed out, for the cores' sake; a few megabytes. */
const AHEAD = 16;
/** Chunks looked at to find how far one ranged read can go. */
const RUN = 160;

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const entrySchema = z.object({
  path: z.string().min(1),
  type: z.enum(['file', 'directory', 'symlink']),
  mode: z.number().int().nonnegative(),
  mtimeSeconds: z.number(),
  linkTarget: z.string().optional(),
  sizeBytes: z.number().int().nonnegative(),
  sha256: hash.optional(),
  chunking: z.enum(['pages', 'content']).optional(),
  chunks: z.array(hash).optional(),
});

export async function openReader(
  core: VaultCore,
  manifest: Manifest,
  copies: readonly Copy[],
): Promise<SnapshotReader> {
  const { header, body } = manifest;
  const generation = await openGeneration(core, header.component, header.generation, copies);
  const packs = body.packs.map(([sha256, sizeBytes]) => ({ sha256, sizeBytes }));
  const table = await chunkTable(core, generation, manifest, copies);
  const source = new ChunkSource({ core, generation, table, packs, copies });
  const { previous: _previous, ...snapshot } = header;
  return new ChunkSnapshotReader(snapshot, manifest, source);
}

class ChunkSnapshotReader implements SnapshotReader {
  readonly snapshot: Snapshot;
  readonly #manifest: Manifest;
  readonly #source: ChunkSource;

  constructor(snapshot: Snapshot, manifest: Manifest, source: ChunkSource) {
    this.snapshot = snapshot;
    this.#manifest = manifest;
    this.#source = source;
  }

  async *entries(): AsyncGenerator<TreeEntry> {
    const { tree, treeBytes, treeSha256 } = this.#manifest.body;
    let rest: Buffer = Buffer.alloc(0);
    for await (const bytes of this.#stream('the tree', tree, treeBytes, treeSha256)) {
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      const end = rest.lastIndexOf(0x0a) + 1;
      for (const line of rest.toString('utf8', 0, end).split('\n')) if (line !== '') yield this.#entry(line);
      rest = rest.subarray(end);
    }
    if (rest.length > 0) fail('OBJECT_DAMAGED', `the tree of '${this.snapshot.id}' ends in the middle of a line`);
  }

  async *read(entry: TreeEntry): AsyncGenerator<Buffer> {
    if (entry.type !== 'file' || !entry.chunks || entry.sha256 === undefined) {
      fail('INTERNAL', `'${entry.path}' is not a file of a snapshot`);
    }
    yield* this.#stream(`'${entry.path}'`, entry.chunks, entry.sizeBytes, entry.sha256);
  }

  async *#stream(what: string, hexIds: readonly string[], sizeBytes: number, sha256: string): AsyncGenerator<Buffer> {
    const digest = createHash('sha256');
    let length = 0;
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
      digest.update(bytes);
      length += bytes.length;
      yield bytes;
    }
    if (length !== sizeBytes || digest.digest('hex') !== sha256) {
      fail('OBJECT_DAMAGED', `${what} of snapshot '${this.snapshot.id}' is not what was captured`);
    }
  }

  #entry(line: string): TreeEntry {
    try {
      return entrySchema.parse(JSON.parse(line)) as TreeEntry;
    } catch (cause) {
      return fail('OBJECT_DAMAGED', `the tree of '${this.snapshot.id}' has a line that is no entry`, { cause });
    }
  }
}

/** Where each chunk lies, by the index objects; a pack that they do not tell about is asked for its own. */
async function chunkTable(
  core: VaultCore,
  generation: Generation,
  manifest: Manifest,
  copies: readonly Copy[],
): Promise<ChunkTable> {
  const table = new ChunkTable();
  const numbers = new Map(manifest.body.packs.map(([sha256], number) => [sha256, number]));
  const told = new Set<string>();
  const remember = (sha256: string, entries: Buffer) => {
    const pack = numbers.get(sha256);
    if (pack === undefined || told.has(sha256)) return;
    told.add(sha256);
    for (let entry = 0; entry < entries.length / ENTRY_BYTES; entry++) {
      const id = entries.subarray(entry * ENTRY_BYTES, entry * ENTRY_BYTES + CHUNK_ID_BYTES);
      table.add(id, { pack, ...placeAt(entries, entry) });
    }
  };
  for (const key of manifest.body.indexes) {
    try {
      const bytes = await readVerified(core, copies, key, (each) => openIndex(generation.context, key, each));
      for (const pack of await openIndex(generation.context, key, bytes)) remember(pack.sha256, pack.entries);
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_MISSING', 'OBJECT_DAMAGED')) throw error;
    }
  }
  for (const [sha256, sizeBytes] of manifest.body.packs) {
    if (!told.has(sha256)) remember(sha256, await ownEntries(generation, sha256, sizeBytes, copies));
  }
  return table;
}

async function ownEntries(
  generation: Generation,
  sha256: string,
  sizeBytes: number,
  copies: readonly Copy[],
): Promise<Buffer> {
  const key = packKeyOf(generation.path, sha256);
  const errors = [];
  for (const copy of copies) {
    try {
      const read = (offset: number, length: number) => copy.store.get(key, { offset, length });
      return await readPackEntries(generation.context, sizeBytes, read, `'${key}' on '${copy.description.name}'`);
    } catch (error) {
      errors.push(toHoldfastError(error));
    }
  }
  return failWithWorst(key, errors);
}
