// One random sequence over a real vault: what the steps share, and what is checked after each.

import assert from 'node:assert/strict';
import { isHoldfastError } from '../../../src/errors/index.ts';
import type { Vault } from '../../../src/vault/index.ts';
import type { FaultKind, FaultPlan } from '../faulty-store.ts';
import type { RetentionVault } from '../retention.ts';
import { COMPONENT, type Files, readFiles, seededBytes } from '../vault.ts';
import { waitFor } from '../wait-for.ts';
import { GRACE_DAYS, Model, type ModelSnapshot } from './model.ts';
import { COPIES, type CopyName, type Place } from './places.ts';

const FAULTS: readonly FaultKind[] = ['refused', 'answer lost', 'dies before', 'dies after'];

/** Of the snapshot that an id or a key names. */
export const numberOf = (name: string) => Number.parseInt(name.slice(-8), 16);

/** What a snapshot holds: some of it is in others too, so that they share packs. */
export function filesOf(number: number): Files {
  const shared = number % 3;
  return { 'base/shared': seededBytes(`shared ${shared}`, 900), 'base/own': seededBytes(`own ${number}`, 1500) };
}

export interface RunParts {
  readonly test: RetentionVault;
  readonly places: ReadonlyMap<CopyName, Place>;
  readonly plan: FaultPlan;
  readonly random: () => number;
}

export class Run {
  readonly log: string[] = [];
  readonly model = new Model();
  readonly test: RetentionVault;
  readonly away = new Set<CopyName>();
  /** What somebody who may write put among the manifests, by copy. */
  readonly strangers = new Map<CopyName, string>();
  readonly #places: ReadonlyMap<CopyName, Place>;
  readonly #plan: FaultPlan;
  readonly #random: () => number;
  /** Of a process that lives on; `undefined`: the next step starts one. */
  #vault: Vault | undefined;
  #number = 0;

  constructor({ test, places, plan, random }: RunParts) {
    this.test = test;
    this.#places = places;
    this.#plan = plan;
    this.#random = random;
  }

  /** Mostly by a process that lives on with all that it remembers, now and then by a new one. */
  async with<T>(work: (vault: Vault) => Promise<T>): Promise<T> {
    const isNew = this.chance(0.25);
    if (this.#vault === undefined || isNew) this.#vault = await this.test.reopen();
    else await this.#askAgain(this.#vault);
    return work(this.#vault);
  }

  /** The seconds until a copy that failed is asked again pass here; really so, when it took one of them to fail. */
  async #askAgain(vault: Vault): Promise<void> {
    await waitFor('every copy that is there to answer', async () => {
      const conditions = await vault.conditions();
      const silent = conditions.filter((each) => each.state === 'away' && each.error.code === 'STORE_UNAVAILABLE');
      return silent.every(({ name }) => this.away.has(name as CopyName));
    });
  }

  /** Fails, or dies, at some call of a store, before or after what it asked for. Whether it came to its end. */
  async withFault(calls: number, what: string, work: (vault: Vault) => Promise<unknown>): Promise<boolean> {
    const [call, kind] = [1 + Math.floor(this.#random() * calls), this.pick(FAULTS) as FaultKind];
    this.log.push(`${what}, ${kind} at call ${call}`);
    return this.with(async (vault) => {
      this.#plan.set(call, kind);
      try {
        await work(vault);
        return true;
      } catch (error) {
        if (!isHoldfastError(error)) throw error;
        return false;
      } finally {
        if (kind.startsWith('dies')) this.#vault = undefined;
        this.#plan.set(undefined);
        await this.#expireLeases();
      }
    });
  }

  /** The minutes until the claim of a dead run expires pass here. */
  async #expireLeases(): Promise<void> {
    for (const copy of this.present()) {
      const { store } = this.place(copy);
      const keys: string[] = [];
      for await (const { key } of store.list('leases/')) keys.push(key);
      await store.delete(keys);
    }
  }

  place(copy: CopyName): Place {
    return this.#places.get(copy) as Place;
  }

  present(): CopyName[] {
    return COPIES.filter((copy) => !this.away.has(copy));
  }

  chance(probability: number): boolean {
    return this.#random() < probability;
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#random() * items.length)];
  }

  nextNumber(): number {
    return ++this.#number;
  }

  /** What is required and not on a copy that is away alone is there, and all that any copy claims can be read from it. */
  async check(): Promise<void> {
    await this.with(async (vault) => {
      const listed = await vault.listSnapshots();
      const isThere = new Set(listed.map(({ id }) => id));
      for (const { id } of this.away.size > 0 ? [] : this.model.required(this.test.clock.now)) {
        assert.ok(isThere.has(id), `${id} is required and gone`);
      }
      for (const { id, copies } of listed) {
        for (const copy of COPIES.filter((each) => copies[each] === 'present')) {
          await vault.verifyCopy(COMPONENT, id, copy);
        }
      }
      const one = this.pick(listed);
      if (one !== undefined) await this.#read(vault, one.id);
    });
  }

  async #read(vault: Vault, id: ModelSnapshot['id']): Promise<void> {
    const known = this.model.snapshots.find((each) => each.id === id);
    assert.ok(known, `${id} is there and was never taken`);
    const reader = await vault.openSnapshot(id);
    try {
      assert.deepEqual(await readFiles(reader), filesOf(known.number), `${id} holds what was put into it`);
    } finally {
      reader.close();
    }
  }

  /** What a tombstone names comes to no copy again. */
  async catchUp(copy: CopyName, vault: Vault): Promise<void> {
    const before = new Set(await this.test.numbersOn(copy));
    try {
      await vault.catchUp(copy);
    } finally {
      const gained = new Set((await this.test.numbersOn(copy)).filter((number) => !before.has(number)));
      for (const { id, number, isMarked } of this.model.snapshots) {
        assert.ok(!isMarked || !gained.has(number), `${id} was brought back to ${copy}`);
      }
    }
  }

  /** Everything comes back, and after enough days exactly what is needed is left, on every copy. */
  async settle(rounds: number, apply: () => Promise<void>): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      for (const copy of COPIES) await this.with((vault) => this.catchUp(copy, vault));
      this.test.pass(GRACE_DAYS + 1);
      await apply();
      await this.check();
    }
    const expected = this.model.needed().map(({ number }) => number);
    for (const copy of COPIES) {
      assert.deepEqual(
        (await this.test.numbersOn(copy)).sort((a, b) => a - b),
        expected.sort((a, b) => a - b),
        copy,
      );
    }
  }
}
