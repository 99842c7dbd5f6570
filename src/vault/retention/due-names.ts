// What due tombstones name of one component, and what of that nothing needs as things are now.

import type { ComponentId } from '../../domain/component.ts';
import { decideLog, isClosed, type JudgeParts, judgeManifests } from './decide.ts';
import type { GenerationFacts, LogObjectFacts, ManifestFacts } from './facts.ts';
import type { SizedKey, Tombstone } from './tombstone.ts';

export function unneededAmong(parts: JudgeParts, { manifests }: Named): readonly ManifestFacts[] {
  const unneeded = judgeManifests(parts).filter(({ reasons }) => reasons.length === 0);
  const keys = new Set(unneeded.map(({ snapshot }) => snapshot.manifest.key));
  return parts.facts.manifests.filter(({ key }) => manifests.has(key) && keys.has(key));
}

/** Only when no manifest that is left on any copy refers to it, and nobody stored anything in it since it was named. */
export function freeAmong(after: JudgeParts, { generations }: Named): readonly GenerationFacts[] {
  const needed = new Set(after.facts.manifests.flatMap((manifest) => manifest.generations));
  return after.facts.generations.filter(
    (generation) => generations.has(generation.path) && !needed.has(generation.path) && isClosed(after, generation),
  );
}

/** Every manifest that is left counts, also one that a tombstone names: it may be released. */
export function unneededLogAmong(after: JudgeParts, { log }: Named): readonly LogObjectFacts[] {
  return decideLog(after, new Set()).flatMap(({ unneeded }) => unneeded.filter(({ key }) => log.has(key)));
}

export interface Named {
  readonly manifests: ReadonlySet<string>;
  /** Full keys by path. */
  readonly generations: ReadonlyMap<string, ReadonlySet<string>>;
  readonly packs: ReadonlySet<string>;
  readonly log: ReadonlySet<string>;
}

export function namesOf(tombstones: readonly Tombstone[], component: ComponentId): Named {
  const isOwn = (key: string) => key.startsWith(`${component}/`);
  const own = (keys: readonly SizedKey[]) => keys.map(([key]) => key).filter(isOwn);
  const generations = new Map<string, Set<string>>();
  for (const { path, objects } of tombstones.flatMap(({ list }) => list.generations)) {
    if (!isOwn(path)) continue;
    const keys = generations.get(path) ?? new Set<string>();
    for (const [rest] of objects) keys.add(`${path}/${rest}`);
    generations.set(path, keys);
  }
  return {
    manifests: new Set(tombstones.flatMap(({ list }) => own(list.manifests))),
    generations,
    packs: new Set(tombstones.flatMap(({ list }) => own(list.packs))),
    log: new Set(tombstones.flatMap(({ list }) => own(list.log))),
  };
}
