// Generations: which one a snapshot joins, its data key, and what earlier attempts and snapshots already stored in it.

import { randomBytes } from 'node:crypto';
import type { ComponentId } from '../domain/component.ts';
import { parseComponentId } from '../domain/component.ts';
import { momentFromDate, unixMicros } from '../domain/moment.ts';
import { fail, isHoldfastError } from '../errors/index.ts';
import type { ObjectInfo, Store } from '../stores/store.ts';
import { ChunkIds } from './chunk-id.ts';
import type { Copy } from './copies.ts';
import { listAll, putSame, sealContext, type VaultCore } from './core.ts';
import { KEY_BYTES } from './crypto.ts';
import {
  compactTime,
  dataKeyKey,
  generationPath,
  generationsPrefix,
  indexesPrefix,
  packsPrefix,
  parseGeneration,
} from './layout.ts';
import type { PackContext } from './pack.ts';
import { objectTypes, seal, unseal } from './sealed.ts';
import type { SnapshotRequest } from './types.ts';
import { readThrough } from './versions.ts';

/** After every character that a key may have: lists on behind all objects of a generation. */
const BEHIND_ALL = '~';

export interface Generation {
  readonly name: string;
  readonly path: string;
  readonly context: PackContext;
  /** The sealed data key, the same bytes for every copy. */
  readonly keyObject: Buffer;
}

/** What one copy has of a generation: pack → size, and index keys. */
export interface Holdings {
  readonly packs: Map<string, number>;
  readonly indexes: Map<string, number>;
}

export async function openGeneration(
  core: VaultCore,
  component: ComponentId,
  name: string,
  copies: readonly Copy[],
): Promise<Generation> {
  const path = generationPath(component, name);
  const key = dataKeyKey(path);
  let failure: unknown;
  for (const copy of copies) {
    try {
      const context = sealContext(core, objectTypes.generationKey, key);
      const { keyObject, body } = await readThrough(copy.store, key, async (get) => {
        const keyObject = await get();
        const { body } = await unseal(context, keyObject);
        if (body.length !== KEY_BYTES) fail('OBJECT_DAMAGED', `'${key}' is not a key`);
        return { keyObject, body };
      });
      return { name, path, keyObject, context: packContext(core, path, body) };
    } catch (error) {
      if (failure === undefined || isHoldfastError(failure, 'OBJECT_MISSING')) failure = error;
    }
  }
  throw failure ?? fail('OBJECT_MISSING', `no copy has '${key}'`);
}

/** The current generation of the request's component and class, or a new one when there is none or it is old enough. */
export async function joinGeneration(
  core: VaultCore,
  request: SnapshotRequest,
  copies: readonly Copy[],
): Promise<Generation> {
  const [youngest] = await youngGenerations(core, request, copies);
  return youngest ?? newGeneration(core, request);
}

/** Generations of the request's component and class that a snapshot may join at this time, the youngest first. */
export async function youngGenerations(
  core: VaultCore,
  request: SnapshotRequest,
  copies: readonly Copy[],
): Promise<Generation[]> {
  const startMs = Number(unixMicros(request.from) / 1000n);
  const lengthMs = core.generationMs[parseComponentId(request.component).kind];
  const names = new Set<string>();
  const answering: Copy[] = [];
  for (const copy of copies) {
    try {
      for (const name of await generationNames(copy.store, request, startMs - lengthMs)) names.add(name);
      answering.push(copy);
    } catch (error) {
      // One that went away must not keep the others from taking a snapshot; a generation that only it has is not joined.
      core.copies.failed(copy, error);
    }
  }
  const age = (name: string) => startMs - (parseGeneration(name)?.startMs ?? Number.NaN);
  // A second of tolerance: names have whole seconds.
  const young = [...names]
    .filter((name) => age(name) < lengthMs && age(name) > -1000)
    .sort()
    .reverse();
  const generations: Generation[] = [];
  for (const name of young) {
    try {
      generations.push(await openGeneration(core, request.component, name, answering));
    } catch (error) {
      // Died before its key was anywhere: nothing in it can ever be read, so nothing needs it.
      if (!isHoldfastError(error, 'OBJECT_MISSING')) throw error;
    }
  }
  return generations;
}

async function newGeneration(core: VaultCore, request: SnapshotRequest): Promise<Generation> {
  const name = `${request.class}-${compactTime(request.from)}-${randomBytes(4).toString('hex')}`;
  const path = generationPath(request.component, name);
  const dataKey = randomBytes(KEY_BYTES);
  const header = { generation: name, component: request.component, class: request.class, created: request.from };
  const keyObject = await seal(sealContext(core, objectTypes.generationKey, dataKeyKey(path)), header, dataKey);
  return { name, path, keyObject, context: packContext(core, path, dataKey) };
}

function packContext(core: VaultCore, path: string, dataKey: Buffer): PackContext {
  return { vaultId: core.keys.idBytes, path, dataKey, chunkIds: new ChunkIds(core.keys.chunkId) };
}

/**
 * Names of those that began after a time, by skipping from generation to generation, so that neither a bucket's millions of packs are listed nor
 * the generations of years.
 */
async function generationNames(store: Store, request: SnapshotRequest, afterMs: number): Promise<string[]> {
  const prefix = `${generationsPrefix(request.component)}${request.class}-`;
  const names: string[] = [];
  for (let after = `${prefix}${compactTime(momentFromDate(new Date(afterMs)))}`; ; ) {
    let first: ObjectInfo | undefined;
    for await (const info of store.list(prefix, { after })) {
      first = info;
      break;
    }
    if (!first) return names;
    const name = first.key.split('/')[3] as string;
    if (parseGeneration(name)?.class === request.class) names.push(name);
    after = `${generationsPrefix(request.component)}${name}/${BEHIND_ALL}`;
  }
}

export async function holdingsOf(store: Store, path: string): Promise<Holdings> {
  const packs = new Map<string, number>();
  for (const info of await listAll(store, packsPrefix(path))) packs.set(info.key.slice(-64), info.sizeBytes);
  const indexes = new Map<string, number>();
  for (const info of await listAll(store, indexesPrefix(path))) indexes.set(info.key, info.sizeBytes);
  return { packs, indexes };
}

/** Takes note of an object of the generation that a copy has confirmed. */
export function noteStored(holdings: Holdings, path: string, key: string, sizeBytes: number): void {
  if (key.startsWith(packsPrefix(path))) holdings.packs.set(key.slice(-64), sizeBytes);
  else holdings.indexes.set(key, sizeBytes);
}

/** Puts the data key on every copy that lacks it. */
export async function putGenerationKey(generation: Generation, copy: Copy): Promise<void> {
  await putSame(copy.store, dataKeyKey(generation.path), generation.keyObject);
}
