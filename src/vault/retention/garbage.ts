// Packs that nobody needs in generations that are still needed: left by killed attempts, named by no index object and no manifest.

import type { Copy } from '../copies.ts';
import { listAll, type VaultCore } from '../core.ts';
import { openGeneration } from '../generation.ts';
import { openIndex } from '../index-object.ts';
import { indexesPrefix, packsPrefix } from '../layout.ts';
import { openVerified } from '../replicate.ts';
import { isClosed, type JudgeParts } from './decide.ts';
import type { GenerationFacts } from './facts.ts';

export interface GarbagePack {
  readonly key: string;
  /** Size by copy. */
  readonly onCopies: ReadonlyMap<string, number>;
}

/** Of every closed generation that some manifest needs. Throws what cannot be read: an index that is not known may name any pack. */
export async function findGarbage(
  core: VaultCore,
  copies: readonly Copy[],
  parts: JudgeParts,
  isWanted: (generation: GenerationFacts) => boolean = () => true,
): Promise<readonly GarbagePack[]> {
  const needed = new Set(parts.facts.manifests.flatMap(({ generations }) => generations));
  const found: GarbagePack[] = [];
  for (const generation of parts.facts.generations) {
    if (!needed.has(generation.path) || !isWanted(generation) || !isClosed(parts, generation)) continue;
    found.push(...(await garbageOf(core, copies, parts, generation)));
  }
  return found;
}

async function garbageOf(
  core: VaultCore,
  copies: readonly Copy[],
  { facts }: JudgeParts,
  { path }: GenerationFacts,
): Promise<GarbagePack[]> {
  const named = new Set(
    facts.manifests.filter(({ generations }) => generations.includes(path)).flatMap(({ packs }) => packs),
  );
  const strays = new Map<string, Map<string, number>>();
  for (const copy of copies) {
    for (const { key, sizeBytes } of await listAll(copy.store, packsPrefix(path))) {
      if (named.has(key.slice(-64))) continue;
      strays.set(key, (strays.get(key) ?? new Map<string, number>()).set(copy.description.name, sizeBytes));
    }
  }
  if (strays.size === 0) return [];
  const indexed = await indexedPacks(core, copies, facts.component, path);
  return [...strays].filter(([key]) => !indexed.has(key.slice(-64))).map(([key, onCopies]) => ({ key, onCopies }));
}

async function indexedPacks(
  core: VaultCore,
  copies: readonly Copy[],
  component: JudgeParts['facts']['component'],
  path: string,
): Promise<ReadonlySet<string>> {
  const generation = await openGeneration(core, component, path.split('/')[3] ?? '', copies);
  const holders = new Map<string, Copy[]>();
  for (const copy of copies) {
    for (const { key } of await listAll(copy.store, indexesPrefix(path))) {
      holders.set(key, [...(holders.get(key) ?? []), copy]);
    }
  }
  const indexed = new Set<string>();
  for (const [key, from] of holders) {
    const packs = await openVerified(core, from, key, (each) => openIndex(generation.context, key, each));
    for (const { sha256 } of packs) indexed.add(sha256);
  }
  return indexed;
}
