// Finding the key of a vault: which of the configured secrets opens which slot object, each asked as seldom as can be.

import { fail, type HoldfastError, isHoldfastError, toHoldfastError } from '../errors/index.ts';
import type { Copy } from './copies.ts';
import { listAll } from './core.ts';
import { type KeySlot, MOST_SLOT_BYTES, openSlot, parseSlot } from './key-slots.ts';
import type { KeySource } from './key-sources.ts';
import { parseSlotName, SLOTS_PREFIX } from './layout.ts';
import { sha256Of } from './manifest.ts';
import { getFirst } from './versions.ts';

/** Somebody who may only add rubbish must not be able to keep us busy for ever. */
const MOST_SLOTS = 256;

/** A file is read at once, a service answers in milliseconds or is dead for seconds, a passphrase always costs 0.4 s and 128 MiB. */
const COST = { file: 0, kms: 1, passphrase: 2 } as const;

/** Opens slot objects with the configured secrets; remembers what failed, so that no copy makes us ask a dead service again. */
export class SlotOpener {
  readonly sources: readonly KeySource[];
  readonly #failed = new Map<KeySource, HoldfastError>();
  readonly #foreign = new Map<KeySource, Set<string>>();

  constructor(sources: readonly KeySource[]) {
    this.sources = sources.toSorted((a, b) => COST[a.kind] - COST[b.kind]);
  }

  /** Why secrets could not be tried; those that say "later" come first. */
  get failures(): HoldfastError[] {
    return [...this.#failed.values()].toSorted((a, b) => Number(b.retryable) - Number(a.retryable));
  }

  get triedNone(): boolean {
    return this.sources.length > 0 && this.#failed.size === this.sources.length;
  }

  async open(vaultId: string, slots: readonly { slot: KeySlot; bytes: Buffer }[]): Promise<Buffer | undefined> {
    for (const source of this.sources) {
      const fitting = slots.filter(({ slot }) => slot.kind === source.kind);
      for (const { slot, bytes } of fitting.toSorted((a, b) => rank(a.slot, source) - rank(b.slot, source))) {
        const key = await this.#try(vaultId, slot, bytes, source);
        if (key) return key;
      }
    }
    return undefined;
  }

  async #try(vaultId: string, slot: KeySlot, bytes: Buffer, source: KeySource): Promise<Buffer | undefined> {
    const object = `${vaultId} ${slot.key} ${sha256Of(bytes)}`;
    const foreign = this.#foreign.get(source) ?? new Set();
    if (this.#failed.has(source) || foreign.has(object)) return undefined;
    try {
      const key = await openSlot(vaultId, slot, source);
      if (!key) this.#foreign.set(source, foreign.add(object));
      return key;
    } catch (error) {
      this.#failed.set(source, toHoldfastError(error));
      return undefined;
    }
  }
}

/** The slot of the source's own name first; another may be meant where somebody wrote the configuration anew. */
const rank = (slot: KeySlot, source: KeySource) => (slot.slot === source.name ? 0 : 1);

/**
 * The vault key from the slots of one copy. Slots that were removed elsewhere are tried like all others: who has such an object and its secret
 * has the key anyway. Throws `VAULT_KEY_WRONG`, `SECRET_UNRESOLVED` when no secret was at hand, and what may be better later before both.
 */
export async function unlock(copy: Copy, vaultId: string, opener: SlotOpener): Promise<Buffer> {
  const { slots, unread } = await readSlots(copy, opener.sources);
  const key = await opener.open(vaultId, slots);
  if (key) return key;
  const [first] = opener.failures;
  const later = unread?.retryable ? unread : first?.retryable ? first : undefined;
  if (later) throw later;
  if (opener.triedNone && first) throw first;
  const names = opener.sources.map((source) => `'${source.name}'`).join(', ');
  return fail('VAULT_KEY_WRONG', `none of the keys ${names} opens the vault on '${copy.description.name}'`, {
    cause: first ?? unread,
  });
}

/** Those that are whole; another slot may be enough when one is not. */
async function readSlots(copy: Copy, sources: readonly KeySource[]) {
  const names = new Set(sources.map(({ name }) => name));
  const listed = (await listAll(copy.store, SLOTS_PREFIX)).flatMap((info) => {
    const name = parseSlotName(info.key);
    return name?.kind === 'slot' ? [{ ...info, own: names.has(name.slot) }] : [];
  });
  const first = listed.toSorted((a, b) => Number(b.own) - Number(a.own)).slice(0, MOST_SLOTS);
  const slots: { slot: KeySlot; bytes: Buffer }[] = [];
  let unread: HoldfastError | undefined;
  for (const { key, sizeBytes } of first) {
    try {
      if (sizeBytes > MOST_SLOT_BYTES) fail('OBJECT_DAMAGED', `key slot '${key}' is too long to be one`);
      const bytes = await getFirst(copy.store, key, (each) => parseSlot(key, each));
      slots.push({ slot: parseSlot(key, bytes), bytes });
    } catch (error) {
      if (isHoldfastError(error, 'OBJECT_MISSING')) continue; // removed since it was listed
      const known = toHoldfastError(error);
      if (unread === undefined || (known.retryable && !unread.retryable)) unread = known;
    }
  }
  return { slots, unread };
}
