// The plan of retention: what is kept and why, what would be marked, what is due, and what it frees where; touches nothing.

import { createHash } from 'node:crypto';
import { writeDuration } from '../../domain/duration.ts';
import type { RetentionRules } from '../../domain/retention.ts';
import type {
  Amount,
  ComponentRetention,
  CopyRetention,
  PlannedSnapshot,
  RetentionPlan,
  UnneededLog,
} from '../../domain/retention-report.ts';
import { isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import type { VaultCore } from '../core.ts';
import { parseManifestKey } from '../layout.ts';
import { decideLog, type JudgeParts, judgeManifests, type LogDecision, nowOf } from './decide.ts';
import { isDue, summarizeTombstone } from './due.ts';
import type { ComponentPolicy, RetentionRequest } from './request.ts';
import { namedKeys, type Selection, select } from './select.ts';
import { keysOf, type Tombstone, type TombstoneList } from './tombstone.ts';
import { type Caches, readWorld, type World } from './world.ts';

/** Says in `refused` why nothing may be done, instead of throwing it. */
export async function plan(core: VaultCore, request: RetentionRequest, caches: Caches): Promise<RetentionPlan> {
  try {
    const world = await readWorld(core, request, caches);
    const selection = await select(core, world, request);
    return await describe(request, world, selection);
  } catch (error) {
    if (!isHoldfastError(error, 'RETENTION_DOUBT')) throw error;
    const empty = { components: [], tombstones: [], holds: [], copies: {}, digest: '' };
    const { graceSeconds } = request;
    return { at: nowOf(request), graceSeconds, refused: toHoldfastError(error).toJSON(), ...empty };
  }
}

async function describe(request: RetentionRequest, world: World, selection: Selection): Promise<RetentionPlan> {
  const { now, tombstones, holds, copies } = world;
  const names = copies.map(({ description }) => description.name);
  const due = tombstones.filter((each) => isDue(each, names, now));
  return {
    at: now,
    graceSeconds: request.graceSeconds,
    components: request.policies.map((policy) => describeComponent(policy, world, selection)),
    tombstones: tombstones.map((each) => summarizeTombstone(each, names, now)),
    holds,
    copies: await describeCopies(world, selection, due),
    digest: digestOf(selection, due),
  };
}

function describeComponent(policy: ComponentPolicy, world: World, selection: Selection): ComponentRetention {
  const { component } = policy;
  const parts = world.components.get(component);
  const refusal = selection.refused.find((each) => each.component === component);
  const empty = { snapshots: [], window: {}, generations: [], logObjects: 0, log: [], garbagePacks: 0 };
  const about = {
    component,
    policy: policyInWords(policy),
    ...(refusal === undefined ? {} : { refused: refusal.error }),
  };
  if (parts === undefined || isHoldfastError(parts)) return { ...about, ...empty };
  const isOwn = ([key]: readonly [string, number]) => key.startsWith(`${component}/`);
  const { manifests, generations, log, packs } = selection.list;
  const going = new Set([...namedKeys(world.tombstones), ...manifests.map(([key]) => key)]);
  const decisions = decideLog(parts, going);
  return {
    ...about,
    snapshots: describeSnapshots(parts, world.tombstones),
    window: Object.fromEntries(decisions.map(({ systemId, windowFrom }) => [systemId, windowFrom] as const)),
    generations: generations
      .filter(({ path }) => path.startsWith(`${component}/`))
      .map(({ path, objects }) => ({ path, bytes: objects.reduce((sum, [, size]) => sum + size, 0) })),
    logObjects: log.filter(isOwn).length,
    log: describeLog(decisions, new Map(log)),
    garbagePacks: packs.filter(isOwn).length,
  };
}

/** What of it would be marked now (size by key), by reason. */
function describeLog(decisions: readonly LogDecision[], marked: ReadonlyMap<string, number>): UnneededLog[] {
  const groups = new Map<string, UnneededLog>();
  for (const { systemId, unneeded, why } of decisions) {
    for (const object of unneeded) {
      const sizeBytes = marked.get(object.key);
      if (sizeBytes === undefined) continue;
      const words = why(object);
      const key = `${systemId} ${words}`;
      const { objects, bytes } = groups.get(key) ?? { objects: 0, bytes: 0 };
      groups.set(key, { cluster: systemId, words, objects: objects + 1, bytes: bytes + sizeBytes });
    }
  }
  return [...groups.values()];
}

function describeSnapshots(parts: JudgeParts, tombstones: readonly Tombstone[]): PlannedSnapshot[] {
  const tombstoneOf = new Map<string, string>();
  for (const { id, list } of tombstones) {
    for (const [key] of list.manifests) tombstoneOf.set(parseManifestKey(key)?.id ?? key, id);
  }
  return judgeManifests(parts).map(({ snapshot, reasons, since }) => {
    const { id, kind, class: name, to, state } = snapshot;
    const tombstone = tombstoneOf.get(id);
    return {
      ...{ id, kind, class: name, to, state, reasons },
      ...(since === undefined ? {} : { since }),
      ...(tombstone === undefined ? {} : { tombstone }),
    };
  });
}

function policyInWords({ rules, logWindowSeconds }: ComponentPolicy): Record<string, string> {
  const words = Object.entries(rules).map(([name, each]) => [name, rulesInWords(each)] as const);
  const log = logWindowSeconds === undefined ? [] : [['log', writeDuration(logWindowSeconds)] as const];
  return Object.fromEntries([...words, ...log]);
}

function rulesInWords({ ageSeconds, ...counts }: RetentionRules): string {
  return [
    ...(ageSeconds === undefined ? [] : [writeDuration(ageSeconds)]),
    ...Object.entries(counts).map(([rule, count]) => `${rule} ${count}`),
  ].join(', ');
}

async function describeCopies(
  { inventories }: World,
  { list }: Selection,
  due: readonly Tombstone[],
): Promise<Record<string, CopyRetention>> {
  const marked = sizesOf([list]);
  const named = sizesOf(due.map((each) => each.list));
  return Object.fromEntries(
    await Promise.all(
      inventories.map(async (inventory) => {
        const { copy, objects, bytes } = inventory;
        const { name } = copy.description;
        const here = marked.size + named.size === 0 ? new Map<string, number>() : await sizesOn(inventory.copy);
        const present = (keys: ReadonlySet<string>): Amount => {
          const found = [...keys].flatMap((key) => here.get(key) ?? []);
          return { objects: found.length, bytes: found.reduce((sum, size) => sum + size, 0) };
        };
        return [name, { total: { objects, bytes }, mark: present(marked), due: present(named) }] as const;
      }),
    ),
  );

  async function sizesOn(copy: World['copies'][number]): Promise<Map<string, number>> {
    const sizes = new Map<string, number>();
    for await (const { key, sizeBytes } of copy.store.list('')) {
      if (marked.has(key) || named.has(key)) sizes.set(key, sizeBytes);
    }
    return sizes;
  }
}

function sizesOf(lists: readonly TombstoneList[]): ReadonlySet<string> {
  return new Set(lists.flatMap((list) => [...keysOf(list)].map(([key]) => key)));
}

/**
 * Log is left out: with every segment that is closed some older one is not needed any more. What waits because of the maximum is in it: whoever
 * says that it is meant has seen it.
 */
function digestOf({ list, waiting }: Selection, due: readonly Tombstone[]): string {
  const { manifests, generations, packs } = list;
  const decided = {
    manifests: [...manifests.map(([key]) => key), ...waiting].sort(),
    generations: generations.map(({ path }) => path).sort(),
    packs: packs.map(([key]) => key).sort(),
    due: due.map(({ id }) => id).sort(),
  };
  return createHash('sha256').update(JSON.stringify(decided)).digest('hex').slice(0, 16);
}
