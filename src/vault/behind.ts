// Which copies lack something that another one holds: by listings, so that it can be asked every few minutes.

import { manifestKeys } from './commit.ts';
import type { Copy } from './copies.ts';
import { listAll, type VaultCore } from './core.ts';
import { RUNS_PREFIX } from './layout.ts';
import { namedOn } from './retention/named.ts';
import { surveySlots } from './slot-survey.ts';
import { componentsOn } from './snapshots.ts';

/**
 * Names of copies that answer and lack a snapshot, a record or a key slot (or its removal) that another one has. Log is not compared:
 * whoever ships it knows how far each copy is; nor what is to be deleted. A copy that does not answer is not named: nothing is known of it. Throws `POLICY_UNMET`
 * when none answers.
 */
export async function copiesBehind(core: VaultCore): Promise<string[]> {
  const listings = await core.copies.fromEach('comparing the copies', keysOn);
  const answering = core.copies.all.filter(({ description }) => listings.has(description.name));
  const named = await namedOn(core, answering);
  const all = new Set([...listings.values()].flatMap((keys) => [...keys]).filter((key) => !named.has(key)));
  const slots = await surveySlots(core, answering);
  const isBehind = (copy: Copy) => {
    const has = listings.get(copy.description.name);
    return [...all].some((key) => !has?.has(key)) || slots.lackedBy(copy).length > 0;
  };
  return answering.filter(isBehind).map(({ description }) => description.name);
}

async function keysOn(copy: Copy): Promise<Set<string>> {
  const components = await componentsOn(copy);
  const manifests = await Promise.all(components.map((component) => manifestKeys(copy, component)));
  const records = await listAll(copy.store, RUNS_PREFIX);
  return new Set([...manifests.flat(), ...records.map(({ key }) => key)]);
}
