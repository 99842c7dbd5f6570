// One copy of a component, by its own bytes: a first look at everything, then closer looks, those longest ago first, while the budget lasts.

import type { ComponentId } from '../../domain/component.ts';
import {
  type CopyIntegrity,
  countVerdicts,
  type IntegrityLevel,
  isAtLeast,
  type ObjectFinding,
  type SnapshotIntegrity,
  worstVerdict,
} from '../../domain/integrity.ts';
import { type Moment, momentFromDate } from '../../domain/moment.ts';
import { toHoldfastError } from '../../errors/index.ts';
import type { Copy } from '../copies.ts';
import { forEachLimited, type VaultCore } from '../core.ts';
import type { Proof, SnapshotOnCopies, VerifyRequest } from '../types.ts';
import type { JobThreads } from '../workers/job-threads.ts';
import { Closer } from './closer.ts';
import type { Need, Needs } from './needs.ts';
import { listProofs, putProof, type SeenObject, seenObjects } from './proofs.ts';
import { note, survey } from './survey.ts';

const MOST_FINDINGS = 100;
/** Whole packs in memory at once. */
const MOST_AT_ONCE = 4;
/** Older looks do not decide what is looked at first. */
const LOOK_BACK_MS = 90 * 86_400_000;
/** What was seen is kept so often, so that a run that is killed has not looked in vain. */
const KEEP_EVERY_BYTES = 2 * 1024 * 1024 * 1024;

/** Shared by the copies of one verification. */
export interface Allowance {
  leftBytes: number;
  readonly untilMs: number;
}

export interface CopyCheckParts {
  readonly core: VaultCore;
  readonly request: VerifyRequest;
  readonly threads: JobThreads;
  readonly allowance: Allowance;
  readonly known: readonly SnapshotOnCopies[];
}

export class CopyCheck {
  readonly #parts: CopyCheckParts;
  readonly #copy: Copy;
  readonly #at: Moment = momentFromDate(new Date());
  readonly #closer: Closer;
  #readBytes = 0;
  #objects = 0;
  #unkept: Need[] = [];
  #unkeptBytes = 0;

  constructor(parts: CopyCheckParts, copy: Copy) {
    const { core, request, threads } = parts;
    this.#parts = parts;
    this.#copy = copy;
    this.#closer = new Closer(core, copy, request.level, threads, request.signal);
  }

  async run(): Promise<CopyIntegrity> {
    const { core, known } = this.#parts;
    const { component } = this.#parts.request;
    const { needs } = await survey(core, this.#copy, component, known);
    const seen = await this.#seen(component);
    for (const need of needs.all) if (need.state === 'good') this.#remember(need, seen.get(need.key));
    const open = needs.all.filter((need) => need.state === 'good' && !need.isRemembered && this.#closer.isNeeded(need));
    for (const need of open) need.state = 'not checked'; // good so far is not good at this level
    const age = ({ key }: Need) => seen.get(key)?.[0]?.at ?? '';
    open.sort((a, b) => order(a) - order(b) || (age(a) < age(b) ? -1 : age(a) > age(b) ? 1 : 0));
    for (const group of [isSmall, isBulk, isTree]) {
      const width = Math.min(MOST_AT_ONCE, this.#parts.threads.count + 1);
      await forEachLimited(open.filter(group), width, (need) => this.#look(need));
    }
    for (const need of needs.all) if (need.state === 'good') need.at ??= this.#at;
    const snapshots = summarize(needs);
    await this.#keep(needs, snapshots);
    return this.#report(needs, snapshots);
  }

  async #seen(component: ComponentId): Promise<Map<string, SeenObject[]>> {
    const { since } = this.#parts.request;
    const lookBack = momentFromDate(new Date(Date.now() - LOOK_BACK_MS));
    const from = since === undefined || lookBack < since ? lookBack : since;
    return seenObjects(this.#parts.core, component, this.#copy.description.name, from);
  }

  /** Seen good closely enough and lately enough, and not seen bad since. */
  #remember(need: Need, looks: readonly SeenObject[] = []): void {
    const { since, level } = this.#parts.request;
    if (since === undefined) return;
    for (const { level: its, state, at } of looks) {
      if (at < since || state !== 'good') return;
      if (!isAtLeast(its as IntegrityLevel, level)) continue;
      need.isRemembered = true;
      need.at = at;
      return;
    }
  }

  async #look(need: Need): Promise<void> {
    const { request, allowance } = this.#parts;
    request.signal?.throwIfAborted();
    const cost = this.#closer.cost(need);
    if (performance.now() > allowance.untilMs || cost > allowance.leftBytes) return;
    allowance.leftBytes -= cost;
    try {
      need.state = await this.#closer.look(need);
    } catch (cause) {
      request.signal?.throwIfAborted();
      note(need, cause);
    }
    this.#readBytes += cost;
    this.#objects += 1;
    request.onProgress?.({ copy: this.#copy.description.name, objects: this.#objects, bytes: this.#readBytes });
    this.#unkept.push(need);
    this.#unkeptBytes += cost;
    if (this.#unkeptBytes > KEEP_EVERY_BYTES) await this.#put([], this.#takeUnkept());
  }

  #takeUnkept(): Need[] {
    this.#unkeptBytes = 0;
    return this.#unkept.splice(0);
  }

  /** Also what the first look found wrong; what is not checked proves nothing. */
  async #keep(needs: Needs, snapshots: readonly SnapshotIntegrity[]): Promise<void> {
    const looked = new Set(this.#takeUnkept());
    for (const need of needs.all) if (need.error && isKnown(need)) looked.add(need);
    const certain = snapshots.filter(({ state }) => state !== 'not checked');
    const isNew = ({ at = this.#at }: SnapshotIntegrity) => at === this.#at;
    await this.#put(certain.filter(isNew), [...looked], this.#at, wholeOf(needs));
    // A snapshot rests on its oldest look: what was remembered does not become newer by it.
    const old = certain.filter((each) => !isNew(each));
    if (old.length === 0) return;
    const { component, level } = this.#parts.request;
    const place = (snapshot: string, at: string | undefined) => `${snapshot} ${at}`;
    const kept = (await listProofs(this.#parts.core, component)).filter(
      (proof) => proof.copy === this.#copy.description.name && proof.level === level && proof.state === 'good',
    );
    const known = new Set(kept.map(({ snapshot, at }) => place(snapshot, at)));
    for (const each of old) if (!known.has(place(each.snapshot, each.at))) await this.#put([each], [], each.at);
  }

  async #put(
    snapshots: readonly { snapshot: string; state: SnapshotIntegrity['state'] }[],
    looked: readonly Need[],
    at = this.#at,
    whole?: Proof['whole'],
  ): Promise<void> {
    const { core, request } = this.#parts;
    type Known = 'good' | 'damaged' | 'missing';
    const objects = looked
      .filter((need) => isKnown(need) && need.what.kind !== 'gap')
      .map(({ key, state }) => [key, state as Known] as const);
    if (whole === undefined && snapshots.length + objects.length === 0) return;
    await putProof(core, {
      component: request.component,
      copy: this.#copy.description.name,
      level: request.level,
      at,
      run: request.run,
      snapshots: snapshots.map(({ snapshot, state }) => [snapshot, state as Known]),
      objects,
      ...(whole && { whole }),
    });
  }

  #report(needs: Needs, snapshots: readonly SnapshotIntegrity[]): CopyIntegrity {
    const all = needs.all;
    const unknown = all.find((need) => need.state === 'not checked' && need.error);
    const findings = all.flatMap(({ key, kind, state, error }): ObjectFinding[] =>
      state === 'damaged' || state === 'missing' ? [{ key, kind, state, message: error?.message ?? state }] : [],
    );
    return {
      copy: this.#copy.description.name,
      state: worstVerdict(all.map(({ state }) => state)),
      ...(unknown?.error && { error: toHoldfastError(unknown.error).toJSON() }),
      snapshots,
      objects: countVerdicts(all.map(({ state }) => state)),
      segments: countVerdicts(all.filter(({ kind }) => kind === 'segment').map(({ state }) => state)),
      readBytes: this.#readBytes,
      findings: findings.slice(0, MOST_FINDINGS),
    };
  }
}

function wholeOf({ all }: Needs): NonNullable<Proof['whole']> {
  const state = worstVerdict(all.map((need) => need.state));
  const since = oldest(all);
  return { state, ...(state === 'good' && since !== undefined && { since }) };
}

function oldest(needs: readonly Need[]): Moment | undefined {
  return needs
    .map((need) => need.at)
    .reduce((a, b) => (a === undefined || (b !== undefined && b < a) ? b : a), undefined);
}

function summarize(needs: Needs): SnapshotIntegrity[] {
  return [...needs.snapshots.keys()]
    .sort()
    .reverse()
    .map((snapshot) => {
      const own = needs.of(snapshot);
      const state = worstVerdict(own.map((need) => need.state));
      const at = oldest(own);
      const objects = countVerdicts(own.map((need) => need.state));
      return { snapshot, state, objects, ...(state === 'good' && at !== undefined && { at }) };
    });
}

const isKnown = ({ state }: Need) => state !== 'not checked';
/** Indexes first, because packs are compared with them; trees last, because they are read from packs. */
const isSmall = ({ kind }: Need) => kind === 'index';
const isBulk = ({ kind }: Need) => kind === 'pack' || kind === 'segment' || kind === 'extent';
const isTree = ({ kind }: Need) => kind === 'manifest';
const order = (need: Need) => (isSmall(need) ? 0 : isBulk(need) ? 1 : 2);
