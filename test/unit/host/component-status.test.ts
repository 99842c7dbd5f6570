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
  kind: 'database',
  id: 'database/main',
  name: 'main',
  host: 'db1',
  objective: {},
  backup: {},
  reading: { way: 'auto' },
} as unknown as DatabaseSettings;
const configuration = {
  database: { main: database },
  vault: { commit: { copies: 1, offsite: 0 }, copies: {} },
  sites: { home: {}, dr: {} },
  hosts: { db1: { site: 'home' } },
  timezone: 'UTC',
};

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
    settings: database,
    history,
    looks: { snapshots: proofs.toSorted((a, b) => (a.at < b.at ? 1 : -1)), whole: [] },
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

describe('what a verification found of a copy', () => {
  const at = '2026-11-20T00:00:00.000000Z' as Moment;
  const from = '2026-11-24T02:00:00.000000Z' as Moment;

  function statusOf(state: 'good' | 'damaged', policy: number, changes: Partial<Configuration> = {}) {
    const copies = { eu: 'present', us: 'present' };
    const snapshot = {
      id: snapshotId(1),
      kind: 'physical',
      from,
      to: from,
      state: 'clean',
      engine: {},
      copies,
      statistics: {},
    };
    const looks = ['eu', 'us'].map((copy) => ({
      copy,
      level: 'hashed' as const,
      at,
      state: copy === 'eu' ? state : 'good',
    }));
    const vault = { commit: { copies: policy, offsite: 0 }, copies: {} };
    return componentStatus({
      configuration: { ...configuration, vault, ...changes } as unknown as Configuration,
      settings: { ...database, log: { withinSeconds: 900, synchronous: false } },
      snapshots: [snapshot as never],
      windows: [],
      conditions: [
        { name: 'eu', state: 'ready' },
        { name: 'us', state: 'ready' },
      ],
      history: [],
      looks: { snapshots: looks.map((look) => ({ ...look, snapshot: snapshotId(1) }) as never), whole: looks },
      now: new Date('2026-11-25T00:00:00Z'),
    });
  }

  it('is nothing to tell when it is good', () => {
    const { state, findings, copies } = statusOf('good', 2);
    assert.deepEqual([state, findings], ['ok', []]);
    assert.deepEqual(
      copies.map(({ verified }) => verified?.state),
      ['good', 'good'],
    );
  });

  it('is a warning with the way to mend it, while enough other copies are whole', () => {
    const { state, findings } = statusOf('damaged', 1);
    assert.equal(state, 'ok');
    assert.equal(findings[0]?.severity, 'warning');
    assert.equal(findings[0]?.message, 'copy eu: damaged when it was last read (2026-11-20T00:00:00Z)');
    assert.match(findings[0]?.hint ?? '', /holdfast copies repair eu/);
  });

  it('makes the component late when too few others are whole: damaged is not a copy', () => {
    const { state, findings } = statusOf('damaged', 2);
    assert.equal(state, 'late');
    assert.match(findings[0]?.message ?? '', /^only 1 copy is complete .*, the policy asks for 2/);
    assert.match(findings[1]?.message ?? '', /^copy eu: damaged/);
  });

  it('is told as too long ago only where the configuration promised that it happens', () => {
    const verify = { schedule: 'daily 05:00', level: 'hashed', withinDays: 3, timeSeconds: 60 } as const;
    assert.deepEqual(
      statusOf('good', 2, { verify }).findings.map(({ severity, message }) => `${severity} ${message}`),
      ['eu', 'us'].map((copy) => `warning copy ${copy}: verified longer ago than 3 days (2026-11-20T00:00:00Z)`),
    );
  });
});

describe('what would be lost with each disaster', () => {
  const now = new Date('2026-11-25T12:00:00Z');
  const [fresh, old] = ['2026-11-25T11:59:57.000000Z', '2026-11-25T11:00:00.000000Z'];

  function statusOf(ends: Readonly<Record<string, string>>, copies: object, sites: object = { home: {}, dr: {} }) {
    return componentStatus({
      configuration: {
        ...configuration,
        sites,
        vault: { commit: { copies: 1, offsite: 0 }, copies },
      } as unknown as Configuration,
      settings: { ...database, log: { withinSeconds: 900, synchronous: false }, objective: { rpoSeconds: 900 } },
      snapshots: [],
      windows: Object.entries(ends).map(([copy, to]) => ({ copy, to, from: to, holes: [] }) as never),
      conditions: [],
      history: [],
      looks: { snapshots: [], whole: [] },
      now,
    });
  }
  const messages = (status: ReturnType<typeof statusOf>) =>
    status.findings
      .filter(({ message }) => /^with the/.test(message))
      .map(({ severity, message }) => [severity, message]);

  const local = { site: 'home', file: '/backup' };
  const eu = { site: 'home', s3: {}, account: 'aws' };
  const us = { site: 'dr', s3: {}, account: 'aws' };

  it('counts for each one only the copies that survive it', () => {
    const { rpo } = statusOf({ local: fresh, eu: fresh, us: old }, { local, eu, us });
    assert.equal(rpo.nowSeconds, 3);
    assert.deepEqual(rpo.disasters, [
      { kind: 'host', lost: 'db1', database: 'lost', survivors: ['eu', 'us'], nowSeconds: 3 },
      { kind: 'site', lost: 'home', database: 'lost', survivors: ['us'], nowSeconds: 3600 },
      { kind: 'account', lost: 'aws', database: 'survives', survivors: ['local'] },
    ]);
  });

  it('warns when a site would cost more than was promised, and names the copies that lag', () => {
    const status = statusOf({ local: fresh, eu: fresh, us: old }, { local, eu, us });
    assert.deepEqual(messages(status), [
      ['warning', "with the site 'home' 1 h of changes would be lost now, more than 15min"],
    ]);
    assert.match(status.findings.find(({ message }) => /^with the/.test(message))?.hint ?? '', /why us lags/);
  });

  it('says that everything would be lost where no copy is at another site, or in another account', () => {
    const sites = { home: { account: 'aws' }, dr: { account: 'aws' } };
    const status = statusOf({ local: fresh, eu: fresh }, { local, eu }, sites);
    assert.deepEqual(messages(status), [
      ['hint', "with the site 'home' everything would be lost"],
      ['hint', "with the account 'aws' everything would be lost"],
    ]);
  });

  it('takes a survivor that says nothing of its log for one that has nothing', () => {
    const status = statusOf({ local: fresh, eu: fresh }, { local, eu, us });
    assert.deepEqual(messages(status), [
      ['warning', "with the site 'home' everything may be lost: us says nothing of the log"],
    ]);
  });
});
