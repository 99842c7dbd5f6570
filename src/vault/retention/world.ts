// Everything that retention must know before it may mark or delete anything, or the reason why it must not.

import type { ComponentId } from '../../domain/component.ts';
import { parseComponentId } from '../../domain/component.ts';
import { type Moment, unixMicros } from '../../domain/moment.ts';
import { fail, HoldfastError, toHoldfastError } from '../../errors/index.ts';
import type { Copy } from '../copies.ts';
import type { VaultCore } from '../core.ts';
import { type JudgeParts, nowOf } from './decide.ts';
import { type FactsCache, makeFactsCache, readFacts } from './facts.ts';
import { type Hold, readHolds } from './holds.ts';
import { type CopyInventory, readInventory } from './inventory.ts';
import { type ComponentPolicy, type RetentionRequest, SHORTEST_GRACE_SECONDS } from './request.ts';
import { readTombstones, type Tombstone, type TombstoneCache } from './tombstone.ts';

/** Clocks of host and stores that differ by more say nothing about ages. */
const MOST_SKEW_MS = 300_000;

export interface Caches {
  readonly facts: FactsCache;
  readonly tombstones: TombstoneCache;
}

export function makeCaches(): Caches {
  return { facts: makeFactsCache(), tombstones: new Map() };
}

export interface World {
  readonly now: Moment;
  readonly copies: readonly Copy[];
  readonly inventories: readonly CopyInventory[];
  readonly tombstones: readonly Tombstone[];
  readonly holds: readonly Hold[];
  /** What can be judged of each component that has a policy, or why nothing can. */
  readonly components: ReadonlyMap<ComponentId, JudgeParts | HoldfastError>;
}

/** Throws `RETENTION_DOUBT` when the request itself has one, a copy is away, a clock is off, or a tombstone comes from the future. */
export async function readWorld(core: VaultCore, request: RetentionRequest, caches: Caches): Promise<World> {
  if (request.doubt !== undefined) throw request.doubt;
  const copies = await requireEveryCopy(core);
  await requireClocks(copies);
  const now = nowOf(request);
  if (request.graceSeconds < SHORTEST_GRACE_SECONDS) {
    fail('INTERNAL', `a grace of ${request.graceSeconds} s is too short`);
  }
  const tombstones = await doubting('the tombstones cannot be read', () =>
    readTombstones(core, copies, { cache: caches.tombstones, unreadable: 'refuse' }),
  );
  for (const tombstone of tombstones) requireNotFromFuture(tombstone, now);
  const holds = await doubting('the holds cannot be read', () => readHolds(core, copies));
  const inventories = await Promise.all(copies.map(readInventory));
  const components = new Map<ComponentId, JudgeParts | HoldfastError>();
  for (const policy of request.policies) {
    components.set(
      policy.component,
      await judgeable(core, { request, holds, tombstones, now, copies, inventories, caches }, policy),
    );
  }
  return { now, copies, inventories, tombstones, holds, components };
}

interface Known {
  readonly request: RetentionRequest;
  readonly holds: readonly Hold[];
  readonly tombstones: readonly Tombstone[];
  readonly now: Moment;
  readonly copies: readonly Copy[];
  readonly inventories: readonly CopyInventory[];
  readonly caches: Caches;
}

async function judgeable(
  core: VaultCore,
  { request, holds, tombstones, now, copies, inventories, caches }: Known,
  policy: ComponentPolicy,
): Promise<JudgeParts | HoldfastError> {
  try {
    const facts = await readFacts(core, inventories, policy.component, caches.facts);
    const generationMs = core.generationMs[parseComponentId(policy.component).kind];
    const names = copies.map(({ description }) => description.name);
    const begun = new Set(tombstones.flatMap((each) => [...each.begun]));
    return { facts, policy, request, holds, now, generationMs, copies: names, begun };
  } catch (error) {
    return doubt(`'${policy.component}' cannot be judged`, error);
  }
}

/** A component's facts read anew, after manifests are gone. */
export async function readAgain(core: VaultCore, world: World, parts: JudgeParts, caches: Caches): Promise<JudgeParts> {
  const inventories = await Promise.all(world.copies.map(readInventory));
  return { ...parts, facts: await readFacts(core, inventories, parts.facts.component, caches.facts) };
}

/** All copies of the configuration, each asked anew. Throws `RETENTION_DOUBT` when one does not answer: what it holds is unknown. */
export async function requireEveryCopy(core: VaultCore): Promise<readonly Copy[]> {
  const asked = core.copies.all.map(({ description: { name } }) =>
    core.copies.require(name).catch((error: unknown) => {
      const { code, message, hint } = toHoldfastError(error);
      return fail('RETENTION_DOUBT', `copy '${name}' is away, so what it needs is not known: ${message} (${code})`, {
        hint: `${hint}; or take the copy out of the configuration`,
      });
    }),
  );
  await Promise.all(asked);
  return core.copies.all;
}

async function requireClocks(copies: readonly Copy[]): Promise<void> {
  for (const { store, description } of copies) {
    const { clockSkewMs } = await store.probe();
    if (Math.abs(clockSkewMs) <= MOST_SKEW_MS) continue;
    const seconds = Math.round(clockSkewMs / 1000);
    fail('RETENTION_DOUBT', `the clock of copy '${description.name}' differs from this host's by ${seconds} s`, {
      hint: 'set both clocks right: ages are counted by them',
    });
  }
}

function requireNotFromFuture({ id, at, storedAt }: Tombstone, now: Moment): void {
  const latestMs = Number(unixMicros(now) / 1000n) + MOST_SKEW_MS;
  const times = [Number(unixMicros(at) / 1000n), ...[...storedAt.values()].map((stored) => stored.getTime())];
  if (times.every((ms) => ms <= latestMs)) return;
  fail('RETENTION_DOUBT', `tombstone '${id}' lies in the future: a clock was or is wrong`, {
    hint: `set the clock right; if it was wrong when the tombstone was made, \`holdfast retention release ${id}\``,
  });
}

async function doubting<T>(what: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw doubt(what, error);
  }
}

/** The reason as one that says that nothing was touched. */
export function doubt(what: string, cause: unknown): HoldfastError {
  const { code, message, hint } = toHoldfastError(cause);
  if (code === 'RETENTION_DOUBT') return toHoldfastError(cause);
  return new HoldfastError('RETENTION_DOUBT', `${what}: ${message} (${code})`, { hint, cause });
}
