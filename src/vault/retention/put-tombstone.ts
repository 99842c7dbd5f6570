// Writing tombstones and what happens to them: each an object of its own that never changes (docs/vault-format.md, section 13).

import { randomBytes } from 'node:crypto';
import type { Moment } from '../../domain/moment.ts';
import { isHoldfastError } from '../../errors/index.ts';
import type { Copy } from '../copies.ts';
import { putSame, sealContext, type VaultCore } from '../core.ts';
import { compactTime, tombstoneBegunKey, tombstoneListKey, tombstoneReleaseKey, tombstoneSweptKey } from '../layout.ts';
import { objectTypes, seal } from '../sealed.ts';
import type { TombstoneHeader, TombstoneList } from './tombstone.ts';

export function tombstoneId(at: Moment, run: string): string {
  const suffix = /[0-9a-f]{8}$/.exec(run)?.[0] ?? randomBytes(4).toString('hex');
  return `${compactTime(at)}-${suffix}`;
}

export async function sealTombstone(core: VaultCore, header: TombstoneHeader, list: TombstoneList): Promise<Buffer> {
  const context = sealContext(core, objectTypes.tombstone, tombstoneListKey(header.id));
  return seal(context, header, Buffer.from(JSON.stringify(list)));
}

/** Throws what a copy throws: a tombstone counts only once it is on every copy. */
export async function putTombstone(copies: readonly Copy[], id: string, bytes: Buffer): Promise<void> {
  for (const copy of copies) await putSame(copy.store, tombstoneListKey(id), bytes);
}

export interface TombstoneEvent {
  readonly id: string;
  readonly by: string;
  readonly at: Moment;
  /** Of the lease `retention`. */
  readonly token: number;
}

/** On every copy that is given; one is enough for it to count. */
export function putRelease(
  core: VaultCore,
  copies: readonly Copy[],
  release: TombstoneEvent & { readonly reason: string },
  keys: readonly string[],
): Promise<void> {
  return putEvent(core, copies, tombstoneReleaseKey(release.id, randomBytes(4).toString('hex')), release, keys);
}

/** Throws what a copy throws: nothing is deleted before it is on every one, where whoever wants it back will find it. */
export function putBegun(
  core: VaultCore,
  copies: readonly Copy[],
  begun: TombstoneEvent,
  keys: readonly string[],
): Promise<void> {
  return putEvent(core, copies, tombstoneBegunKey(begun.id, randomBytes(4).toString('hex')), begun, keys);
}

async function putEvent(
  core: VaultCore,
  copies: readonly Copy[],
  key: string,
  event: TombstoneEvent,
  keys: readonly string[],
): Promise<void> {
  const context = sealContext(core, objectTypes.tombstone, key);
  const bytes = await seal(context, event, Buffer.from(JSON.stringify({ keys })));
  for (const copy of copies) await putSame(copy.store, key, bytes);
}

/** Says on every copy that `copy` holds nothing of the tombstone any more; the same again is fine. */
export async function putSwept(
  core: VaultCore,
  copies: readonly Copy[],
  swept: { readonly id: string; readonly copy: string; readonly by: string; readonly at: Moment },
): Promise<void> {
  const key = tombstoneSweptKey(swept.id, swept.copy);
  const context = sealContext(core, objectTypes.tombstone, key);
  const bytes = await seal(context, swept, Buffer.alloc(0));
  for (const copy of copies) {
    try {
      await copy.store.put(key, bytes);
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_EXISTS')) throw error;
    }
  }
}
