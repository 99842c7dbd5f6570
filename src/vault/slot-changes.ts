// Changing key slots: a new object is opened on every copy before an old one goes anywhere; never delete, then write (docs/vault-format.md, section 4).

import { timingSafeEqual } from 'node:crypto';
import { fail, type HoldfastError, isHoldfastError, toHoldfastError } from '../errors/index.ts';
import { type Copy, requirePolicy } from './copies.ts';
import type { VaultCore } from './core.ts';
import { makeSlot, type NewSlot, openSlot, parseSlot } from './key-slots.ts';
import type { KeySource } from './key-sources.ts';
import { sha256Of } from './manifest.ts';
import { makeRemoval } from './slot-removals.ts';
import { alignSlots, type SlotSurvey, type SurveyedSlot, storeSlotObject, surveySlots } from './slot-survey.ts';
import type { SlotChange, SlotRotation } from './types.ts';
import { getThrough } from './versions.ts';

/** Asked right before each destructive step; throws `FENCED` when somebody else changes the slots by now. */
export type Fence = () => Promise<void>;

/** The slot for a key that has none. The object of an attempt that died is taken up. Throws `VAULT_KEY_WRONG` when the slot has another secret. */
export async function addSlot(core: VaultCore, fence: Fence, source: KeySource): Promise<SlotChange> {
  const change = await begin(core, fence, source.name);
  const live = change.survey.live(source.name);
  const present = await firstThatOpens(core, live, source);
  if (live.length > 0 && present === undefined) {
    fail('VAULT_KEY_WRONG', `key '${source.name}' does not open its slot`, {
      hint: 'it was made with another secret; give the key of the configuration another name to add it as a new slot',
    });
  }
  const object = present ?? (await makeSlot(core.keys.id, core.keys.vaultKey, source));
  await place(change, object, source);
  return end(change, { object: object.key, made: present === undefined });
}

/**
 * Another secret for a slot. `options.settle` runs when every copy that answers holds the new object and before any old one goes: the
 * place for what the new secret itself still needs. Throws `NOT_FOUND` when there is no such slot, `POLICY_UNMET` when too few copies hold it.
 */
export async function rotateSlot(
  core: VaultCore,
  fence: Fence,
  source: KeySource,
  options: SlotRotation,
): Promise<SlotChange> {
  const change = await begin(core, fence, source.name);
  const live = change.survey.live(source.name);
  if (live.length === 0) noSuchSlot(source.name, change.survey);
  const begun = await firstThatOpens(core, options.fresh && live.length < 2 ? [] : live, source);
  const object = begun ?? (await makeSlot(core.keys.id, core.keys.vaultKey, source));
  await place(change, object, source);
  await options.settle?.({ behind: [...change.behind.keys()].map((copy) => copy.description.name) });
  await retire(
    change,
    live.filter(({ key }) => key !== object.key),
    new Map([[object.key, object.bytes]]),
  );
  return end(change, { object: object.key, made: begun === undefined });
}

/** Throws `KEY_LAST` unless every copy keeps a slot that one of `sources` opens right now. */
export async function removeSlot(
  core: VaultCore,
  fence: Fence,
  slot: string,
  sources: readonly KeySource[],
): Promise<SlotChange> {
  const change = await begin(core, fence, slot);
  const live = change.survey.live(slot);
  if (live.length === 0 && !change.survey.wasRemoved(slot)) noSuchSlot(slot, change.survey);
  const others = change.survey.live().filter((each) => each.slot !== slot);
  const proven = await opened(core, others, sources);
  for (const copy of change.survey.copies) {
    const keeps = others.some(({ key, on }) => isSame(on.get(copy), proven.get(key)));
    if (keeps || live.length === 0) continue;
    fail('KEY_LAST', `without slot '${slot}' no key that is at hand opens copy '${copy.description.name}'`);
  }
  await retire(change, live, proven);
  return end(change, { object: undefined, made: false });
}

interface Change {
  readonly core: VaultCore;
  readonly fence: Fence;
  readonly slot: string;
  readonly survey: SlotSurvey;
  /** Copies that hold, and opened with, what is to stay. */
  readonly good: Set<Copy>;
  readonly behind: Map<Copy, HoldfastError>;
  readonly removed: Set<string>;
  /** Removed objects that stores keep until their locks end. */
  readonly locked: Map<Copy, readonly string[]>;
}

/** Finishes what an earlier change left half done, on every copy that answers. */
async function begin(core: VaultCore, fence: Fence, slot: string): Promise<Change> {
  const survey = await surveySlots(core);
  const change: Change = {
    ...{ core, fence, slot, survey },
    ...{ good: new Set(survey.copies), behind: new Map(survey.away), removed: new Set(), locked: new Map() },
  };
  await onEach(change, (copy) => align(change, survey, copy));
  return { ...change, survey: await surveySlots(core, [...change.good]) };
}

async function align(change: Change, survey: SlotSurvey, copy: Copy): Promise<void> {
  const { deleted, locked, denied } = await alignSlots(survey, copy, change.fence);
  for (const key of [...deleted, ...locked]) change.removed.add(key);
  change.locked.set(copy, locked);
  if (denied) throw denied;
}

/** A copy that gives no answer is left behind; whatever else goes wrong ends the change. */
async function onEach(change: Change, work: (copy: Copy) => Promise<void>): Promise<void> {
  for (const copy of [...change.good]) {
    try {
      await work(copy);
    } catch (error) {
      if (!isHoldfastError(error, 'STORE_UNAVAILABLE', 'STORE_DENIED', 'STORE_UNFIT', 'NO_SPACE')) throw error;
      change.good.delete(copy);
      change.behind.set(copy, change.core.copies.failed(copy, error));
    }
  }
}

/** Stores the object on every copy, reads it back and opens it with its secret, fetched anew. Throws `POLICY_UNMET`. */
async function place(change: Change, { key, bytes }: NewSlot, source: KeySource): Promise<void> {
  const { core, good, behind } = change;
  await onEach(change, async (copy) => {
    await storeSlotObject(copy, key, bytes);
    const vaultKey = await openSlot(
      core.keys.id,
      parseSlot(key, await getThrough(copy.store, key, (each) => parseSlot(key, each))),
      source,
    );
    if (vaultKey?.length === core.keys.vaultKey.length && timingSafeEqual(vaultKey, core.keys.vaultKey)) return;
    fail('OBJECT_DAMAGED', `slot object '${key}' on '${copy.description.name}' does not open the vault`);
  });
  const cause = [...behind.values()][0];
  requirePolicy(core.policy, [...good], `key slot '${change.slot}' cannot be kept`, cause);
}

/** The records of the removals first, on every copy; only then the objects, copy by copy, each by its name. */
async function retire(
  change: Change,
  old: readonly SurveyedSlot[],
  proven: ReadonlyMap<string, Buffer>,
): Promise<void> {
  const { core, fence } = change;
  const records = await Promise.all(old.map(({ key }) => makeRemoval(core, key, proven)));
  await onEach(change, async (copy) => {
    await fence();
    for (const { key, bytes } of records) await storeSlotObject(copy, key, bytes);
  });
  const survey = await surveySlots(core, [...change.good]);
  await onEach(change, async (copy) => {
    const away = survey.away.get(copy);
    if (away) throw away;
    await align(change, survey, copy);
  });
}

/** Looks once more: silence of a store is no proof that something is there, or gone. */
async function end(change: Change, result: Pick<SlotChange, 'object' | 'made'>): Promise<SlotChange> {
  const { core, slot, good, removed, locked, behind } = change;
  const survey = await surveySlots(core, [...good]);
  for (const [copy, error] of survey.away) {
    good.delete(copy);
    behind.set(copy, error);
  }
  for (const copy of good) {
    const name = copy.description.name;
    const here = survey.slots.filter((each) => each.slot === slot && each.on.has(copy));
    if (result.object !== undefined && !here.some(({ key }) => key === result.object)) {
      fail('OBJECT_MISSING', `'${result.object}' was stored on '${name}' and is not listed there`);
    }
    const left = here.find(({ key, removal }) => removal !== undefined && !locked.get(copy)?.includes(key));
    if (left) fail('STORE_UNFIT', `'${left.key}' was deleted on '${name}' and is still listed there`);
  }
  const kept = [...good].filter((copy) => (locked.get(copy) ?? []).length > 0);
  const names = (copies: Iterable<Copy>) => [...copies].map((copy) => copy.description.name);
  return {
    ...{ slot, ...result, removed: [...removed].sort(), copies: names(good), kept: names(kept) },
    behind: [...behind].map(([copy, error]) => ({ copy: copy.description.name, error: error.toJSON() })),
  };
}

function noSuchSlot(slot: string, survey: SlotSurvey): never {
  const names = [...new Set(survey.live().map((each) => `'${each.slot}'`))].sort().join(', ');
  return fail('NOT_FOUND', `the vault has no key slot '${slot}'`, { hint: `its slots: ${names}` });
}

async function firstThatOpens(
  core: VaultCore,
  slots: readonly SurveyedSlot[],
  source: KeySource,
): Promise<NewSlot | undefined> {
  for (const { key, parsed, on } of slots) {
    const bytes = wholeBytes(on);
    if (parsed && bytes && (await openSlot(core.keys.id, parsed, source))) return { key, bytes };
  }
  return undefined;
}

function wholeBytes(on: SurveyedSlot['on']): Buffer | undefined {
  return [...on.values()].find((each) => Buffer.isBuffer(each));
}

/** Objects, by their keys, that one of the sources opens now; a source that fails opens nothing. */
async function opened(
  core: VaultCore,
  slots: readonly SurveyedSlot[],
  sources: readonly KeySource[],
): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for (const slot of slots) {
    for (const source of sources) {
      const object = await firstThatOpens(core, [slot], source).catch((error: unknown) => {
        core.logger.warn({ slot: slot.slot, code: toHoldfastError(error).code }, toHoldfastError(error).message);
        return undefined;
      });
      if (object) found.set(object.key, object.bytes);
    }
  }
  return found;
}

function isSame(bytes: Buffer | HoldfastError | undefined, other: Buffer | undefined): boolean {
  return Buffer.isBuffer(bytes) && other !== undefined && sha256Of(bytes) === sha256Of(other);
}
