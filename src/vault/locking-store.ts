// A copy that locks, as the vault sees it: what is kept is locked until the format's end, and what opens the vault at least as long.

import { isHoldfastError } from '../errors/index.ts';
import type { CallOptions, PutOptions, Store } from '../stores/store.ts';
import { withMethods } from '../stores/with-methods.ts';
import { listAll } from './core.ts';
import { DESCRIPTOR_KEY, isOpeningKey, parseSlotName, removalKeyOf, SLOTS_PREFIX } from './layout.ts';
import { type LockTimes, lockEnd } from './lock-ends.ts';

/** So much longer than is needed what opens the vault is locked, so that it is not asked for anew with every object. */
const MARGIN_MS = 7 * 86_400_000;
/** A margin is small beside the time itself. */
const MARGIN_SHARE = 0.1;

/** The store itself where nothing is locked. */
export function withLocks(store: Store, generationMs: LockTimes['generationMs']): Store {
  const { lockForSeconds } = store;
  if (lockForSeconds === undefined) return store;
  const locks = new Locks(store, { forMs: lockForSeconds * 1000, generationMs });
  return withMethods(store, {
    put: (...args) => locks.put(...args),
    extendLock: (...args) => locks.extendLock(...args),
  });
}

class Locks implements Pick<Store, 'put' | 'extendLock'> {
  readonly #store: Store;
  readonly #times: LockTimes;
  /** Everything that opens the vault here was seen locked at least until then. */
  #openingMs = 0;
  #turn: Promise<void> = Promise.resolve();

  constructor(store: Store, times: LockTimes) {
    this.#store = store;
    this.#times = times;
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<void> {
    const until = options.lockUntil ?? lockEnd(key, this.#times);
    const { lockUntil: _, ...rest } = { ...options, keep: false };
    if (until === undefined) return this.#store.put(key, bytes, rest);
    if (!isOpeningKey(key)) await this.#lockOpening(until, options);
    await this.#store.put(key, bytes, { ...rest, lockUntil: until });
    if (isOpeningKey(key)) await this.#alignWithDescriptor(key, until, options);
  }

  async extendLock(key: string, until: Date | undefined, options?: CallOptions): Promise<Date | undefined> {
    const end = until ?? lockEnd(key, this.#times);
    if (end === undefined) return undefined;
    if (!isOpeningKey(key)) await this.#lockOpening(end, options);
    const locked = await this.#store.extendLock(key, end, options);
    if (isOpeningKey(key)) await this.#alignWithDescriptor(key, end, options);
    return locked;
  }

  /** Before anything is locked, so that it can be opened as long as it is there. */
  #lockOpening(until: Date, options: CallOptions = {}): Promise<void> {
    const { signal } = options;
    const mine = this.#turn.then(async () => {
      if (until.getTime() <= this.#openingMs) return;
      const marginMs = Math.min(MARGIN_MS, this.#times.forMs * MARGIN_SHARE);
      const end = new Date(until.getTime() + marginMs);
      // The descriptor first: whoever adds a slot meanwhile looks at it afterwards.
      for (const key of [DESCRIPTOR_KEY, ...(await this.#slots(signal ? { signal } : {}))]) {
        await this.#extendIfThere(key, end, signal ? { signal } : {});
      }
      this.#openingMs = end.getTime();
    });
    this.#turn = mine.catch(() => {});
    return mine;
  }

  /** Slots that are not removed; a removed one need not stay. */
  async #slots(options: CallOptions): Promise<string[]> {
    const keys = (await listAll(this.#store, SLOTS_PREFIX, options)).map(({ key }) => key);
    const there = new Set(keys);
    return keys.filter((key) => parseSlotName(key)?.kind === 'slot' && !there.has(removalKeyOf(key)));
  }

  /** The descriptor is locked as long as anything here: a new slot, which opens it all, must be too. */
  async #alignWithDescriptor(key: string, until: Date, { signal }: CallOptions = {}): Promise<void> {
    if (key === DESCRIPTOR_KEY) return;
    const call = signal ? { signal } : {};
    const end = await this.#extendIfThere(DESCRIPTOR_KEY, until, call);
    if (end !== undefined && end > until) await this.#store.extendLock(key, end, call);
  }

  /** A vault that is being made has no descriptor yet; a slot may be removed while we look. */
  async #extendIfThere(key: string, until: Date, options: CallOptions): Promise<Date | undefined> {
    try {
      return await this.#store.extendLock(key, until, options);
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_MISSING')) throw error;
      return undefined;
    }
  }
}
