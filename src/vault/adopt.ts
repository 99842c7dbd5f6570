// Making a store a copy of a vault: only when it is empty, and only when somebody said so.

import { fail, isHoldfastError } from '../errors/index.ts';
import type { Copy } from './copies.ts';
import { listAll, putSame, type VaultCore } from './core.ts';
import { DESCRIPTOR_KEY, kitKeys, SLOTS_PREFIX } from './layout.ts';
import { putReadingKit } from './reading-kit.ts';
import { storeSlotObject, surveySlots } from './slot-survey.ts';
import { getFirst } from './versions.ts';

/**
 * Slot objects, then the descriptor: a copy without descriptor is no vault yet. What another attempt left below `keys/` opens another vault
 * key, which nothing was ever encrypted with; it goes before the copy becomes one.
 */
export async function initialise(copy: Copy, objects: ReadonlyMap<string, Buffer>, descriptor: Buffer): Promise<void> {
  for (const [key, bytes] of objects) await storeSlotObject(copy, key, bytes);
  const left = (await listAll(copy.store, SLOTS_PREFIX)).map(({ key }) => key).filter((key) => !objects.has(key));
  try {
    await copy.store.delete(left);
  } catch (error) {
    if (!isHoldfastError(error, 'OBJECT_LOCKED')) throw error; // a locked one opens nothing either
  }
  await putSame(copy.store, DESCRIPTOR_KEY, descriptor);
  await putReadingKit(copy);
}

/** Gives an empty copy the descriptor and slots of the vault. Throws `STORE_UNFIT` when it is not empty, `VAULT_OTHER`. */
export async function adoptCopy(core: VaultCore, name: string): Promise<void> {
  const copy = core.copies.get(name);
  const [condition] = (await core.copies.conditions()).filter((each) => each.name === name);
  if (condition?.state === 'ready') return;
  if (condition?.error.code !== 'VAULT_MISSING') await core.copies.require(name);
  await requireEmpty(copy);
  const [source] = await core.copies.ready();
  if (!source) fail('POLICY_UNMET', 'no copy answers that could tell the key slots');
  const survey = await surveySlots(core);
  const objects = new Map(survey.lackedBy(copy).map(({ key, bytes }) => [key, bytes]));
  if (survey.live().length === 0) fail('POLICY_UNMET', 'no copy that answers has a key slot');
  await initialise(copy, objects, await getFirst(source.store, DESCRIPTOR_KEY, () => {}));
  await core.copies.require(name);
}

export async function requireEmpty(copy: Copy): Promise<void> {
  for await (const { key } of copy.store.list('')) {
    if (key.startsWith('probe/') || key.startsWith(SLOTS_PREFIX) || isKit(key)) continue;
    fail('STORE_UNFIT', `'${copy.store.location}' is not empty: it has '${key}' but no '${DESCRIPTOR_KEY}'`, {
      hint: 'give the vault an empty directory or prefix of its own; if this is a vault whose descriptor was lost, copy the descriptor from another copy',
    });
  }
}

const isKit = (key: string) => Object.values<string>(kitKeys).includes(key);
