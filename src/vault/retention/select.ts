// What would be marked now: the unneeded things of every component that are not named yet, as far as one run may go.

import type { Refusal } from '../../domain/retention-report.ts';
import { isHoldfastError } from '../../errors/index.ts';
import { listAll, type VaultCore } from '../core.ts';
import { Budget, type Cost, costOf } from './budget.ts';
import { decideLog, freeGenerations, type JudgeParts, judgeManifests, wholeHold } from './decide.ts';
import type { ManifestFacts } from './facts.ts';
import { findGarbage } from './garbage.ts';
import type { RetentionRequest } from './request.ts';
import type { NamedGeneration, SizedKey, Tombstone, TombstoneList } from './tombstone.ts';
import { doubt, type World } from './world.ts';

export interface Selection {
  readonly list: TombstoneList;
  readonly budget: Budget;
  readonly heldBack: readonly string[];
  readonly refused: readonly Refusal[];
}

/** Keys, and paths of generations, that tombstones name. */
export function namedKeys(tombstones: readonly Tombstone[]): ReadonlySet<string> {
  return new Set(
    tombstones.flatMap(({ list: { manifests, generations, packs, log } }) => [
      ...[...manifests, ...packs, ...log].map(([key]) => key),
      ...generations.map(({ path }) => path),
    ]),
  );
}

export async function select(core: VaultCore, world: World, request: RetentionRequest): Promise<Selection> {
  const selecting = new Selecting(core, world, new Budget(world.inventories, request));
  const refused: Refusal[] = [];
  for (const [component, parts] of world.components) {
    if (isHoldfastError(parts)) refused.push({ component, error: parts.toJSON() });
    else if (wholeHold(parts) === undefined) {
      await selecting.add(parts).catch((error: unknown) => {
        refused.push({ component, error: doubt(`'${component}' cannot be judged`, error).toJSON() });
      });
    }
  }
  const { list, budget, heldBack } = selecting;
  return { list, budget, heldBack, refused };
}

class Selecting {
  readonly budget: Budget;
  readonly heldBack: string[] = [];
  readonly #core: VaultCore;
  readonly #world: World;
  readonly #named: ReadonlySet<string>;
  readonly #manifests: SizedKey[] = [];
  readonly #generations: NamedGeneration[] = [];
  readonly #packs: SizedKey[] = [];
  readonly #log: SizedKey[] = [];

  constructor(core: VaultCore, world: World, budget: Budget) {
    this.#core = core;
    this.#world = world;
    this.budget = budget;
    this.#named = namedKeys(world.tombstones);
  }

  get list(): TombstoneList {
    return { manifests: this.#manifests, generations: this.#generations, packs: this.#packs, log: this.#log };
  }

  async add(parts: JudgeParts): Promise<void> {
    const going = this.#takeManifests(parts);
    await this.#takeGenerations(parts, going);
    this.#takeLog(parts, going);
    await this.#takeGarbage(parts);
  }

  /** Keys of the manifests that go, by this or an earlier tombstone. */
  #takeManifests(parts: JudgeParts): ReadonlySet<string> {
    const going = new Set(parts.facts.manifests.map(({ key }) => key).filter((key) => this.#named.has(key)));
    const unneeded = judgeManifests(parts)
      .filter(({ reasons }) => reasons.length === 0)
      .map(({ snapshot }) => snapshot.manifest)
      .filter(({ key }) => !going.has(key))
      .reverse();
    for (const manifest of unneeded) {
      if (!this.#take(manifestCost(manifest), `snapshot ${manifest.header.id}`)) continue;
      this.#manifests.push([manifest.key, manifest.sizeBytes]);
      going.add(manifest.key);
    }
    return going;
  }

  async #takeGenerations(parts: JudgeParts, going: ReadonlySet<string>): Promise<void> {
    const free = freeGenerations(parts, going).filter(({ path }) => !this.#named.has(path));
    for (const { path, onCopies } of [...free].sort((a, b) => a.startMs - b.startMs)) {
      if (!this.#take(new Map(onCopies), `generation ${path}`)) continue;
      this.#generations.push({ path, objects: await this.#objectsBelow(path) });
    }
  }

  async #objectsBelow(path: string): Promise<SizedKey[]> {
    const sizes = new Map<string, number>();
    for (const { store } of this.#world.copies) {
      for (const { key, sizeBytes } of await listAll(store, `${path}/`)) {
        sizes.set(key.slice(path.length + 1), sizeBytes);
      }
    }
    return [...sizes].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #takeLog(parts: JudgeParts, going: ReadonlySet<string>): void {
    for (const { systemId, unneeded } of decideLog(parts, going)) {
      const open = unneeded.filter(({ key }) => !this.#named.has(key));
      const taken = open.filter(({ onCopies }) => this.budget.take(costOf(onCopies)));
      for (const { key, onCopies } of taken) this.#log.push([key, Math.max(...onCopies.values())]);
      const left = open.length - taken.length;
      if (left > 0) this.heldBack.push(`${left} objects of the log of ${parts.facts.component} (${systemId})`);
    }
  }

  async #takeGarbage(parts: JudgeParts): Promise<void> {
    const packs = await findGarbage(this.#core, this.#world.copies, parts, ({ path }) => !this.#named.has(path));
    for (const { key, onCopies } of packs) {
      if (this.#named.has(key) || !this.#take(costOf(onCopies), `pack ${key}`)) continue;
      this.#packs.push([key, Math.max(...onCopies.values())]);
    }
  }

  #take(cost: Cost, what: string): boolean {
    const taken = this.budget.take(cost);
    if (!taken) this.heldBack.push(what);
    return taken;
  }
}

function manifestCost({ copies, sizeBytes }: ManifestFacts): Cost {
  return costOf(copies.map((copy) => [copy, sizeBytes] as const));
}
