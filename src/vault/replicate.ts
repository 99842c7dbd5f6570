// Taking objects from one copy to another, verified on the way; a snapshot's manifest comes last.

import type { ComponentId } from '../domain/component.ts';
import type { ErrorCode, HoldfastError } from '../errors/index.ts';
import { fail, isHoldfastError, toHoldfastError } from '../errors/index.ts';
import { transferDeadlineMs } from '../stores/deadline.ts';
import type { Copy } from './copies.ts';
import { forEachLimited, putSame, type VaultCore } from './core.ts';
import { type Holdings, holdingsOf, openGeneration, putGenerationKey } from './generation.ts';
import { openIndex } from './index-object.ts';
import { generationPath, packKeyOf } from './layout.ts';
import { type Manifest, type ManifestBody, type ManifestPart, sha256Of } from './manifest.ts';
import { getThrough } from './versions.ts';

/** Two packs in memory per direction. */
const WIDTH = 2;

export interface Transfer {
  readonly sources: readonly Copy[];
  readonly target: Copy;
  readonly signal?: AbortSignal | undefined;
  /** Called after each object that is now on the target. */
  readonly onObject?: ((sizeBytes: number) => void) | undefined;
}

/** Reads `key` from the first source whose bytes pass `verify`. `sizeBytes`: of a large object, for the time that it may take. Throws what says most when none does. */
export async function readVerified(
  core: VaultCore,
  sources: readonly Copy[],
  key: string,
  verify: (bytes: Buffer) => unknown,
  signal?: AbortSignal,
  sizeBytes = 0,
): Promise<Buffer> {
  const options = { deadlineMs: transferDeadlineMs(sizeBytes), ...(signal && { signal }) };
  const errors: HoldfastError[] = [];
  for (const copy of sources) {
    try {
      return await getThrough(copy.store, key, verify, options);
    } catch (cause) {
      signal?.throwIfAborted();
      const error = toHoldfastError(cause);
      errors.push(error);
      core.logger.warn({ copy: copy.description.name, key, code: error.code }, `trying another copy: ${error.message}`);
    }
  }
  return failWithWorst(key, errors);
}

/** What `open` makes of the bytes of the first copy that it accepts; otherwise as `readVerified`. */
export async function openVerified<T>(
  core: VaultCore,
  sources: readonly Copy[],
  key: string,
  open: (bytes: Buffer) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const opened: T[] = [];
  await readVerified(core, sources, key, async (bytes) => opened.push(await open(bytes)), signal);
  return opened[0] as T;
}

/** What was read and is not what it should be. */
const DAMAGE: readonly ErrorCode[] = ['OBJECT_DAMAGED', 'VAULT_FORMAT', 'VAULT_OTHER'];

/** Unknown before damaged before missing: "missing" is said only when every copy said it, "damaged" only when every other answered. */
export function failWithWorst(key: string, errors: readonly HoldfastError[]): never {
  const unknown = errors.find((error) => !isHoldfastError(error, 'OBJECT_MISSING', ...DAMAGE));
  const damaged = errors.find((error) => isHoldfastError(error, ...DAMAGE));
  throw unknown ?? damaged ?? errors[0] ?? fail('OBJECT_MISSING', `no copy can be asked for '${key}'`);
}

/** Puts `key` on the target with the verified bytes of a source. */
export async function replicateObject(
  core: VaultCore,
  transfer: Transfer,
  key: string,
  verify: (bytes: Buffer) => unknown,
  sizeBytes = 0,
): Promise<void> {
  const bytes = await readVerified(core, transfer.sources, key, verify, transfer.signal, sizeBytes);
  await putSame(transfer.target.store, key, bytes, transfer.signal ? { signal: transfer.signal } : {});
  transfer.onObject?.(bytes.length);
}

/** What a copy lacks of what a snapshot needs, or has in another size; one part for each generation where something is lacking. */
export interface Lacking {
  readonly parts: readonly ManifestPart[];
  /** Of the packs. */
  readonly bytes: number;
}

/** `known`: by the path of a generation, what was listed before. */
export async function lackingOn(
  copy: Copy,
  component: ComponentId,
  body: ManifestBody,
  known: ReadonlyMap<string, Holdings> = new Map(),
): Promise<Lacking> {
  const parts: ManifestPart[] = [];
  for (const { generation, packs, indexes } of body.parts) {
    const path = generationPath(component, generation);
    const holdings = known.get(path) ?? (await holdingsOf(copy.store, path));
    const part = {
      generation,
      packs: packs.filter(([sha256, sizeBytes]) => holdings.packs.get(sha256) !== sizeBytes),
      indexes: indexes.filter((key) => !holdings.indexes.has(key)),
    };
    if (part.packs.length + part.indexes.length > 0) parts.push(part);
  }
  return { parts, bytes: parts.flatMap((part) => part.packs).reduce((sum, [, sizeBytes]) => sum + sizeBytes, 0) };
}

/** Brings packs and index objects over. */
export async function fill(
  core: VaultCore,
  component: ComponentId,
  transfer: Transfer,
  { parts }: Pick<Lacking, 'parts'>,
): Promise<void> {
  for (const part of parts) {
    const generation = await openGeneration(core, component, part.generation, transfer.sources);
    await putGenerationKey(generation, transfer.target);
    await forEachLimited(part.packs, WIDTH, async ([sha256, sizeBytes]) => {
      const key = packKeyOf(generation.path, sha256);
      const requireName = (bytes: Buffer) => {
        if (sha256Of(bytes) !== sha256) fail('OBJECT_DAMAGED', `'${key}' is not what its name says`);
      };
      await replicateObject(core, transfer, key, requireName, sizeBytes);
    });
    await forEachLimited(part.indexes, WIDTH, (key) =>
      replicateObject(core, transfer, key, (bytes) => openIndex(generation.context, key, bytes)),
    );
  }
}

/**
 * Throws `OBJECT_MISSING` unless everything that the snapshot needs is listed on the copy with its size, and `OBJECT_DAMAGED` when a data key,
 * without which all of it could never be read, is not one. Keys are small: they are read back, not only listed.
 */
export async function requireWhole(
  core: VaultCore,
  component: ComponentId,
  body: ManifestBody,
  copy: Copy,
): Promise<void> {
  for (const { generation } of body.parts) await openGeneration(core, component, generation, [copy]);
  const [part] = (await lackingOn(copy, component, body)).parts;
  if (part === undefined) return;
  const first = part.packs[0]?.[0] ?? part.indexes[0];
  fail('OBJECT_MISSING', `'${copy.description.name}' lacks '${first}' which the snapshot needs`, {
    details: { generation: part.generation, packs: part.packs.length, indexes: part.indexes.length },
  });
}

/** Brings one committed snapshot to a copy that lacks it: key, packs, indexes, all confirmed, then `ready`, then the manifest. */
export async function replicateSnapshot(
  core: VaultCore,
  manifest: Manifest,
  transfer: Transfer,
  ready?: (copy: string) => Promise<void> | undefined,
): Promise<void> {
  const { header, body, key, bytes } = manifest;
  const { target } = transfer;
  for (const part of body.parts) {
    await putGenerationKey(await openGeneration(core, header.component, part.generation, transfer.sources), target);
  }
  await fill(core, header.component, transfer, await lackingOn(target, header.component, body));
  await requireWhole(core, header.component, body, target);
  await ready?.(target.description.name);
  await putSame(target.store, key, bytes, transfer.signal ? { signal: transfer.signal } : {});
  transfer.onObject?.(bytes.length);
}
