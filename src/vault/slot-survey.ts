// Which slot objects and removals lie on which copies, and what follows from it: what a copy lacks, and what may go from it.

import { fail, type HoldfastError, isHoldfastError } from '../errors/index.ts';
import type { ObjectInfo } from '../stores/store.ts';
import type { Copy } from './copies.ts';
import { listAll, putSame, type VaultCore } from './core.ts';
import { type KeySlot, MOST_SLOT_BYTES, parseSlot } from './key-slots.ts';
import { parseSlotName, removalKeyOf, SLOTS_PREFIX } from './layout.ts';
import { sha256Of } from './manifest.ts';
import { MOST_REMOVAL_BYTES, openRemoval, type SlotRemoval } from './slot-removals.ts';
import { getFirst, getThrough, readThrough } from './versions.ts';

export interface SurveyedSlot {
  readonly key: string;
  readonly slot: string;
  /** The copies that have it, with its bytes there, or why they are none. */
  readonly on: Map<Copy, Buffer | HoldfastError>;
  /** From the first copy that has it whole. */
  readonly parsed: KeySlot | undefined;
  readonly removal: SlotRemoval | undefined;
}

interface KnownRemoval {
  readonly removal: SlotRemoval;
  readonly bytes: Buffer;
  readonly on: Set<Copy>;
}

export class SlotSurvey {
  /** Copies that told all of what they have, in the order of the configuration. */
  readonly copies: readonly Copy[];
  readonly away: ReadonlyMap<Copy, HoldfastError>;
  readonly slots: readonly SurveyedSlot[];
  /** By the key of the object that was removed. */
  readonly removals: ReadonlyMap<string, KnownRemoval>;

  constructor(parts: Pick<SlotSurvey, 'copies' | 'away' | 'slots' | 'removals'>) {
    this.copies = parts.copies;
    this.away = parts.away;
    this.slots = parts.slots;
    this.removals = parts.removals;
  }

  /** Objects that are not removed, newest first; of one slot or of all. */
  live(slot?: string): SurveyedSlot[] {
    return this.slots
      .filter((each) => each.removal === undefined && (slot === undefined || each.slot === slot))
      .sort((a, b) => (b.parsed?.created ?? '').localeCompare(a.parsed?.created ?? '') || a.key.localeCompare(b.key));
  }

  /** Whether every object that this slot ever had was removed. */
  wasRemoved(slot: string): boolean {
    const removed = [...this.removals.keys()].some((key) => parseSlotName(key)?.slot === slot);
    return removed && this.live(slot).length === 0;
  }

  /** Notes that a copy has an object now. */
  note(copy: Copy, key: string, bytes: Buffer): void {
    this.slots.find((each) => each.key === key)?.on.set(copy, bytes);
    for (const [object, { on }] of this.removals) if (removalKeyOf(object) === key) on.add(copy);
  }

  /** What a copy lacks: live objects (as another copy has them) and removals. */
  lackedBy(copy: Copy): { readonly key: string; readonly bytes: Buffer }[] {
    const objects = this.live().flatMap(({ key, on, parsed }) => {
      const bytes = [...on.values()].find((each) => Buffer.isBuffer(each));
      return parsed === undefined || !Buffer.isBuffer(bytes) || on.has(copy) ? [] : [{ key, bytes }];
    });
    const removals = [...this.removals].flatMap(([object, { bytes, on }]) =>
      on.has(copy) ? [] : [{ key: removalKeyOf(object), bytes }],
    );
    return [...objects, ...removals];
  }

  /**
   * Removed objects that may go from a copy now: it has the removal's record, and a live object that is, byte for byte, one that was opened
   * when some removal was decided. Nothing is ever deleted on the word of the other copies alone.
   */
  deletableOn(copy: Copy): string[] {
    const proven = new Set([...this.removals.values()].flatMap(({ removal }) => removal.proven.map(provenName)));
    const stays = this.live().some(({ key, on }) => {
      const bytes = on.get(copy);
      return Buffer.isBuffer(bytes) && proven.has(provenName([key, sha256Of(bytes)]));
    });
    if (!stays) return [];
    return this.slots
      .filter(({ key, on }) => on.has(copy) && this.removals.get(key)?.on.has(copy) === true)
      .map(({ key }) => key);
  }
}

const provenName = ([key, sha256]: readonly [string, string]) => `${key} ${sha256}`;

/** Asks all copies. One that does not answer, or not for all that it lists, is `away`; what is nothing of ours is left alone. */
export async function surveySlots(core: VaultCore, among?: readonly Copy[]): Promise<SlotSurvey> {
  const away = new Map<Copy, HoldfastError>();
  const contents = new Map<Copy, Content>();
  await Promise.all(
    (among ?? core.copies.all).map(async (copy) => {
      try {
        await core.copies.require(copy.description.name);
        contents.set(copy, await contentOf(core, copy));
      } catch (error) {
        away.set(copy, core.copies.failed(copy, error));
      }
    }),
  );
  const copies = core.copies.all.filter((copy) => contents.has(copy));
  const removals = new Map<string, KnownRemoval>();
  const slots = new Map<string, Map<Copy, Buffer | HoldfastError>>();
  for (const copy of copies) {
    for (const { removal, bytes } of contents.get(copy)?.removals ?? []) {
      const known = removals.get(removal.object) ?? { removal, bytes, on: new Set<Copy>() };
      known.on.add(copy);
      removals.set(removal.object, known);
    }
    for (const [key, bytes] of contents.get(copy)?.slots ?? []) {
      slots.set(key, (slots.get(key) ?? new Map<Copy, Buffer | HoldfastError>()).set(copy, bytes));
    }
  }
  const surveyed = [...slots].sort().map(([key, on]) => surveyedSlot(key, on, removals.get(key)?.removal));
  return new SlotSurvey({ copies, away, slots: surveyed, removals });
}

function surveyedSlot(
  key: string,
  on: Map<Copy, Buffer | HoldfastError>,
  removal: SlotRemoval | undefined,
): SurveyedSlot {
  const bytes = [...on.values()].find((each) => Buffer.isBuffer(each));
  const parsed = Buffer.isBuffer(bytes) ? parseSlot(key, bytes) : undefined;
  return { key, slot: parseSlotName(key)?.slot ?? '', on, parsed, removal };
}

interface Content {
  readonly slots: ReadonlyMap<string, Buffer | HoldfastError>;
  readonly removals: readonly { readonly removal: SlotRemoval; readonly bytes: Buffer }[];
}

async function contentOf(core: VaultCore, copy: Copy): Promise<Content> {
  const slots = new Map<string, Buffer | HoldfastError>();
  const removals: { removal: SlotRemoval; bytes: Buffer }[] = [];
  for (const info of await listAll(copy.store, SLOTS_PREFIX)) {
    const kind = parseSlotName(info.key)?.kind;
    const slot = kind === 'slot' ? await wholeSlot(core, copy, info) : undefined;
    if (slot !== undefined) slots.set(info.key, slot);
    const removal = kind === 'removal' ? await wholeRemoval(core, copy, info) : undefined;
    if (removal !== undefined) removals.push(removal);
  }
  return { slots, removals };
}

/** `undefined`: gone since it was listed. Throws when the store does not answer. */
async function wholeSlot(
  core: VaultCore,
  copy: Copy,
  { key, sizeBytes }: ObjectInfo,
): Promise<Buffer | HoldfastError | undefined> {
  try {
    if (sizeBytes > MOST_SLOT_BYTES) fail('OBJECT_DAMAGED', `key slot '${key}' is too long to be one`);
    return await getFirst(copy.store, key, (bytes) => parseSlot(key, bytes));
  } catch (error) {
    if (isHoldfastError(error, 'OBJECT_MISSING')) return undefined;
    if (!isHoldfastError(error, 'OBJECT_DAMAGED')) throw error;
    core.logger.warn({ copy: copy.description.name, key, code: error.code }, error.message);
    return error;
  }
}

/** Somebody without the vault key who wants a slot to go has no say: what does not open is left alone. */
async function wholeRemoval(
  core: VaultCore,
  copy: Copy,
  { key, sizeBytes }: ObjectInfo,
): Promise<{ removal: SlotRemoval; bytes: Buffer } | undefined> {
  try {
    if (sizeBytes > MOST_REMOVAL_BYTES) fail('OBJECT_DAMAGED', `'${key}' is too long to be the removal of a slot`);
    const open = async (bytes: Buffer) => ({ removal: await openRemoval(core, key, bytes), bytes });
    return await readThrough(copy.store, key, async (get) => open(await get()));
  } catch (error) {
    if (!isHoldfastError(error, 'OBJECT_DAMAGED', 'OBJECT_MISSING', 'VAULT_FORMAT')) throw error;
    core.logger.warn({ copy: copy.description.name, key, code: error.code }, error.message);
    return undefined;
  }
}

/** Stores these bytes and reads them again. Throws `OBJECT_EXISTS` when others are there, `OBJECT_DAMAGED` when others come back. */
export async function storeSlotObject(copy: Copy, key: string, bytes: Buffer): Promise<void> {
  await putSame(copy.store, key, bytes);
  await getThrough(copy.store, key, (there) => {
    if (there.equals(bytes)) return;
    fail('OBJECT_DAMAGED', `'${key}' on '${copy.description.name}' is not what was just stored there`);
  });
}

export interface Alignment {
  readonly deleted: readonly string[];
  /** Removed objects that the store keeps until their locks end. */
  readonly locked: readonly string[];
  /** Why a removed object is still there: our credentials may not delete on this copy. */
  readonly denied: HoldfastError | undefined;
}

/** Gives a copy what it lacks, then takes from it what was removed and may go. Repeating it is harmless. */
export async function alignSlots(
  survey: SlotSurvey,
  copy: Copy,
  beforeDelete: () => Promise<void> = async () => undefined,
): Promise<Alignment> {
  for (const { key, bytes } of survey.lackedBy(copy)) {
    await storeSlotObject(copy, key, bytes);
    survey.note(copy, key, bytes);
  }
  const [deleted, locked]: [string[], string[]] = [[], []];
  let denied: HoldfastError | undefined;
  for (const key of survey.deletableOn(copy)) {
    await beforeDelete();
    try {
      await copy.store.delete([key]);
      deleted.push(key);
    } catch (error) {
      if (isHoldfastError(error, 'OBJECT_LOCKED')) locked.push(key);
      else if (isHoldfastError(error, 'STORE_DENIED')) denied = error;
      else throw error;
    }
  }
  return { deleted, locked, denied };
}
