// What opens, asked from scratch: every slot object on every copy, each read anew and opened with its secret.

import { timingSafeEqual } from 'node:crypto';
import { HoldfastError, toHoldfastError } from '../errors/index.ts';
import type { Copy } from './copies.ts';
import type { VaultCore } from './core.ts';
import { openSlot, parseSlot } from './key-slots.ts';
import type { KeySource } from './key-sources.ts';
import { type SlotSurvey, type SurveyedSlot, surveySlots } from './slot-survey.ts';
import type { ListedSlot, SlotListing, SlotTest } from './types.ts';
import { getThrough } from './versions.ts';

/** Every slot object that lies anywhere, and how this program's own secrets fare with it. */
export async function listSlots(core: VaultCore, sources: readonly KeySource[]): Promise<SlotListing> {
  const survey = await surveySlots(core);
  const slots: ListedSlot[] = [];
  const live = survey.live().toSorted((a, b) => a.slot.localeCompare(b.slot));
  for (const slot of [...live, ...survey.slots.filter(({ removal }) => removal !== undefined)]) {
    const [copy] = [...slot.on].find(([, bytes]) => Buffer.isBuffer(bytes)) ?? [...slot.on][0] ?? [];
    const test = copy && (await testOne(core, copy, slot, sources));
    slots.push({
      ...{ slot: slot.slot, object: slot.key, kind: slot.parsed?.kind, created: slot.parsed?.created },
      ...{ removed: slot.removal?.removed, copies: placesOf(core, survey, slot), error: test?.error },
    });
  }
  const removed = new Set([...survey.removals.keys()].map((key) => key.slice('keys/'.length).split('.')[0] ?? ''));
  return { slots, removed: [...removed].filter((slot) => survey.wasRemoved(slot)) };
}

/** Live objects of `only`, or of all slots, on all copies; what could not be tried is no success. */
export async function testSlots(
  core: VaultCore,
  sources: readonly KeySource[],
  only?: string,
): Promise<readonly SlotTest[]> {
  const survey = await surveySlots(core);
  const tests: SlotTest[] = [];
  for (const slot of survey.live(only)) {
    for (const copy of core.copies.all) {
      const away = survey.away.get(copy);
      if (away) tests.push({ ...named(slot, copy), error: away.toJSON() });
      else tests.push(await testOne(core, copy, slot, sources));
    }
  }
  return tests;
}

async function testOne(
  core: VaultCore,
  copy: Copy,
  slot: SurveyedSlot,
  sources: readonly KeySource[],
): Promise<SlotTest> {
  try {
    const parsed = parseSlot(slot.key, await getThrough(copy.store, slot.key, (each) => parseSlot(slot.key, each)));
    const fitting = sources.filter(({ name, kind }) => name === parsed.slot && kind === parsed.kind);
    const source = fitting[0] ?? noKey(parsed.slot, parsed.kind);
    const key = await openSlot(core.keys.id, parsed, source);
    if (!key || !timingSafeEqual(key, core.keys.vaultKey)) throw wrongKey(parsed.slot, copy);
    return named(slot, copy);
  } catch (error) {
    return { ...named(slot, copy), error: toHoldfastError(error).toJSON() };
  }
}

function named(slot: SurveyedSlot, copy: Copy) {
  return { slot: slot.slot, object: slot.key, copy: copy.description.name };
}

function noKey(slot: string, kind: string): never {
  throw new HoldfastError('VAULT_KEY_WRONG', `the configuration has no key '${slot}' of kind '${kind}'`, {
    hint: 'add it to `vault.keys`, or remove the slot: `holdfast keys remove NAME`',
  });
}

function wrongKey(slot: string, copy: Copy): HoldfastError {
  return new HoldfastError('VAULT_KEY_WRONG', `key '${slot}' does not open its slot on '${copy.description.name}'`, {
    hint: 'was it rotated on another host? bring the new key file or passphrase here',
  });
}

function placesOf(core: VaultCore, survey: SlotSurvey, slot: SurveyedSlot): ListedSlot['copies'] {
  return Object.fromEntries(
    core.copies.all.map((copy) => {
      const bytes = slot.on.get(copy);
      const here = bytes === undefined ? 'absent' : Buffer.isBuffer(bytes) ? 'present' : 'damaged';
      return [copy.description.name, survey.away.has(copy) ? 'away' : here];
    }),
  );
}
