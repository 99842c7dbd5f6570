// Model checking of retention: seeded random sequences of backups, runs, kills, holds, releases, catch-ups, lost and returning copies, against a simple model.

import assert from 'node:assert/strict';
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import type { Moment } from '../../src/domain/moment.ts';
import { addSeconds, judgeSnapshots } from '../../src/domain/retention.ts';
import { isHoldfastError } from '../../src/errors/index.ts';
import type { Store } from '../../src/stores/store.ts';
import type { SnapshotId, Vault } from '../../src/vault/index.ts';
import { FaultPlan, FaultyStore } from '../support/faulty-store.ts';
import { DAY, type RetentionVault, retentionVault } from '../support/retention.ts';
import { seeded } from '../support/seeded.ts';
import { COMPONENT, readFiles } from '../support/vault.ts';

const SEQUENCES = process.env.HOLDFAST_SWEEP === 'full' ? 2000 : 12;
const STEPS = 14;
const COPIES = ['local', 'eu', 'us'] as const;
const GRACE_DAYS = 7;
const rules = { full: { ageSeconds: 6 * DAY, last: 2 }, short: { ageSeconds: 2 * DAY } };

interface ModelSnapshot {
  readonly id: SnapshotId;
  readonly class: string;
  readonly to: Moment;
  readonly state: 'clean' | 'damaged';
  /** Since which run it is not needed, run after run; `undefined` while it is. */
  unneededSince: Moment | undefined;
  /** Gone with a copy that nobody else could stand in for. */
  lost: boolean;
}

/** What must be true whatever happens, told without any of the vault's machinery. */
class Model {
  readonly snapshots: ModelSnapshot[] = [];
  readonly holds = new Map<string, { snapshot: string; reason: string; id: string }>();

  /** A run judges: what it does not need may be deleted once it was so for the whole grace. */
  judge(now: Moment): void {
    const living = this.snapshots.filter(({ lost }) => !lost);
    const asked = { rules, holds: [...this.holds.values()], timezone: 'UTC', now };
    const judged = judgeSnapshots(
      living.map((snapshot) => ({ ...snapshot, kind: 'files', of: snapshot })),
      asked,
    );
    for (const { snapshot, reasons } of judged) {
      if (reasons.length > 0) snapshot.of.unneededSince = undefined;
      else snapshot.of.unneededSince ??= now;
    }
  }

  /** What must be readable now. */
  required(now: Moment): ModelSnapshot[] {
    return this.snapshots.filter(({ lost, unneededSince }) => {
      return !lost && (unneededSince === undefined || now < addSeconds(unneededSince, GRACE_DAYS * DAY));
    });
  }
}

class Run {
  readonly log: string[] = [];
  readonly model = new Model();
  readonly #test: RetentionVault;
  readonly #random: () => number;
  readonly #plan: FaultPlan;
  readonly #away = new Set<string>();
  #number = 0;

  constructor(test: RetentionVault, random: () => number, plan: FaultPlan) {
    this.#test = test;
    this.#random = random;
    this.#plan = plan;
  }

  async step(): Promise<void> {
    const steps = [
      ...[this.backup, this.backup, this.backup, this.pass, this.pass, this.pass, this.apply, this.apply, this.apply],
      ...[
        this.killedApply,
        this.hold,
        this.release,
        this.goAway,
        this.comeBack,
        this.comeBack,
        this.lose,
        this.catchUp,
      ],
    ];
    await (steps[Math.floor(this.#random() * steps.length)] as () => Promise<void>).call(this);
    await this.check();
  }

  async backup(): Promise<void> {
    const [kind, state] = [
      this.#random() < 0.7 ? 'full' : 'short',
      this.#random() < 0.8 ? 'clean' : 'damaged',
    ] as const;
    const number = ++this.#number;
    this.log.push(`backup ${number} ${kind} ${state}`);
    await this.#with(async (vault) => {
      const to = this.#test.clock.now;
      const id = await this.#test.backup(number, { class: kind, state, vault });
      this.model.snapshots.push({ id, class: kind, to, state, unneededSince: undefined, lost: false });
    });
    this.#test.pass(0.01);
  }

  async pass(): Promise<void> {
    const days = 1 + Math.floor(this.#random() * 6);
    this.log.push(`${days} days pass`);
    this.#test.pass(days);
  }

  async apply(): Promise<void> {
    const refuses = this.#away.size > 0;
    this.log.push(`apply${refuses ? ', to be refused' : ''}`);
    const attempt = this.#with((vault) => this.#test.apply({}, vault));
    if (refuses) await assert.rejects(attempt, { code: 'RETENTION_DOUBT' });
    else {
      const { swept, marked } = await attempt;
      assert.deepEqual([swept.refused, marked.refused], [[], []]);
      this.model.judge(this.#test.clock.now);
    }
  }

  /** Dies at some call of a store, before or after what it asked for. */
  async killedApply(): Promise<void> {
    const call = 1 + Math.floor(this.#random() * 120);
    const kind = this.#random() < 0.5 ? 'refused' : 'answer lost';
    this.log.push(`apply, ${kind} at call ${call}`);
    await this.#with(async (vault) => {
      this.#plan.set(call, kind);
      await this.#test.apply({}, vault).catch((error: unknown) => {
        if (!isHoldfastError(error)) throw error;
      });
      this.#plan.set(undefined);
    });
    // The minutes until the claim of a dead run expires pass here.
    for (const copy of COPIES.filter((each) => !this.#away.has(each))) {
      await rm(join(this.#test.path(copy), 'leases'), { recursive: true, force: true });
    }
    if (this.#away.size === 0) this.model.judge(this.#test.clock.now);
  }

  async hold(): Promise<void> {
    const snapshot = this.#pick(this.model.required(this.#test.clock.now));
    if (snapshot === undefined || this.#away.size > 0) return;
    this.log.push(`hold ${snapshot.id}`);
    const asked = {
      component: COMPONENT,
      snapshot: snapshot.id,
      reason: 'why',
      by: 'me',
      at: this.#test.clock.now,
    } as const;
    const { id } = await this.#with((vault) => vault.retention.hold(asked));
    this.model.holds.set(id, { snapshot: snapshot.id, reason: 'why', id });
  }

  async release(): Promise<void> {
    if (this.#away.size > 0) return;
    const at = this.#test.clock.now;
    await this.#with(async (vault) => {
      const { tombstones } = await vault.retention.plan(this.#test.request());
      const waiting = tombstones.filter(({ state }) => state === 'waiting').map(({ id }) => id);
      const id = this.#pick([...this.model.holds.keys(), ...waiting]);
      if (id === undefined) return;
      this.log.push(`release ${id}`);
      await vault.retention.release({ id, by: 'me', at, reason: 'why' });
      if (!this.model.holds.delete(id)) {
        const named = tombstones.find((each) => each.id === id)?.snapshots ?? [];
        for (const each of this.model.snapshots) if (named.includes(each.id)) each.unneededSince = undefined;
      }
    });
  }

  async goAway(): Promise<void> {
    const copy = this.#pick(COPIES.filter((each) => !this.#away.has(each)));
    if (copy === undefined || this.#away.size > 1) return;
    this.log.push(`${copy} goes away`);
    await rename(this.#test.path(copy), `${this.#test.path(copy)}.away`);
    this.#away.add(copy);
  }

  async comeBack(): Promise<void> {
    const copy = this.#pick([...this.#away]);
    if (copy === undefined) return;
    this.log.push(`${copy} comes back`);
    await rename(`${this.#test.path(copy)}.away`, this.#test.path(copy));
    this.#away.delete(copy);
  }

  /** Another disk in its place, which knows nothing. */
  async lose(): Promise<void> {
    const copy = this.#pick(COPIES.filter((each) => !this.#away.has(each)));
    if (copy === undefined || this.#away.size > 0) return;
    this.log.push(`${copy} is lost`);
    await this.#with(async (vault) => {
      for (const { id, copies } of await vault.listSnapshots()) {
        if (COPIES.some((each) => each !== copy && copies[each] === 'present')) continue;
        for (const each of this.model.snapshots) if (each.id === id) each.lost = true;
      }
    });
    for (const name of await readdir(this.#test.path(copy)))
      await rm(join(this.#test.path(copy), name), { recursive: true });
    await this.#with((vault) => vault.adoptCopy(copy));
  }

  async catchUp(): Promise<void> {
    const copy = this.#pick(COPIES.filter((each) => !this.#away.has(each)));
    if (copy === undefined || this.#away.size > 1) return;
    this.log.push(`${copy} catches up`);
    await this.#with((vault) => vault.catchUp(copy));
  }

  /** What is required and not on a copy that is away alone is there, and all that any copy claims can be read from it. */
  async check(): Promise<void> {
    await this.#with(async (vault) => {
      const listed = await vault.listSnapshots();
      const isThere = new Set(listed.map(({ id }) => id));
      for (const { id } of this.#away.size > 0 ? [] : this.model.required(this.#test.clock.now)) {
        assert.ok(isThere.has(id), `${id} is required and gone`);
      }
      for (const { id, copies } of listed) {
        for (const copy of COPIES.filter((each) => copies[each] === 'present'))
          await vault.verifyCopy(COMPONENT, id, copy);
      }
      const one = this.#pick(listed);
      if (one !== undefined) await readFiles(await vault.openSnapshot(one.id));
    });
  }

  /** Everything comes back, and after enough days exactly what is needed is left, on every copy. */
  async settle(): Promise<void> {
    while (this.#away.size > 0) await this.comeBack();
    for (let round = 0; round < 5; round++) {
      for (const copy of COPIES) await this.#with((vault) => vault.catchUp(copy));
      this.#test.pass(GRACE_DAYS + 1);
      await this.apply();
      await this.check();
    }
    const needed = this.model.snapshots.filter(({ lost, unneededSince }) => !lost && unneededSince === undefined);
    const expected = needed.map(({ id }) => Number.parseInt(id.slice(-8), 16)).sort((a, b) => a - b);
    for (const copy of COPIES) {
      assert.deepEqual(
        (await this.#test.numbersOn(copy)).sort((a, b) => a - b),
        expected,
        copy,
      );
    }
  }

  #with<T>(work: (vault: Vault) => Promise<T>): Promise<T> {
    return this.#test.reopen().then(work);
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#random() * items.length)];
  }
}

const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));

async function play(sequence: number, spoil: (store: Store) => Store = (store) => store): Promise<void> {
  const plan = new FaultPlan();
  const wrap = (store: Store) => new FaultyStore(spoil(store), plan);
  await using test = await retentionVault({ copies: COPIES, rules, wrap });
  const run = new Run(test, seeded(seed + sequence), plan);
  try {
    for (let step = 0; step < STEPS; step++) await run.step();
    await run.settle();
  } catch (cause) {
    const how = `HOLDFAST_SEED=${seed} HOLDFAST_SEQUENCE=${sequence}`;
    throw new Error(`${how} after:\n${run.log.join('\n')}\n${String(cause)}`, { cause });
  }
}

it(`keeps what is needed through any sequence, and in the end nothing else (HOLDFAST_SEED=${seed})`, async (t) => {
  const only = process.env.HOLDFAST_SEQUENCE;
  const first = only === undefined ? 0 : Number(only);
  const last = only === undefined ? SEQUENCES : first + 1;
  for (let sequence = first; sequence < last; sequence++) await play(sequence);
  t.diagnostic(`${last - first} sequences of ${STEPS} steps`);
});

it('notices a store that deletes more than it was told', async () => {
  const greedy = (store: Store): Store =>
    new Proxy(store, {
      get: (target, name) => {
        if (name === 'delete') {
          return async (keys: readonly string[]) => {
            await target.delete(keys);
            if (!keys.some((key) => key.includes('/snapshots/'))) return;
            for await (const { key } of target.list(`${COMPONENT}/snapshots/`)) return target.delete([key]);
          };
        }
        const value = Reflect.get(target, name) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  let noticed = 0;
  for (let sequence = 0; sequence < 30 && noticed === 0; sequence++) {
    await play(sequence, greedy).catch(() => noticed++);
  }
  assert.ok(noticed > 0, 'no sequence noticed it');
});
