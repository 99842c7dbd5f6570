// Noticing a copy that was put back: what the copies show now against what this host remembers, and what a person accepted.

import { randomBytes } from 'node:crypto';
import type { ComponentId } from '../domain/component.ts';
import type { HeadsReport } from '../domain/copies-report.ts';
import {
  type Fork,
  forksOf,
  goneSince,
  type Head,
  judgeHead,
  type PutBack,
  type RememberedHead,
  type SeenHead,
} from '../domain/heads.ts';
import { HoldfastError, toHoldfastError } from '../errors/index.ts';
import type { Vault } from '../vault/index.ts';
import { type HeadsMemory, memoryPath, readMemory, writeMemory } from './heads-memory.ts';

type Heads = Awaited<ReturnType<Vault['heads']>>;

const ACCEPTANCE = { run: /^accept-[0-9a-f]{8}$/, name: 'heads' } as const;
const NOTHING: SeenHead = { head: undefined, names: [] };

/** Copies that are away are left as they were. Throws `POLICY_UNMET` when none answers; trouble with the memory is a part of the report. */
export async function observeHeads(vault: Vault, stateDirectory: string, now = new Date()): Promise<HeadsReport> {
  const file = memoryPath(stateDirectory, vault.id);
  // Before the copies are asked: whatever was remembered by then they must still show.
  const before = await readMemory(file).catch(toHoldfastError);
  const heads = await vault.heads();
  const forks = allForks(heads);
  if (before instanceof HoldfastError) {
    return { putBack: [], forks, memory: { state: 'unknown', path: file, error: before.toJSON() } };
  }
  const since = before?.since ?? now.toISOString();
  const copies = await judgeAll(vault, before, heads, now);
  const memory = { since, copies };
  const failure = await keep(file, before, memory);
  const putBack = listPutBack(copies, heads);
  if (failure !== undefined)
    return { putBack, forks, memory: { state: 'unknown', path: file, error: failure.toJSON() } };
  return { putBack, forks, memory: { state: before === undefined ? 'new' : 'kept', path: file, since } };
}

/** Says in the vault, for every host, that these losses are known and meant. */
export async function acceptPutBack(vault: Vault, putBack: readonly PutBack[], by: string): Promise<void> {
  const lost = putBack.map(({ copy, component, lost: { sequence, sha256 } }) => ({
    copy,
    component,
    sequence,
    sha256,
  }));
  const run = `accept-${randomBytes(4).toString('hex')}`;
  await vault.putRecord(run, ACCEPTANCE.name, { lost, by, at: new Date().toISOString() });
}

async function judgeAll(
  vault: Vault,
  before: HeadsMemory | undefined,
  heads: Heads,
  now: Date,
): Promise<HeadsMemory['copies']> {
  const none = judge(vault, before, heads, now, new Set());
  const isQuiet = Object.values(none).every((copy) =>
    Object.values(copy.components).every(({ putBack }) => putBack === undefined),
  );
  return isQuiet ? none : judge(vault, before, heads, now, await readAccepted(vault));
}

function judge(
  vault: Vault,
  before: HeadsMemory | undefined,
  heads: Heads,
  now: Date,
  accepted: ReadonlySet<string>,
): HeadsMemory['copies'] {
  const copies: Record<string, HeadsMemory['copies'][string]> = { ...before?.copies };
  for (const { name: copy, location } of vault.copies) {
    const seen = heads.get(copy);
    if (seen === undefined) continue;
    const known = before?.copies[copy]?.location === location ? before.copies[copy].components : {};
    const components: Record<ComponentId, RememberedHead> = {};
    for (const component of new Set([...Object.keys(known), ...seen.keys()]) as Set<ComponentId>) {
      const remembered = judgeHead({
        ...{ copy, component, known: known[component], seen: seen.get(component) ?? NOTHING, now },
        isAccepted: (lost) => accepted.has(acceptanceKey(copy, component, lost)),
      });
      if (remembered !== undefined) components[component] = remembered;
    }
    copies[copy] = { location, components };
  }
  return copies;
}

/** Another process of this host may have seen more meanwhile: that stays. */
async function keep(
  file: string,
  before: HeadsMemory | undefined,
  memory: HeadsMemory,
): Promise<HoldfastError | undefined> {
  try {
    const now = await readMemory(file);
    const others = JSON.stringify(now) === JSON.stringify(before) ? undefined : now;
    const merged = others === undefined ? memory : { ...memory, copies: later(others.copies, memory.copies) };
    if (JSON.stringify(merged) !== JSON.stringify(now)) await writeMemory(file, merged);
    return undefined;
  } catch (error) {
    return toHoldfastError(error);
  }
}

function later(theirs: HeadsMemory['copies'], ours: HeadsMemory['copies']): HeadsMemory['copies'] {
  const copies = { ...theirs, ...ours };
  for (const [copy, { location, components }] of Object.entries(theirs)) {
    const own = ours[copy];
    if (own === undefined || own.location !== location) continue;
    const merged: Record<string, RememberedHead> = { ...components, ...own.components };
    for (const [component, remembered] of Object.entries(components) as [ComponentId, RememberedHead][]) {
      const mine = own.components[component];
      const isTheirs =
        mine === undefined || remembered.putBack?.state === 'open' || remembered.head.sequence > mine.head.sequence;
      if (isTheirs) merged[component] = remembered;
    }
    copies[copy] = { location, components: merged };
  }
  return copies;
}

function listPutBack(copies: HeadsMemory['copies'], heads: Heads): PutBack[] {
  const present = new Map<string, Set<string>>();
  for (const seen of heads.values()) {
    for (const [component, { names }] of seen) {
      const all = present.get(component) ?? new Set<string>();
      for (const name of names) all.add(name);
      present.set(component, all);
    }
  }
  return Object.entries(copies).flatMap(([copy, { components }]) =>
    Object.values(components).flatMap((remembered) => {
      if (remembered.putBack === undefined) return [];
      const gone = goneSince(remembered, present.get(remembered.putBack.component) ?? new Set());
      return [{ ...remembered.putBack, copy, gone }];
    }),
  );
}

async function readAccepted(vault: Vault): Promise<Set<string>> {
  const keys = new Set<string>();
  for (const { run, name } of await vault.listRecords()) {
    if (!ACCEPTANCE.run.test(run) || name !== ACCEPTANCE.name) continue;
    const { lost } = (await vault.getRecord(run, name)) as {
      lost: { copy: string; component: string; sequence: number; sha256: string }[];
    };
    for (const each of lost) keys.add(acceptanceKey(each.copy, each.component, each));
  }
  return keys;
}

function acceptanceKey(copy: string, component: string, { sequence, sha256 }: Pick<Head, 'sequence' | 'sha256'>) {
  return `${copy} ${component} ${sequence} ${sha256}`;
}

function allForks(heads: Heads): Fork[] {
  const components = new Set([...heads.values()].flatMap((seen) => [...seen.keys()]));
  return [...components].flatMap((component) =>
    forksOf(component, new Map([...heads].map(([copy, seen]) => [copy, seen.get(component)?.names ?? []]))),
  );
}
