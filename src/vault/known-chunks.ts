// What a snapshot finds stored before it writes anything: chunks of its generation, of killed attempts in it, and of longer-lived generations.

import { randomBytes } from 'node:crypto';
import { fail, isHoldfastError } from '../errors/index.ts';
import type { ChunkIndex } from './chunk-index.ts';
import { CommittedIndexes } from './committed-indexes.ts';
import type { Copy } from './copies.ts';
import { forEachLimited, putSame, type VaultCore } from './core.ts';
import { type Generation, type Holdings, holdingsOf, youngGenerations } from './generation.ts';
import { type IndexedPack, openIndex, sealIndex } from './index-object.ts';
import { indexKey, packKeyOf } from './layout.ts';
import { sha256Of } from './manifest.ts';
import { readPackIndex } from './pack.ts';
import { eachChunk } from './pack-index.ts';
import type { SnapshotRequest } from './types.ts';
import type { Uploads } from './uploads.ts';
import { readThrough } from './versions.ts';

/** Plain bytes of one index object: the index of many packs never grows in memory. */
export const INDEX_BYTES = 3 * 1024 * 1024;

/** A pack that is in the vault before this attempt writes anything. */
export interface StoredPack {
  readonly generation: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** The index object that covers it. */
  readonly indexKey: string;
}

export interface KnownChunksParts {
  readonly core: VaultCore;
  readonly request: SnapshotRequest;
  readonly generation: Generation;
  /** What each copy has of the generation; packs that fail their check are taken out. */
  readonly holdings: ReadonlyMap<Copy, Holdings>;
  readonly uploads: Uploads;
}

/** Fills `index`; the numbers of packs in its records are those of the list that is given back. */
export async function knownChunks(parts: KnownChunksParts, index: ChunkIndex): Promise<StoredPack[]> {
  const known = new KnownChunks(parts, index);
  await known.committed(parts.generation, parts.holdings);
  await known.strays();
  for (const each of parts.request.longerLived ?? []) await known.longerLived(each);
  return known.packs;
}

class KnownChunks {
  readonly packs: StoredPack[] = [];
  readonly #parts: KnownChunksParts;
  readonly #index: ChunkIndex;
  readonly #names = new Set<string>();
  readonly #committed: CommittedIndexes;

  constructor(parts: KnownChunksParts, index: ChunkIndex) {
    this.#parts = parts;
    this.#committed = new CommittedIndexes(parts.core, parts.request.component);
    this.#index = index;
  }

  /** Packs that the indexes of committed snapshots name and some copy has. */
  async committed(generation: Generation, holdings: ReadonlyMap<Copy, Holdings>): Promise<void> {
    const isThere = ({ sha256, sizeBytes }: IndexedPack) =>
      [...holdings.values()].some((each) => each.packs.get(sha256) === sizeBytes);
    for (const key of await this.#committed.of(generation, holdings)) {
      for (const pack of await readIndex(generation, key, holdings)) {
        if (isThere(pack)) this.#remember(generation, pack, key);
      }
    }
  }

  /**
   * Packs that killed attempts left: each copy's are checked first, then covered by an index object of this snapshot at once, so that their
   * indexes need no memory until the commit.
   */
  async strays(): Promise<void> {
    const { core, generation, holdings } = this.#parts;
    let group: IndexedPack[] = [];
    await forEachLimited(holdings, 2, async ([copy, { packs }]) => {
      const strays = [...packs].filter(([sha256]) => !this.#names.has(sha256));
      try {
        await forEachLimited(strays, 2, async ([sha256, sizeBytes]) => {
          const index = await checkStray(core, generation, copy, sha256, sizeBytes);
          if (!index) packs.delete(sha256);
          else if (!this.#names.has(sha256) && !group.some((each) => each.sha256 === sha256)) {
            group.push({ sha256, sizeBytes, index });
          }
          if (group.reduce((sum, each) => sum + each.index.length, 0) < INDEX_BYTES) return;
          const full = group;
          group = [];
          await this.#cover(full);
        });
      } catch (error) {
        core.copies.failed(copy, error);
        packs.clear(); // nothing counts that was not looked at
      }
    });
    await this.#cover(group);
  }

  /** Generations of a class that is kept longer: what this snapshot finds there need not be stored for its own class. */
  async longerLived(name: string): Promise<void> {
    const { core, request, holdings } = this.#parts;
    const copies = [...holdings.keys()];
    for (const generation of await youngGenerations(core, { ...request, class: name }, copies)) {
      const theirs = new Map<Copy, Holdings>();
      for (const copy of copies) {
        try {
          theirs.set(copy, await holdingsOf(copy.store, generation.path));
        } catch (error) {
          core.copies.failed(copy, error);
        }
      }
      await this.committed(generation, theirs);
    }
  }

  #remember({ name }: Generation, { sha256, sizeBytes, index }: IndexedPack, indexKey: string): void {
    if (this.#names.has(sha256)) return;
    this.#names.add(sha256);
    const pack = this.packs.push({ generation: name, sha256, sizeBytes, indexKey }) - 1;
    eachChunk(index, `pack '${sha256}'`, (id, place) => this.#index.add(id, { pack, ...place }));
  }

  async #cover(group: readonly IndexedPack[]): Promise<void> {
    if (group.length === 0) return;
    const { generation, request, uploads } = this.#parts;
    const key = newIndexKey(generation, request);
    const bytes = await sealIndex(generation.context, key, group);
    for (const pack of group) this.#remember(generation, pack, key);
    await uploads.add(key, bytes, sha256Of(bytes));
  }
}

export function newIndexKey(generation: Generation, request: SnapshotRequest): string {
  return indexKey(generation.path, request.id, randomBytes(4).toString('hex'));
}

async function readIndex(generation: Generation, key: string, holdings: ReadonlyMap<Copy, Holdings>) {
  let failure: unknown;
  for (const [copy, { indexes }] of holdings) {
    if (!indexes.has(key)) continue;
    try {
      return await readThrough(copy.store, key, async (get) => openIndex(generation.context, key, await get()));
    } catch (error) {
      failure = error;
    }
  }
  if (failure !== undefined && !isHoldfastError(failure, 'OBJECT_MISSING', 'OBJECT_DAMAGED')) throw failure;
  return []; // its packs count as strays then, and are checked
}

/** Whether a pack that nobody committed is whole and durable, by the store's word or by reading it back; its own index then. */
async function checkStray(
  core: VaultCore,
  generation: Generation,
  copy: Copy,
  sha256: string,
  sizeBytes: number,
): Promise<Buffer | undefined> {
  const key = packKeyOf(generation.path, sha256);
  try {
    const attested = (await copy.store.head(key))?.sha256;
    if (attested === undefined) {
      const bytes = await copy.store.get(key);
      if (sha256Of(bytes) !== sha256) fail('OBJECT_DAMAGED', `'${key}' is not what its name says`);
      await putSame(copy.store, key, bytes); // meets itself; makes its directory entry durable
    } else if (attested !== sha256) fail('OBJECT_DAMAGED', `'${key}' is not what its name says`);
    const read = (offset: number, length: number) => copy.store.get(key, { offset, length });
    return await readPackIndex(generation.context, sizeBytes, read, `'${key}'`);
  } catch (error) {
    if (!isHoldfastError(error, 'OBJECT_DAMAGED', 'OBJECT_MISSING', 'VAULT_FORMAT')) throw error;
    core.logger.warn(
      { copy: copy.description.name, key },
      `a pack of an earlier attempt is not used: ${error.message}`,
    );
    return undefined;
  }
}
