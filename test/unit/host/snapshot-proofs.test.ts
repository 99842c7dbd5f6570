// Retention reads few records of runs, and finds the same newest proven snapshot as if it had read them all.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ComponentId } from '../../../src/domain/component.ts';
import type { RunStatus } from '../../../src/domain/operations.ts';
import { type ProofLevel, proofLevels } from '../../../src/domain/states.ts';
import { proofOf } from '../../../src/host/component-status.ts';
import { provenSnapshots, type Records } from '../../../src/host/snapshot-proofs.ts';
import { seeded } from '../../support/seeded.ts';

const component: ComponentId = 'database/main';
const FIRST_MS = Date.parse('2026-01-01T02:00:00Z');
const DAY_MS = 86_400_000;

const idOn = (day: number) =>
  `${new Date(FIRST_MS + day * DAY_MS).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z-${day.toString(16).padStart(8, '0')}`;

/** An estate by its records, one snapshot a day, of which the first ones may be gone. */
class Past {
  readonly records = new Map<string, { status: RunStatus; storedAt: Date }>();
  readonly proofs: Record<string, { level: ProofLevel }> = {};
  reads = 0;
  readonly #days: number;
  readonly #kept: number;

  constructor(days: number, kept = days) {
    this.#days = days;
    this.#kept = kept;
  }

  get ids(): string[] {
    return Array.from({ length: this.#kept }, (_, index) => idOn(this.#days - this.#kept + index));
  }

  backup(day: number, copy: 'good' | 'not checked' = 'good'): void {
    const data = { snapshot: { id: idOn(day) }, verified: { level: 'listed', copies: { eu: copy } } };
    this.#end(`backup-${idOn(day).slice(-8)}`, 'backupDatabase', day, data);
  }

  restore(run: number, day: number, ofDay: number, state = 'completed'): void {
    const data = { restore: {}, plan: { base: { snapshot: idOn(ofDay) } } };
    this.#end(`restore-${run.toString(16).padStart(8, '0')}`, 'restoreDatabase', day, data, state);
  }

  #end(run: string, operation: string, day: number, data: object, state = 'completed'): void {
    const storedAt = new Date(FIRST_MS + day * DAY_MS + DAY_MS / 2);
    const status = { run, operation, component, state, data, startedAt: storedAt.toISOString() };
    const endedAt = storedAt.toISOString();
    this.records.set(run, { status: { ...status, endedAt } as unknown as RunStatus, storedAt });
  }

  async asked(): Promise<Record<string, ProofLevel>> {
    const names = this.ids.map((id, index) => `${String(index + 1).padStart(8, '0')}.${id}`);
    const vault = {
      heads: async () => new Map([['eu', new Map([[component, { head: undefined, names }]])]]),
      newestProofs: async () => this.proofs as never,
      getRecord: async (run: string) => {
        this.reads += 1;
        return this.records.get(run)?.status ?? assert.fail(run);
      },
    };
    const records: Records = [...this.records].map(([run, { storedAt }]) => ({ run, name: 'result', storedAt }));
    return await provenSnapshots(vault, [component], records);
  }

  /** By every record that there is. */
  all(): Record<string, ProofLevel> {
    const proofs = Object.fromEntries(Object.entries(this.proofs).map(([id, { level }]) => [id, level]));
    for (const { status } of this.records.values()) {
      const proof = proofOf(status);
      if (proof && rank(proof.level) > rank(proofs[proof.snapshot])) proofs[proof.snapshot] = proof.level;
    }
    return proofs;
  }
}

const rank = (level: ProofLevel | undefined) => (level === undefined ? -1 : proofLevels.indexOf(level));

/** As retention decides it: the newest that was restored; where none was, the newest of those of which most is known. */
function newestProven(ids: readonly string[], proofs: Record<string, ProofLevel>): string | undefined {
  const enough = Math.min(rank('restored'), Math.max(...ids.map((id) => rank(proofs[id]))));
  return enough < 0 ? undefined : ids.toReversed().find((id) => rank(proofs[id]) >= enough);
}

it('reads one backup and the restores since the newest restored snapshot, of thousands of runs', async () => {
  const days = 3_000;
  const past = new Past(days);
  for (let day = 0; day < days; day++) past.backup(day);
  for (let day = 1; day < days; day += 7) past.restore(day, day, day - 1);
  assert.equal(newestProven(past.ids, await past.asked()), newestProven(past.ids, past.all()));
  assert.ok(past.reads <= 3, `${past.reads}`);
});

it('finds what all records together say, whatever was restored, failed, verified or expired', async (t) => {
  const seed = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000);
  t.diagnostic(`seed ${seed}`);
  const random = seeded(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  for (let round = 0; round < 300; round++) {
    const days = 1 + below(20);
    const past = new Past(days, 1 + below(days));
    for (let day = 0; day < days; day++) {
      if (random() < 0.8) past.backup(day, random() < 0.6 ? 'good' : 'not checked');
      if (random() < 0.2)
        past.restore(1000 * round + day, day, below(day + 1), random() < 0.7 ? 'completed' : 'failed');
      if (random() < 0.1) past.proofs[idOn(day)] = { level: proofLevels[below(4)] as ProofLevel };
    }
    const expected = newestProven(past.ids, past.all());
    assert.equal(newestProven(past.ids, await past.asked()), expected, `round ${round}`);
  }
});

it('does not take a record that cannot be read for one that shows nothing', async () => {
  const past = new Past(3);
  past.backup(2);
  past.records.set('backup-00000002', { status: undefined as never, storedAt: new Date(FIRST_MS) });
  await assert.rejects(past.asked());
});
