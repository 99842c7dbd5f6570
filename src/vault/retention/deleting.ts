// The only place that deletes what was stored for good: exact keys, the lease confirmed before every call, refusals counted and not hidden.

import type { Amount } from '../../domain/retention-report.ts';
import { fail, isHoldfastError } from '../../errors/index.ts';
import type { Copy } from '../copies.ts';
import type { VaultCore } from '../core.ts';
import type { Lease } from '../types.ts';
import type { SizedKey } from './tombstone.ts';

/** Few enough that the lease is confirmed often, many enough for a bucket's requests. */
const BATCH = 200;
/** A request that is under way when the lease ends may still be carried out. */
const UNDER_WAY_MS = 5_000;

export class Deleting {
  /** Objects that a store would not delete, by copy. */
  readonly kept: Record<string, number> = {};
  readonly #core: VaultCore;
  readonly #lease: Lease;
  readonly #signal: AbortSignal | undefined;
  readonly #deleted = new Map<string, { objects: number; bytes: number }>();

  constructor(core: VaultCore, lease: Lease, signal: AbortSignal | undefined) {
    this.#core = core;
    this.#lease = lease;
    this.#signal = signal;
  }

  deleted(copy: string): Amount {
    return this.#deleted.get(copy) ?? { objects: 0, bytes: 0 };
  }

  /** In order. Throws `FENCED` when somebody else holds the lease by now, and what the store throws, except that it may not. */
  async delete(copy: Copy, objects: readonly SizedKey[]): Promise<void> {
    let size = BATCH;
    for (let at = 0; at < objects.length; ) {
      const batch = objects.slice(at, at + size);
      try {
        await this.#within(copy, batch);
        this.#note(copy, batch);
      } catch (error) {
        this.#signal?.throwIfAborted();
        if (isHoldfastError(error, 'OBJECT_LOCKED', 'STORE_DENIED')) await this.#oneByOne(copy, batch);
        else if (!isHoldfastError(error, 'CANCELLED') || size === 1) throw error;
        else {
          // Slow rounds: fewer keys take less time, and what is deleted already is no error.
          size = Math.ceil(size / 2);
          continue;
        }
      }
      at += batch.length;
    }
  }

  /** A tombstone's own objects, which count for nobody. */
  async forget(copy: Copy, keys: readonly string[]): Promise<void> {
    await this.#within(
      copy,
      keys.map((key) => [key, 0] as const),
    );
  }

  /** Only while nobody else can hold the lease: a store that lists before it deletes may take longer. Throws `CANCELLED` at its end. */
  async #within({ store }: Copy, batch: readonly SizedKey[]): Promise<void> {
    this.#signal?.throwIfAborted();
    await this.#lease.check();
    const ended = AbortSignal.timeout(Math.max(0, Math.floor(this.#lease.leftMs - UNDER_WAY_MS)));
    const signal = this.#signal ? AbortSignal.any([this.#signal, ended]) : ended;
    const keys = batch.map(([key]) => key);
    try {
      await store.delete(keys, { signal });
    } catch (error) {
      if (!ended.aborted || isHoldfastError(error, 'OBJECT_LOCKED', 'STORE_DENIED')) throw error;
      fail('CANCELLED', `the lease would have ended while ${keys.length} objects were deleted`, { cause: error });
    }
  }

  /** One that is locked must not keep the others. */
  async #oneByOne(copy: Copy, batch: readonly SizedKey[]): Promise<void> {
    const { name } = copy.description;
    for (const [key, sizeBytes] of batch) {
      try {
        await this.#within(copy, [[key, sizeBytes]]);
        this.#note(copy, [[key, sizeBytes]]);
      } catch (error) {
        if (!isHoldfastError(error, 'OBJECT_LOCKED', 'STORE_DENIED')) throw error;
        this.kept[name] = (this.kept[name] ?? 0) + 1;
        this.#core.logger.warn({ copy: name, key }, `not deleted, tried again by the next run: ${error.message}`);
      }
    }
  }

  #note({ description: { name } }: Copy, batch: readonly SizedKey[]): void {
    const { objects, bytes } = this.deleted(name);
    const more = batch.reduce((sum, [, size]) => sum + size, 0);
    this.#deleted.set(name, { objects: objects + batch.length, bytes: bytes + more });
  }
}
