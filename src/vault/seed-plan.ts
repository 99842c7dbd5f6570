// How much a copy lacks of what the others have: by listings alone, so that a person knows before it is copied.

import { componentKinds } from '../domain/component.ts';
import type { SeedPlan } from '../domain/copies-report.ts';
import { fail } from '../errors/index.ts';
import { requireEmpty } from './adopt.ts';
import { listAll, type VaultCore } from './core.ts';
import { HOLDS_PREFIX, PROOFS_PREFIX, RUNS_PREFIX, SLOTS_PREFIX, TOMBSTONES_PREFIX } from './layout.ts';
import { namedOn } from './retention/named.ts';

/** Everything that a catch-up copies lies below these. */
const PREFIXES = [
  ...componentKinds.map((kind) => `${kind}/`),
  SLOTS_PREFIX,
  RUNS_PREFIX,
  PROOFS_PREFIX,
  HOLDS_PREFIX,
  TOMBSTONES_PREFIX,
];

/** Throws `STORE_UNFIT` when the store is no copy and not empty, `VAULT_OTHER`, `POLICY_UNMET` when no other copy answers. */
export async function seedPlan(core: VaultCore, name: string): Promise<SeedPlan> {
  const copy = core.copies.get(name);
  const condition = (await core.copies.conditions()).find((each) => each.name === name);
  const isNew = condition?.state !== 'ready';
  if (isNew) {
    if (condition?.error.code !== 'VAULT_MISSING') await core.copies.require(name);
    await requireEmpty(copy);
  }
  const sources = (await core.copies.ready()).filter((each) => each !== copy);
  if (sources.length === 0) fail('POLICY_UNMET', `no other copy answers that '${name}' could be filled from`);
  const named = await namedOn(core, sources);
  const sizes = new Map<string, number>();
  for (const source of sources) {
    for (const prefix of PREFIXES) {
      for (const { key, sizeBytes } of await listAll(source.store, prefix))
        if (!named.has(key)) sizes.set(key, sizeBytes);
    }
  }
  for (const prefix of PREFIXES) for (const { key } of await listAll(copy.store, prefix)) sizes.delete(key);
  return { copy: name, isNew, objects: sizes.size, bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0) };
}
