// The steps that a random sequence is made of: what an estate, its disks, its people and its attackers do to a vault.

import assert from 'node:assert/strict';
import { isHoldfastError } from '../../../src/errors/index.ts';
import type { SnapshotId, SnapshotWriter, Vault } from '../../../src/vault/index.ts';
import { openBackup } from '../retention.ts';
import { COMPONENT, seededBytes } from '../vault.ts';
import type { Doubt, ModelSnapshot } from './model.ts';
import { COPIES, type CopyName } from './places.ts';
import { filesOf, numberOf, type Run } from './run.ts';

/** Names among the manifests: one that is none, and one that could be. */
const STRANGERS = ['unknown', '00000099.20260101T000000Z-0000beef'];

type BackupKind = Pick<ModelSnapshot, 'number' | 'class' | 'state'>;

interface OpenBackup {
  readonly kind: BackupKind;
  readonly id: SnapshotId;
  readonly writer: SnapshotWriter;
}

export class Steps {
  readonly #run: Run;
  /** A backup that takes days. */
  #open: OpenBackup | undefined;
  /** Put back and not caught up since: a second copy that forgets could forget what only the first knew. */
  readonly #putBack = new Set<CopyName>();
  readonly #remembered = new Set<CopyName>();

  constructor(run: Run) {
    this.#run = run;
  }

  /** Each as often as it is named; one that gives `false` had nothing to do. */
  get all(): readonly (() => Promise<unknown>)[] {
    return [
      ...[this.backup, this.backup, this.backup, this.pass, this.pass, this.pass, this.pass],
      ...[this.apply, this.apply, this.apply, this.apply, this.killedApply, this.killedApply],
      ...[this.killedBackup, this.twoBackups, this.longBackup, this.longBackup, this.backupDuringApply],
      ...[this.hold, this.release, this.release, this.catchUp, this.catchUp, this.killedCatchUp],
      ...[this.goAway, this.comeBack, this.comeBack, this.comeBack, this.lose, this.remember, this.putBack],
      ...[this.junk, this.stranger, this.clean, this.clean, this.clean],
    ];
  }

  // ── Backups ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  async backup(): Promise<void> {
    const kind = this.#kind();
    this.#run.log.push(`backup ${inWords(kind)}`);
    await this.#run.with(async (vault) => this.#committed(kind, await this.#backup(kind, vault)));
    this.#run.test.pass(0.01);
  }

  /** Whether it counts is for the vault to say; the attempt that repeats it ends well either way. */
  async killedBackup(): Promise<void> {
    const kind = this.#kind();
    const done = await this.#run.withFault(90, `backup ${inWords(kind)}`, (vault) => this.#backup(kind, vault));
    const again = !done && this.#run.chance(0.5);
    if (again) this.#run.log.push('the same again');
    await this.#run.with(async (vault) => {
      if (again) await this.#backup(kind, vault);
      const found = (await vault.listSnapshots()).find(({ id }) => numberOf(id) === kind.number);
      assert.ok(found !== undefined || !(done || again), `backup ${kind.number} ended well and is not there`);
      if (found !== undefined) this.#committed(kind, found.id);
    });
    this.#run.test.pass(0.01);
  }

  /** From two processes at the same moment. */
  async twoBackups(): Promise<void> {
    const kinds = [this.#kind(), this.#kind()];
    this.#run.log.push(`at once ${kinds.map((kind) => `backup ${inWords(kind)}`).join(' and ')}`);
    const vaults = [await this.#run.test.reopen(), await this.#run.test.reopen()];
    const ids = await Promise.all(kinds.map((kind, index) => this.#backup(kind, vaults[index] as Vault)));
    for (const [index, kind] of kinds.entries()) this.#committed(kind, ids[index] as SnapshotId);
    this.#run.test.pass(0.01);
  }

  /** Begins one, or ends the one that began some steps ago: it is there, or was refused and is not. */
  async longBackup(): Promise<void> {
    if (this.#open === undefined) {
      const kind = this.#kind();
      this.#run.log.push(`backup ${inWords(kind)} begins`);
      const options = { ...kind, files: filesOf(kind.number) };
      const begun = await openBackup(await this.#run.test.reopen(), this.#run.test.clock.now, kind.number, options);
      this.#open = { kind, ...begun };
      this.#run.test.pass(0.01);
    } else {
      const { kind, id, writer } = this.#open;
      this.#open = undefined;
      this.#run.log.push(`backup ${kind.number} ends`);
      try {
        await writer.commit({ to: this.#run.test.clock.now, state: kind.state, engine: {} });
        this.#committed(kind, id);
      } catch (error) {
        await writer.abandon();
        if (!isHoldfastError(error, 'FENCED', 'POLICY_UNMET')) throw error;
        this.#run.log.push(`… refused: ${error.message}`);
        const listed = await this.#run.with((vault) => vault.listSnapshots());
        assert.ok(!listed.some((each) => each.id === id), `backup ${kind.number} was refused and is there`);
      }
    }
  }

  async backupDuringApply(): Promise<void> {
    const kind = this.#kind();
    this.#run.log.push(`at once backup ${inWords(kind)} and apply`);
    const other = await this.#run.test.reopen();
    let snapshot: ModelSnapshot | undefined;
    const [taken, applied] = await Promise.allSettled([
      this.#backup(kind, other).then((id) => {
        snapshot = this.#committed(kind, id);
      }),
      this.#run.with((vault) => this.#run.test.apply({}, vault)),
    ]);
    if (taken.status === 'rejected') throw taken.reason;
    this.#applied(applied, { mayHaveMissed: snapshot });
    this.#run.test.pass(0.01);
  }

  // ── Time and retention ───────────────────────────────────────────────────────────────────────────────────────────────

  async pass(): Promise<void> {
    const days = this.#run.pick([1, 2, 3, 4, 5, 6]) as number;
    this.#run.log.push(`${days} days pass`);
    this.#run.test.pass(days);
  }

  async apply(): Promise<void> {
    this.#run.log.push(`apply${this.#isRefused() ? ', to be refused' : ''}`);
    const [applied] = await Promise.allSettled([this.#run.with((vault) => this.#run.test.apply({}, vault))]);
    this.#applied(applied, {});
  }

  async killedApply(): Promise<void> {
    const done = await this.#run.withFault(120, 'apply', (vault) => this.#run.test.apply({}, vault));
    if (!this.#isRefused()) this.#run.model.judge(this.#run.test.clock.now, { mayHaveDied: !done });
  }

  async hold(): Promise<unknown> {
    const at = this.#run.test.clock.now;
    const snapshot = this.#run.pick(this.#run.model.required(at));
    if (snapshot === undefined || this.#isRefused()) return false;
    this.#run.log.push(`hold ${snapshot.id}`);
    const asked = { component: COMPONENT, snapshot: snapshot.id, reason: 'why', by: 'me', at } as const;
    const { id } = await this.#run.with((vault) => vault.retention.hold(asked));
    this.#run.model.holds.set(id, { snapshot: snapshot.id, reason: 'why', id });
    return true;
  }

  async release(): Promise<unknown> {
    if (this.#isRefused()) return false;
    const { model, test } = this.#run;
    return this.#run.with(async (vault) => {
      const { tombstones } = await vault.retention.plan(test.request());
      const waiting = tombstones.filter(({ state }) => state === 'waiting').map(({ id }) => id);
      const id = this.#run.pick([...model.holds.keys(), ...waiting]);
      if (id === undefined) return false;
      this.#run.log.push(`release ${id}`);
      await vault.retention.release({ id, by: 'me', at: test.clock.now, reason: 'why' });
      if (!model.holds.delete(id)) {
        const named = tombstones.find((each) => each.id === id)?.snapshots ?? [];
        for (const each of model.snapshots) if (named.includes(each.id)) model.release(each);
      }
      return true;
    });
  }

  // ── Copies ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  async goAway(): Promise<unknown> {
    const copy = this.#run.pick(this.#run.present());
    if (copy === undefined || this.#run.away.size > 1) return false;
    this.#run.log.push(`${copy} goes away`);
    await this.#run.place(copy).goAway();
    this.#run.away.add(copy);
    return true;
  }

  async comeBack(): Promise<unknown> {
    const copy = this.#run.pick([...this.#run.away]);
    if (copy === undefined) return false;
    this.#run.log.push(`${copy} comes back`);
    await this.#run.place(copy).comeBack();
    this.#run.away.delete(copy);
    return true;
  }

  /** Another disk in its place, which knows nothing. */
  async lose(): Promise<unknown> {
    const copy = this.#run.pick(COPIES);
    if (copy === undefined || this.#run.away.size > 0 || this.#putBack.size > 0) return false;
    this.#run.log.push(`${copy} is lost`);
    await this.#forgetting(copy, () => this.#run.place(copy).empty());
    await this.#run.with((vault) => vault.adoptCopy(copy));
    return true;
  }

  async remember(): Promise<unknown> {
    const copy = this.#run.pick(this.#run.present());
    if (copy === undefined) return false;
    this.#run.log.push(`${copy} is imaged`);
    await this.#run.place(copy).remember();
    this.#remembered.add(copy);
    return true;
  }

  /** The disk's image of some days ago in its place: it knows nothing of what came since, and has again what was deleted. */
  async putBack(): Promise<unknown> {
    const copy = this.#run.pick([...this.#remembered]);
    if (copy === undefined || this.#run.away.size > 0 || this.#putBack.size > 0) return false;
    this.#run.log.push(`${copy} is put back to its image`);
    await this.#forgetting(copy, () => this.#run.place(copy).putBack());
    // What nobody needs to remember as deleted any more may be there again, until a run marks it anew.
    for (const each of this.#run.model.snapshots) each.isMarked = false;
    this.#putBack.add(copy);
    return true;
  }

  async catchUp(): Promise<unknown> {
    const copy = this.#run.pick(this.#run.present());
    if (copy === undefined || this.#run.away.size > 1) return false;
    this.#run.log.push(`${copy} catches up`);
    await this.#caughtUp(copy);
    return true;
  }

  async killedCatchUp(): Promise<unknown> {
    const copy = this.#run.pick(this.#run.present());
    if (copy === undefined || this.#run.away.size > 1) return false;
    await this.#run.withFault(80, `${copy} catches up`, (vault) => this.#run.catchUp(copy, vault));
    return true;
  }

  // ── Attackers ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** With a writer's credentials on a copy that keeps versions: nothing of it may be missed. Leases protect nothing that is stored. */
  async junk(): Promise<unknown> {
    const copy = this.#run.pick(this.#run.present().filter((each) => this.#run.place(each).cover !== undefined));
    if (copy === undefined) return false;
    const { store, cover } = this.#run.place(copy);
    const keys = (await this.#run.test.keysOn(copy)).filter((key) => !key.startsWith('leases/'));
    for (let count = 0; count < 3; count++) {
      const key = this.#run.pick(keys);
      if (key === undefined) return false;
      const isCovered = this.#run.chance(0.5);
      this.#run.log.push(`${isCovered ? 'a delete marker' : 'junk'} over ${key} on ${copy}`);
      if (isCovered) cover?.(key);
      else await store.put(key, seededBytes(key, 300), { ifAbsent: false });
    }
    return true;
  }

  /** What is not understood may be what names everything else: retention waits until a person looked. */
  async stranger(): Promise<unknown> {
    const copy = this.#run.pick(this.#run.present().filter((each) => !this.#run.strangers.has(each)));
    if (copy === undefined) return false;
    const name = this.#run.pick(STRANGERS) as string;
    const key = `${COMPONENT}/snapshots/${name}`;
    this.#run.log.push(`a stranger ${name} on ${copy}`);
    await this.#run.place(copy).store.put(key, seededBytes(name, 300), { ifAbsent: false });
    this.#run.strangers.set(copy, key);
    return true;
  }

  async clean(): Promise<unknown> {
    const count = this.#run.strangers.size;
    for (const [copy, key] of this.#run.strangers) {
      if (this.#run.away.has(copy)) continue;
      this.#run.log.push(`no stranger on ${copy}`);
      await this.#run.place(copy).store.delete([key]);
      this.#run.strangers.delete(copy);
    }
    return this.#run.strangers.size < count;
  }

  /** Everything comes back and is clean. */
  async calm(): Promise<void> {
    while (this.#run.away.size > 0) await this.comeBack();
    await this.clean();
    if (this.#open !== undefined) await this.longBackup();
  }

  // ── What the steps share ─────────────────────────────────────────────────────────────────────────────────────────────

  #kind(): BackupKind {
    const number = this.#run.nextNumber();
    return {
      number,
      class: this.#run.chance(0.7) ? 'full' : 'short',
      state: this.#run.chance(0.8) ? 'clean' : 'damaged',
    };
  }

  #backup({ number, ...options }: BackupKind, vault: Vault): Promise<SnapshotId> {
    return this.#run.test.backup(number, { ...options, files: filesOf(number), vault });
  }

  #committed(kind: BackupKind, id: SnapshotId): ModelSnapshot {
    return this.#run.model.add({ ...kind, id, to: this.#run.test.clock.now });
  }

  #isRefused(): boolean {
    return this.#run.away.size > 0 || this.#run.strangers.size > 0;
  }

  #applied(applied: PromiseSettledResult<Awaited<ReturnType<Run['test']['apply']>>>, doubt: Doubt): void {
    if (this.#run.away.size > 0) {
      assert.equal(applied.status, 'rejected', 'retention went on without a copy');
      assert.ok(isHoldfastError(applied.reason, 'RETENTION_DOUBT'), String(applied.reason));
      return;
    }
    if (applied.status === 'rejected') throw applied.reason;
    const { swept, marked } = applied.value;
    const refused = [...swept.refused, ...marked.refused].map(({ error }) => error.code);
    assert.deepEqual(refused, this.#run.strangers.size > 0 ? ['RETENTION_DOUBT', 'RETENTION_DOUBT'] : []);
    if (this.#run.strangers.size === 0) this.#run.model.judge(this.#run.test.clock.now, doubt);
  }

  async #caughtUp(copy: CopyName): Promise<void> {
    try {
      await this.#run.with((vault) => this.#run.catchUp(copy, vault));
      this.#putBack.delete(copy);
    } catch (error) {
      // A stranger with the name of a manifest cannot be copied; it is said, and all others are.
      if (this.#run.strangers.size === 0 || !isHoldfastError(error, 'OBJECT_DAMAGED', 'OBJECT_MISSING')) throw error;
    }
  }

  /** A copy loses what it knew; what nobody else has is lost with it. */
  async #forgetting(copy: CopyName, forget: () => Promise<void>): Promise<void> {
    const { model, test } = this.#run;
    await forget();
    const stranger = (await test.keysOn(copy)).find((key) => STRANGERS.some((name) => key.endsWith(name)));
    this.#run.strangers.delete(copy);
    if (stranger !== undefined) this.#run.strangers.set(copy, stranger);
    const left = new Set((await Promise.all(COPIES.map((each) => test.keysOn(each)))).flat());
    const snapshots = new Set([...left].filter((key) => key.startsWith(`${COMPONENT}/snapshots/`)).map(numberOf));
    // An image may also bring back what was lost.
    for (const each of model.snapshots) each.lost = !snapshots.has(each.number);
    for (const id of [...model.holds.keys()]) if (!left.has(`holds/${id}/hold`)) model.holds.delete(id);
  }
}

function inWords({ number, class: name, state }: BackupKind): string {
  return `${number} ${name} ${state}`;
}
