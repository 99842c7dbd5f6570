// Looking behind what others put over an object: who may only add to a store can hide what is there, and must not take it away.

import { createHash } from 'node:crypto';
import { type ErrorCode, isHoldfastError } from '../errors/index.ts';
import type { ByteRange, CallOptions, GetOptions, Store } from '../stores/store.ts';

/** What the bytes of somebody else under our key may look like: none, broken, of another format, of another vault. */
const NOT_OURS: readonly ErrorCode[] = ['OBJECT_MISSING', 'OBJECT_DAMAGED', 'VAULT_FORMAT', 'VAULT_OTHER'];

/** One version of an object, read in parts or whole. */
export type ReadVersion = (range?: ByteRange) => Promise<Buffer>;

/**
 * What `read` makes of the object, verified by it. When the current one is missing or not what it should be, the older versions are tried,
 * first the one that was stored first: objects never change. Throws what the current one threw when no version is good. `sizeBytes` is that of
 * the version, or `listed` for the current one.
 */
export async function readThrough<T>(
  store: Store,
  key: string,
  read: (get: ReadVersion, sizeBytes: number | undefined) => Promise<T>,
  options: Omit<GetOptions, 'version'> & { readonly listed?: number } = {},
): Promise<T> {
  const { listed, ...call } = options;
  try {
    return await read((range) => store.get(key, range, call), listed);
  } catch (error) {
    if (!isHoldfastError(error, ...NOT_OURS)) throw error;
    for (const { id, sizeBytes, isDeleteMarker } of (await store.versions(key, call)).toReversed()) {
      if (isDeleteMarker) continue;
      try {
        return await read((range) => store.get(key, range, { ...call, version: id }), sizeBytes);
      } catch (again) {
        if (!isHoldfastError(again, ...NOT_OURS)) throw again;
      }
    }
    throw error;
  }
}

/** The whole object, verified by `verify`. */
export async function getThrough(
  store: Store,
  key: string,
  verify: (bytes: Buffer) => unknown,
  options: CallOptions = {},
): Promise<Buffer> {
  return readThrough(
    store,
    key,
    async (get) => {
      const bytes = await get();
      await verify(bytes);
      return bytes;
    },
    options,
  );
}

/**
 * The version that was stored first of those that pass `verify`: for what can be told from a forgery only with a key that is not known yet.
 * Throws what the last one threw.
 */
export async function getFirst(
  store: Store,
  key: string,
  verify: (bytes: Buffer) => unknown,
  options: CallOptions = {},
): Promise<Buffer> {
  const older = (await store.versions(key, options)).filter(({ isDeleteMarker }) => !isDeleteMarker).toReversed();
  for (const { id } of older) {
    try {
      const bytes = await store.get(key, undefined, { ...options, version: id });
      await verify(bytes);
      return bytes;
    } catch (error) {
      if (!isHoldfastError(error, ...NOT_OURS)) throw error;
    }
  }
  const bytes = await store.get(key, undefined, options);
  await verify(bytes);
  return bytes;
}

/** Id of a version whose bytes have this hash; `undefined` when there is none. */
export async function findVersion(
  store: Store,
  key: string,
  sizeBytes: number,
  sha256: string,
): Promise<string | undefined> {
  for (const version of (await store.versions(key)).toReversed()) {
    if (version.isDeleteMarker || version.sizeBytes !== sizeBytes) continue;
    const bytes = await store.get(key, undefined, { version: version.id });
    if (createHash('sha256').update(bytes).digest('hex') === sha256) return version.id;
  }
  return undefined;
}
