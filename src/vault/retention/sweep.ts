// Phase two: what tombstones name and nothing needs is deleted after the grace, in an order in which a death at any point harms nothing.

import type { Refusal, SweepReport } from '../../domain/retention-report.ts';
import { HoldfastError, isHoldfastError } from '../../errors/index.ts';
import type { Copy } from '../copies.ts';
import { listAll, type VaultCore } from '../core.ts';
import type { Lease } from '../types.ts';
import { type JudgeParts, judgeManifests, neededLogKeys, wholeHold } from './decide.ts';
import { Deleting } from './deleting.ts';
import { isDue, isOver } from './due.ts';
import { freeAmong, type Named, namesOf, unneededAmong, unneededLogAmong } from './due-names.ts';
import type { GenerationFacts, ManifestFacts } from './facts.ts';
import { findGarbage, type GarbagePack } from './garbage.ts';
import { completeTombstones } from './mark.ts';
import { putBegun, putRelease, putSwept } from './put-tombstone.ts';
import { hangingOn } from './release.ts';
import type { RetentionRequest } from './request.ts';
import { keysOf, namesIn, readTombstones, type SizedKey, type Tombstone } from './tombstone.ts';
import { type Caches, doubt, readAgain, readWorld, type World } from './world.ts';

/** Deletes what is due. A second run, or one after a death anywhere, goes on from what the copies hold. */
export async function sweep(
  core: VaultCore,
  request: RetentionRequest,
  caches: Caches,
  lease: Lease,
): Promise<SweepReport> {
  const world = await readWorld(core, request, caches);
  await completeTombstones(world, world.tombstones, lease);
  return new Sweep(core, request, caches, lease, world).run();
}

class Sweep {
  readonly #core: VaultCore;
  readonly #request: RetentionRequest;
  readonly #caches: Caches;
  readonly #lease: Lease;
  readonly #world: World;
  readonly #names: readonly string[];
  readonly #deleting: Deleting;
  readonly #refused: Refusal[] = [];
  readonly #released: string[] = [];
  readonly #snapshots: string[] = [];

  constructor(core: VaultCore, request: RetentionRequest, caches: Caches, lease: Lease, world: World) {
    this.#core = core;
    this.#request = request;
    this.#caches = caches;
    this.#lease = lease;
    this.#world = world;
    this.#names = world.copies.map(({ description }) => description.name);
    this.#deleting = new Deleting(core, lease, request.signal);
  }

  async run(): Promise<SweepReport> {
    const due = this.#world.tombstones.filter((each) => isDue(each, this.#names, this.#world.now));
    for (const [component, parts] of this.#world.components) {
      await this.#component(due, parts).catch((error: unknown) => {
        // A run that is over, and a store that may answer in a moment, are no matter of one component.
        if (isHoldfastError(error, 'FENCED', 'CANCELLED', 'STORE_UNAVAILABLE', 'POLICY_UNMET')) throw error;
        this.#request.signal?.throwIfAborted();
        this.#refused.push({ component, error: doubt(`'${component}' was not swept to its end`, error).toJSON() });
      });
    }
    for (const { id } of due) await this.#acknowledge(id);
    const finished = await this.#finish();
    return {
      tombstones: due.map(({ id }) => id),
      snapshots: this.#snapshots,
      deleted: Object.fromEntries(this.#names.map((copy) => [copy, this.#deleting.deleted(copy)] as const)),
      kept: this.#deleting.kept,
      released: this.#released,
      refused: this.#refused,
      finished,
    };
  }

  async #component(due: readonly Tombstone[], parts: JudgeParts | HoldfastError): Promise<void> {
    if (parts instanceof HoldfastError) throw parts;
    const { component } = parts.facts;
    await this.#releaseNeeded(parts);
    if (wholeHold(parts) !== undefined) return;
    const lists = (await this.#tombstones()).filter(({ id }) => due.some((each) => each.id === id));
    const named = namesOf(lists, component);
    const manifests = unneededAmong(parts, named);
    await this.#begin(
      lists,
      manifests.map(({ key }) => key),
    );
    await this.#deleteManifests(manifests);
    const after = await readAgain(this.#core, this.#world, parts, this.#caches);
    const left = new Set(after.facts.manifests.map(({ key }) => key));
    for (const { key, header } of parts.facts.manifests) if (!left.has(key)) this.#snapshots.push(header.id);
    const generations = freeAmong(after, named);
    const log = unneededLogAmong(after, named);
    await this.#begin(lists, [...generations.map(({ path }) => path), ...log.map(({ key }) => key)]);
    await this.#deleteGenerations(generations, named);
    await this.#deleteEach(log);
    const garbage = await this.#garbageAmong(after, named);
    await this.#begin(
      lists,
      garbage.map(({ key }) => key),
    );
    await this.#deleteEach(garbage);
  }

  /**
   * Written down on every copy before the first deletion, and the lease is confirmed once more before each: whoever has the lease later finds it,
   * and gives none of these names back. So a deletion that arrives late, of a process that stood still, hits nothing that anybody counts on.
   */
  async #begin(tombstones: readonly Tombstone[], names: readonly string[]): Promise<void> {
    const beginning = new Set(names);
    for (const { id, list, begun } of tombstones) {
      const fresh = [...namesIn(list)].filter((name) => beginning.has(name) && !begun.has(name));
      if (fresh.length === 0) continue;
      await this.#lease.check();
      await putBegun(this.#core, this.#world.copies, this.#event(id), fresh);
    }
  }

  #event(id: string) {
    return { id, by: this.#request.by, at: this.#world.now, token: this.#lease.token };
  }

  /** As they are now, with what was released in this run. */
  #tombstones(): Promise<readonly Tombstone[]> {
    const { copies } = this.#world;
    return readTombstones(this.#core, copies, { cache: this.#caches.tombstones, unreadable: 'refuse' });
  }

  /** What a tombstone names and somebody needs by now is taken off the list, with all that hangs on it. */
  async #releaseNeeded(parts: JudgeParts): Promise<void> {
    const needed = judgeManifests(parts).filter(({ reasons }) => reasons.length > 0);
    for (const { snapshot, reasons } of needed) {
      // It stays as long as it is needed, but nobody may count on that.
      if (parts.begun.has(snapshot.manifest.key)) continue;
      const reason = `needed again: ${reasons.map(({ words }) => words).join('; ')}`;
      for (const { tombstone, keys } of hangingOn(snapshot.manifest, parts.facts, this.#world.tombstones)) {
        const back = keys.filter((key) => !tombstone.begun.has(key));
        if (back.length === 0) continue;
        await this.#lease.check();
        await putRelease(this.#core, this.#world.copies, { ...this.#event(tombstone.id), reason }, back);
        if (back.includes(snapshot.manifest.key)) this.#released.push(snapshot.id);
      }
    }
    await this.#releaseNeededLog(parts);
  }

  /** Log hangs on no manifest when a longer window needs it: named for ever, it would never be swept, and no copy would get it again. */
  async #releaseNeededLog(parts: JudgeParts): Promise<void> {
    const needed = neededLogKeys(parts);
    for (const { id, list, begun } of await this.#tombstones()) {
      const keys = list.log.map(([key]) => key).filter((key) => needed.has(key) && !begun.has(key));
      if (keys.length === 0) continue;
      await this.#lease.check();
      const reason = 'log that is needed again';
      await putRelease(this.#core, this.#world.copies, { ...this.#event(id), reason }, keys);
      this.#released.push(`${keys.length} objects of the log of ${parts.facts.component}`);
    }
  }

  async #deleteManifests(manifests: readonly ManifestFacts[]): Promise<void> {
    for (const { key, sizeBytes, copies } of manifests) {
      for (const copy of this.#on(copies)) await this.#deleting.delete(copy, [[key, sizeBytes]]);
    }
  }

  async #deleteGenerations(generations: readonly GenerationFacts[], named: Named): Promise<void> {
    for (const { path, onCopies } of generations) {
      const objects = named.generations.get(path) ?? new Set<string>();
      for (const copy of this.#on([...onCopies.keys()])) await this.#deleteBelow(copy, path, objects);
    }
  }

  /** The data key last: until then what is left can still be read. */
  async #deleteBelow(copy: Copy, path: string, objects: ReadonlySet<string>): Promise<void> {
    const present = (await listAll(copy.store, `${path}/`)).filter(({ key }) => objects.has(key));
    const isKey = ({ key }: { key: string }) => key === `${path}/key`;
    const ordered = [...present.filter((each) => !isKey(each)), ...present.filter(isKey)];
    await this.#deleting.delete(
      copy,
      ordered.map(({ key, sizeBytes }) => [key, sizeBytes] as const),
    );
  }

  async #garbageAmong(after: JudgeParts, { packs }: Named): Promise<readonly GarbagePack[]> {
    if (packs.size === 0) return [];
    const paths = new Set([...packs].map((key) => key.split('/').slice(0, 4).join('/')));
    const found = await findGarbage(this.#core, this.#world.copies, after, ({ path }) => paths.has(path));
    return found.filter(({ key }) => packs.has(key));
  }

  async #deleteEach(objects: readonly { key: string; onCopies: ReadonlyMap<string, number> }[]): Promise<void> {
    for (const copy of this.#world.copies) {
      const { name } = copy.description;
      const here = objects.flatMap(({ key, onCopies }): SizedKey[] => {
        const size = onCopies.get(name);
        return size === undefined ? [] : [[key, size]];
      });
      await this.#deleting.delete(copy, here);
    }
  }

  /** A copy that holds nothing of the tombstone any more is noted, on every copy. */
  async #acknowledge(id: string): Promise<void> {
    const tombstone = (await this.#tombstones()).find((each) => each.id === id);
    if (tombstone === undefined) return;
    for (const copy of this.#world.copies) {
      const { name } = copy.description;
      if (tombstone.swept.has(name) || !(await this.#holdsNothing(copy, tombstone))) continue;
      await this.#lease.check();
      const swept = { id, copy: name, by: this.#request.by, at: this.#world.now };
      await putSwept(this.#core, this.#world.copies, swept);
    }
  }

  /** By the copy's own listing: what it was told to delete may still be there. */
  async #holdsNothing({ store }: Copy, { list }: Tombstone): Promise<boolean> {
    const keys = new Set([...keysOf(list)].map(([key]) => key));
    const prefixes = new Set([...keys].map((key) => `${key.split('/').slice(0, 4).join('/')}`));
    const parents = new Set([...prefixes].map((prefix) => (keys.has(prefix) ? prefix : `${prefix}/`)));
    for (const prefix of parents) {
      for await (const { key } of store.list(prefix)) if (keys.has(key)) return false;
    }
    return true;
  }

  /** Tombstones of which nothing is left anywhere, a grace later, by their own explicit keys. */
  async #finish(): Promise<string[]> {
    const over = (await this.#tombstones()).filter((each) => isOver(each, this.#names, this.#world.now));
    for (const { keys } of over) {
      for (const copy of this.#world.copies) {
        const own = keys.get(copy.description.name) ?? [];
        if (own.length === 0) continue;
        await this.#deleting.forget(copy, own);
      }
    }
    return over.map(({ id }) => id);
  }

  #on(copies: readonly string[]): Copy[] {
    return this.#world.copies.filter(({ description }) => copies.includes(description.name));
  }
}
