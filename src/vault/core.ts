// What all parts of an opened vault share: keys, copies, policy, and the few ways to touch a sealed object.

import type { Logger } from 'pino';
import type { ComponentId, ComponentKind } from '../domain/component.ts';
import { fail, isHoldfastError } from '../errors/index.ts';
import { transferDeadlineMs } from '../stores/deadline.ts';
import type { CallOptions, ObjectInfo, PutOptions, Store } from '../stores/store.ts';
import type { Compression } from './codec.ts';
import type { Copies } from './copies.ts';
import type { VaultKeys } from './crypto.ts';
import { isKeptKey, isPackKey } from './layout.ts';
import { letGo } from './let-go.ts';
import {
  HEADER_READ_BYTES,
  type ObjectType,
  type Opened,
  objectTypes,
  type SealContext,
  seal,
  unseal,
  unsealHeader,
} from './sealed.ts';
import type { CommitPolicy } from './types.ts';
import { getThrough, type ReadVersion, readThrough } from './versions.ts';

export interface VaultCore {
  readonly keys: VaultKeys;
  readonly copies: Copies;
  readonly policy: CommitPolicy;
  readonly logger: Logger;
  readonly host: string;
  readonly generationMs: Readonly<Record<ComponentKind, number>>;
  readonly compression: Compression;
  /** Of a snapshot that is written. */
  readonly threads: number | undefined;
  /** For chunk indexes that do not fit in memory. */
  readonly scratchDirectory: string | undefined;
}

/** Context of a sealed object whose base key comes from the vault key. */
export function sealContext(
  core: Pick<VaultCore, 'keys'>,
  type: Exclude<ObjectType, typeof objectTypes.index>,
  key: string,
): SealContext {
  return { vaultId: core.keys.idBytes, type, key, baseKey: core.keys.derived(purposeOf(type, key)) };
}

function purposeOf(type: ObjectType, key: string): string {
  if (type === objectTypes.generationKey) return 'generation-key';
  if (type === objectTypes.manifest) return 'manifest';
  if (type === objectTypes.record || type === objectTypes.lease || type === objectTypes.slotRemoval) return 'record';
  if (type === objectTypes.tombstone || type === objectTypes.hold) return 'retention';
  if (type === objectTypes.proof) return 'proof';
  const [kind, name, , systemId] = key.split('/');
  return `log/${kind}/${name}/${systemId}`;
}

export async function putSealed(
  store: Store,
  context: SealContext,
  header: unknown,
  body: Uint8Array,
  options: CallOptions = {},
): Promise<number> {
  const bytes = await seal(context, header, body);
  await store.put(context.key, bytes, { keep: isKeptKey(context.key), ...options });
  return bytes.length;
}

export async function getSealed(store: Store, context: SealContext, options: CallOptions = {}): Promise<Opened> {
  let lent: ArrayBuffer | undefined;
  const into = (bytes: number) => {
    lent = Buffer.allocUnsafeSlow(bytes).buffer;
    return lent;
  };
  const read = async (get: ReadVersion) => {
    const bytes = await get();
    const opened = await unseal(context, bytes);
    if (bytes.buffer === lent) letGo(lent);
    return opened;
  };
  return readThrough(store, context.key, read, { ...options, into });
}

/** The header alone; one ranged read unless it is unusually long. */
export async function getHeader(
  store: Store,
  context: SealContext,
  sizeBytes: number,
  options: CallOptions = {},
): Promise<unknown> {
  const read = async (get: ReadVersion, size = sizeBytes) => {
    const result = await unsealHeader(context, await get({ offset: 0, length: Math.min(size, HEADER_READ_BYTES) }));
    if ('header' in result) return result.header;
    if (result.headerEnd > size) fail('OBJECT_DAMAGED', `'${context.key}' is shorter than its header`);
    const again = await unsealHeader(context, await get({ offset: 0, length: result.headerEnd }));
    return 'header' in again ? again.header : fail('OBJECT_DAMAGED', `'${context.key}' has no header`);
  };
  return readThrough(store, context.key, read, options);
}

/**
 * Stores these very bytes, or finds that they are there, if need be under what others put over them, and locked as long as is asked. Throws
 * `OBJECT_EXISTS` when others are.
 */
export async function putSame(store: Store, key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
  try {
    const defaults = { bulk: isPackKey(key), keep: isKeptKey(key), deadlineMs: transferDeadlineMs(bytes.length) };
    await store.put(key, bytes, { ...defaults, ...options });
  } catch (error) {
    if (!isHoldfastError(error, 'OBJECT_EXISTS')) throw error;
    await requireSame(store, key, bytes, error, options);
    // A data key must stay locked as long as the packs that came after it.
    if (options.lockUntil || isKeptKey(key)) await store.extendLock(key, options.lockUntil, options);
  }
}

async function requireSame(store: Store, key: string, bytes: Uint8Array, cause: unknown, options: CallOptions) {
  const { signal, deadlineMs } = options;
  const call = { ...(signal && { signal }), ...(deadlineMs !== undefined && { deadlineMs }) };
  const compare = (there: Buffer) => {
    if (!there.equals(bytes)) fail('OBJECT_DAMAGED', `'${key}' has other bytes`);
  };
  try {
    await getThrough(store, key, compare, call);
  } catch (error) {
    throw isHoldfastError(error, 'OBJECT_DAMAGED') ? cause : error;
  }
}

/** Deletes what newer objects replace. Whoever may not delete here leaves it: it takes a little room and means nothing. */
export async function deleteReplaced(store: Store, keys: readonly string[], logger: Logger): Promise<void> {
  if (keys.length === 0) return;
  try {
    await store.delete(keys);
  } catch (error) {
    if (!isHoldfastError(error, 'STORE_DENIED', 'OBJECT_LOCKED')) throw error;
    logger.debug({ copy: store.name, keys: keys.length }, `replaced objects stay: ${error.message}`);
  }
}

export async function listAll(store: Store, prefix: string, options: CallOptions = {}): Promise<ObjectInfo[]> {
  const infos: ObjectInfo[] = [];
  for await (const info of store.list(prefix, options)) infos.push(info);
  return infos;
}

/** Runs `work` over `items`, at most `width` at a time; the first failure is thrown after the others ended. */
export async function forEachLimited<T>(
  items: Iterable<T>,
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const lane = async () => {
    for (let next = iterator.next(); !next.done && failures.length === 0; next = iterator.next()) {
      await work(next.value).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  if (failures.length > 0) throw failures[0];
}

export function asComponent(text: string): ComponentId {
  return text as ComponentId;
}
