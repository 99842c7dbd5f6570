// Holds extend locks (docs/vault-format.md, section 15): what is held stays locked on every copy that locks.

import type { ComponentId } from '../../domain/component.ts';
import { isOwnLog } from '../../domain/log-retention.ts';
import { type Moment, momentFromDate, unixMicros } from '../../domain/moment.ts';
import type { HeldLocks } from '../../domain/retention-report.ts';
import { type ErrorData, fromErrorData, isHoldfastError } from '../../errors/index.ts';
import type { CallOptions } from '../../stores/store.ts';
import type { Copy } from '../copies.ts';
import { forEachLimited, listAll, type VaultCore } from '../core.ts';
import { isKeptKey, isPackKey } from '../layout.ts';
import { logOf } from '../require-log.ts';
import { type ComponentFacts, type FactsCache, type ManifestFacts, readFacts, type SystemLogFacts } from './facts.ts';
import { type Hold, readHolds } from './holds.ts';
import { readInventory } from './inventory.ts';

const AT_ONCE = 16;
/** What is locked for this share of the copy's own time is left as it is: not each object is asked about each day. */
const ENOUGH = 0.75;
/** The least that asking for a lock can ask for. */
const SOON_MS = 300_000;

/** Objects whose locks are extended together, `last` after all others, so that it tells whether they were. */
interface Group {
  readonly last: string;
  readonly others: () => Promise<readonly string[]>;
  readonly untilMs: number;
}

/**
 * Every hold that any copy shows, whatever else is in doubt: needs no copy but the one that it locks, and no lease, because a lock that is extended
 * twice, or for a hold that has just ended, does no harm. Answers as `lockHeld`, and for each copy whose holds could not all be read.
 */
export async function lockAllHeld(
  core: VaultCore,
  cache: FactsCache,
  options: CallOptions = {},
): Promise<readonly HeldLocks[]> {
  if (core.copies.all.every(({ store }) => store.lockForSeconds === undefined)) return [];
  const unread = new Map<string, ErrorData>();
  const ready: Copy[] = [];
  for (const condition of await core.copies.conditions()) {
    if (condition.state === 'ready') ready.push(core.copies.get(condition.name));
    else unread.set(condition.name, fromErrorData(condition.error).toJSON());
  }
  const holds = await readHolds(core, ready, (error, copy) => {
    options.signal?.throwIfAborted();
    unread.set(copy.description.name, core.copies.failed(copy, error).toJSON());
  });
  const locks = await lockHeld(core, holds, cache, options);
  const answered = locks.map((each) => (each.error === undefined ? withUnread(each, unread) : each));
  const silent = [...unread.keys()].filter((copy) => !locks.some((each) => each.copy === copy));
  return [...answered, ...silent.map((copy) => withUnread({ copy, extended: 0 }, unread))];
}

function withUnread(locks: HeldLocks, unread: ReadonlyMap<string, ErrorData>): HeldLocks {
  const { copy, extended } = locks;
  const error = unread.get(copy);
  if (error === undefined) return locks;
  return { copy, extended, error: { ...error, message: `its holds are not all known: ${error.message}` } };
}

/** One answer for each copy that locks; none when nothing is held. Throws only when aborted: a hold stands also where locking fails. */
export async function lockHeld(
  core: VaultCore,
  holds: readonly Hold[],
  cache: FactsCache,
  options: CallOptions = {},
): Promise<readonly HeldLocks[]> {
  const nowMs = Date.now();
  const living = holds.filter((hold) => endOf(hold) > nowMs);
  const answers: HeldLocks[] = [];
  for (const copy of living.length === 0 ? [] : core.copies.all) {
    const { lockForSeconds } = copy.store;
    if (lockForSeconds === undefined) continue;
    const { name } = copy.description;
    try {
      await core.copies.require(name);
      const times = { nowMs, lockForMs: lockForSeconds * 1000 };
      answers.push(await new Locking(core, copy, times, options).lock(living, cache));
    } catch (error) {
      options.signal?.throwIfAborted();
      answers.push({ copy: name, extended: 0, error: core.copies.failed(copy, error).toJSON() });
    }
  }
  return answers;
}

function endOf({ until }: Pick<Hold, 'until'>): number {
  return until === undefined ? Number.POSITIVE_INFINITY : Number(unixMicros(until) / 1000n);
}

interface Times {
  readonly nowMs: number;
  readonly lockForMs: number;
}

class Locking {
  readonly #core: VaultCore;
  readonly #copy: Copy;
  readonly #times: Times;
  readonly #options: CallOptions;
  /** What is kept below a path, listed once. */
  readonly #below = new Map<string, Promise<readonly string[]>>();
  #extended = 0;
  #untilMs = Number.POSITIVE_INFINITY;
  #failure: ErrorData | undefined;

  constructor(core: VaultCore, copy: Copy, times: Times, options: CallOptions) {
    this.#core = core;
    this.#copy = copy;
    this.#times = times;
    this.#options = options;
  }

  async lock(holds: readonly Hold[], cache: FactsCache): Promise<HeldLocks> {
    const inventory = await readInventory(this.#copy);
    for (const component of new Set(holds.map((hold) => hold.component))) {
      await this.#goingOn(async () => {
        const facts = await readFacts(this.#core, [inventory], component, cache);
        const own = holds.filter((hold) => hold.component === component);
        const groups = [...this.#snapshots(facts, own), ...this.#logs(facts, own)];
        for (const group of groups) await this.#goingOn(() => this.#extend(group));
      });
    }
    const answer = { copy: this.#copy.description.name, extended: this.#extended };
    if (this.#failure !== undefined) return { ...answer, error: this.#failure };
    return Number.isFinite(this.#untilMs) ? { ...answer, until: momentOf(this.#untilMs) } : answer;
  }

  /** What is damaged or missing keeps nothing else from being locked; a store that fails is not asked on and on. */
  async #goingOn(work: () => Promise<void>): Promise<void> {
    this.#options.signal?.throwIfAborted();
    try {
      await work();
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_MISSING', 'OBJECT_DAMAGED', 'VAULT_FORMAT', 'RETENTION_DOUBT')) throw error;
      this.#failure ??= this.#core.copies.failed(this.#copy, error).toJSON();
    }
  }

  #snapshots(facts: ComponentFacts, holds: readonly Hold[]): Group[] {
    return facts.manifests.flatMap((manifest) => {
      const on = holds.filter(({ snapshot }) => snapshot === undefined || snapshot === manifest.header.id);
      if (on.length === 0) return [];
      return [{ last: manifest.key, others: () => this.#needs(facts, manifest), untilMs: this.#end(on) }];
    });
  }

  /** Of what is held whole, the closed log: what was stored first is locked shortest. */
  #logs(facts: ComponentFacts, holds: readonly Hold[]): Group[] {
    const whole = holds.filter(({ snapshot }) => snapshot === undefined);
    if (whole.length === 0) return [];
    return facts.logs.flatMap((log) => {
      const [last, ...newer] = log.objects.map(({ key }) => key).filter(isKeptKey);
      if (last === undefined) return [];
      const others = async () => [...newer, ...(await this.#histories(facts.component, log))];
      return [{ last, others, untilMs: this.#end(whole) }];
    });
  }

  #end(holds: readonly Hold[]): number {
    return Math.min(Math.max(...holds.map(endOf)), this.#times.nowMs + this.#times.lockForMs);
  }

  async #needs({ component, logs }: ComponentFacts, manifest: ManifestFacts): Promise<readonly string[]> {
    const packs = new Set(manifest.packs);
    const lists = await Promise.all(manifest.generations.map((path) => this.#kept(path)));
    const needed = lists.flat().filter((key) => !isPackKey(key) || packs.has(key.slice(-64)));
    const { to } = manifest.header;
    const own = logOf(manifest.header);
    const log = logs.find(({ systemId }) => systemId === own?.systemId);
    if (own === undefined || log === undefined) return needed;
    const { segmentSizeBytes, objects } = log;
    const closed = objects.filter(
      (object) => isKeptKey(object.key) && isOwnLog({ ...own, to }, segmentSizeBytes, object),
    );
    return [...needed, ...closed.map(({ key }) => key), ...(await this.#histories(component, log))];
  }

  async #histories(component: ComponentId, { systemId }: SystemLogFacts): Promise<readonly string[]> {
    return (await this.#kept(`${component}/log/${systemId}`)).filter((key) => key.endsWith('/history'));
  }

  #kept(path: string): Promise<readonly string[]> {
    const known = this.#below.get(path);
    if (known !== undefined) return known;
    const listed = listAll(this.#copy.store, `${path}/`).then((infos) => infos.map(({ key }) => key).filter(isKeptKey));
    this.#below.set(path, listed);
    return listed;
  }

  async #extend({ last, others, untilMs }: Group): Promise<void> {
    const { store } = this.#copy;
    const { nowMs, lockForMs } = this.#times;
    const options = this.#options;
    const seen = await store.extendLock(last, new Date(Math.min(untilMs, nowMs + SOON_MS)), options);
    // The end of a hold is reached exactly; what moves on with the days need not be.
    const enoughMs = untilMs < nowMs + lockForMs ? untilMs : nowMs + lockForMs * ENOUGH;
    let lockedMs = seen?.getTime() ?? 0;
    if (lockedMs < enoughMs) {
      const until = new Date(untilMs);
      const keys = await others();
      await forEachLimited(keys, AT_ONCE, async (key) => void (await store.extendLock(key, until, options)));
      lockedMs = (await store.extendLock(last, until, options))?.getTime() ?? 0;
      this.#extended += keys.length + 1;
    }
    this.#untilMs = Math.min(this.#untilMs, lockedMs);
  }
}

function momentOf(ms: number): Moment {
  return momentFromDate(new Date(ms));
}
