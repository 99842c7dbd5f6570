import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Configuration, DatabaseSettings } from '../../../config/index.ts';
import type { Moment } from '../../../src/domain/moment.ts';
import type { RunStatus } from '../../../src/domain/operations.ts';
import type { ProofLevel } from '../../../src/domain/states.ts';
import { componentStatus } from '../../../src/host/component-status.ts';
import type { SnapshotId, SnapshotProof } from '../../../src/vault/index.ts';
import { snapshotId } from '../../support/vault.ts';

const database = {
  id: 'database/main',
  name: 'main',
  host: 'db1',
  objective: {},
  backup: {},
} as unknown as DatabaseSettings;
const configuration = { database: { main: database }, vault: { commit: { copies: 1, offsite: 0 } }, timezone: 'UTC' };

function proof(snapshot: SnapshotId, level: ProofLevel, at: string): SnapshotProof {
  return { snapshot, component: 'database/main', copy: 'eu', level, state: 'good', at: at as Moment, run: 'verify-1' };
}

function restored(snapshot: SnapshotId, endedAt: string): RunStatus {
  const data = { restore: {}, plan: { base: { snapshot } } };
  const run = { run: 'restore-1', operation: 'restoreDatabase', component: 'database/main', state: 'completed' };
  return { ...run, endedAt, startedAt: endedAt, steps: [], message: '', data } as unknown as RunStatus;
}

function provenBy(history: readonly RunStatus[], proofs: readonly SnapshotProof[]) {
  const facts = { snapshots: [], windows: [], conditions: [], now: new Date('2026-11-25T00:00:00Z') };
  return componentStatus({
    ...facts,
    configuration: configuration as unknown as Configuration,
    database,
    history,
    proofs,
  }).proven;
}

describe('what a component is proven by', () => {
  const [a, b] = [snapshotId(1), snapshotId(2)];

  it('is nothing when nobody looked', () => {
    assert.equal(provenBy([], []), undefined);
  });

  it('is the deepest look of a verification, and of two as deep the later one', () => {
    const proofs = [
      proof(a, 'decrypted', '2026-11-20T00:00:00.000000Z'),
      proof(b, 'decrypted', '2026-11-21T00:00:00.000000Z'),
      proof(snapshotId(3), 'attested', '2026-11-22T00:00:00.000000Z'),
    ];
    assert.deepEqual(provenBy([], proofs), { level: 'decrypted', at: '2026-11-21T00:00:00.000000Z', snapshot: b });
  });

  it('is a real restore before any verification', () => {
    const proven = provenBy(
      [restored(a, '2026-11-01T00:00:00.000Z')],
      [proof(b, 'decrypted', '2026-11-21T00:00:00.000000Z')],
    );
    assert.deepEqual([proven?.level, proven?.snapshot], ['queried', a]);
  });
});
