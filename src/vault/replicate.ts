// Taking objects from one copy to another, verified on the way; a snapshot's manifest comes last.

import type { HoldfastError } from '../errors/index.ts';
import { fail, isHoldfastError, toHoldfastError } from '../errors/index.ts';
import type { Copy } from './copies.ts';
import { forEachLimited, putSame, type VaultCore } from './core.ts';
import { type Generation, type Holdings, holdingsOf, openGeneration, putGenerationKey } from './generation.ts';
import { openIndex } from './index-object.ts';
import { packKeyOf } from './layout.ts';
import { type Manifest, type ManifestBody, sha256Of } from './manifest.ts';

/** Two packs in memory per direction. */
const WIDTH = 2;

export interface Transfer {
  readonly sources: readonly Copy[];
  readonly target: Copy;
  readonly signal?: AbortSignal | undefined;
  /** Called after each object that is now on the target. */
  readonly onObject?: ((sizeBytes: number) => void) | undefined;
}

/** Reads `key` from the first source whose bytes pass `verify`. Throws what says most when none does. */
export async function readVerified(
  core: VaultCore,
  sources: readonly Copy[],
  key: string,
  verify: (bytes: Buffer) => unknown,
  signal?: AbortSignal,
): Promise<Buffer> {
  const errors: HoldfastError[] = [];
  for (const copy of sources) {
    try {
      const bytes = await copy.store.get(key, undefined, signal ? { signal } : {});
      await verify(bytes);
      return bytes;
    } catch (cause) {
      signal?.throwIfAborted();
      const error = toHoldfastError(cause);
      errors.push(error);
      core.logger.warn({ copy: copy.description.name, key, code: error.code }, `trying another copy: ${error.message}`);
    }
  }
  return failWithWorst(key, errors);
}

/** Unknown before damaged before missing: "missing" is said only when every copy said it. */
export function failWithWorst(key: string, errors: readonly HoldfastError[]): never {
  const unknown = errors.find((error) => !isHoldfastError(error, 'OBJECT_MISSING', 'OBJECT_DAMAGED'));
  const damaged = errors.find((error) => isHoldfastError(error, 'OBJECT_DAMAGED'));
  throw unknown ?? damaged ?? errors[0] ?? fail('OBJECT_MISSING', `no copy can be asked for '${key}'`);
}

/** Puts `key` on the target with the verified bytes of a source. */
export async function replicateObject(
  core: VaultCore,
  transfer: Transfer,
  key: string,
  verify: (bytes: Buffer) => unknown,
): Promise<void> {
  const bytes = await readVerified(core, transfer.sources, key, verify, transfer.signal);
  await putSame(transfer.target.store, key, bytes, transfer.signal ? { signal: transfer.signal } : {});
  transfer.onObject?.(bytes.length);
}

export interface Lacking {
  readonly packs: readonly (readonly [sha256: string, sizeBytes: number])[];
  readonly indexes: readonly string[];
  readonly bytes: number;
}

/** What a snapshot needs and a copy has not, or has in another size. */
export function lacking(body: ManifestBody, holdings: Holdings): Lacking {
  const packs = body.packs.filter(([sha256, sizeBytes]) => holdings.packs.get(sha256) !== sizeBytes);
  const indexes = body.indexes.filter((key) => !holdings.indexes.has(key));
  return { packs, indexes, bytes: packs.reduce((sum, [, sizeBytes]) => sum + sizeBytes, 0) };
}

/** Brings packs and index objects over. */
export async function fill(core: VaultCore, generation: Generation, transfer: Transfer, what: Lacking): Promise<void> {
  await putGenerationKey(generation, transfer.target);
  await forEachLimited(what.packs, WIDTH, async ([sha256]) => {
    const key = packKeyOf(generation.path, sha256);
    await replicateObject(core, transfer, key, (bytes) => {
      if (sha256Of(bytes) !== sha256) fail('OBJECT_DAMAGED', `'${key}' is not what its name says`);
    });
  });
  await forEachLimited(what.indexes, WIDTH, (key) =>
    replicateObject(core, transfer, key, (bytes) => openIndex(generation.context, key, bytes)),
  );
}

/** Throws `OBJECT_MISSING` unless everything that the snapshot needs is listed on the copy with its size. */
export async function requireWhole(generation: Generation, body: ManifestBody, copy: Copy): Promise<void> {
  const missing = lacking(body, await holdingsOf(copy.store, generation.path));
  const first = missing.packs[0]?.[0] ?? missing.indexes[0];
  if (first === undefined) return;
  fail('OBJECT_MISSING', `'${copy.description.name}' lacks '${first}' which the snapshot needs`, {
    details: { packs: missing.packs.length, indexes: missing.indexes.length },
  });
}

/** Brings one committed snapshot to a copy that lacks it: key, packs, indexes, all confirmed, then `ready`, then the manifest. */
export async function replicateSnapshot(
  core: VaultCore,
  manifest: Manifest,
  transfer: Transfer,
  ready?: (copy: string) => Promise<void>,
): Promise<void> {
  const { header, body, key, bytes } = manifest;
  const { target } = transfer;
  const generation = await openGeneration(core, header.component, header.generation, transfer.sources);
  await fill(core, generation, transfer, lacking(body, await holdingsOf(target.store, generation.path)));
  await requireWhole(generation, body, target);
  await ready?.(target.description.name);
  await putSame(target.store, key, bytes, transfer.signal ? { signal: transfer.signal } : {});
  transfer.onObject?.(bytes.length);
}
