// Fault sweep over the vault: every store call of a backup, a catch-up and the shipping of log fails once; nothing half done passes for done.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after as afterAll, describe, it } from 'node:test';
import { lsnFrom, parseLsn, type SegmentName } from '../../src/domain/lsn.ts';
import { FileStore } from '../../src/stores/file-store.ts';
import { S3Store } from '../../src/stores/s3-store.ts';
import type { Store } from '../../src/stores/store.ts';
import type { LogHeader, Vault } from '../../src/vault/index.ts';
import { testS3, wholeFile } from '../support/components.ts';
import { type FaultKind, FaultPlan, FaultyStore } from '../support/faulty-store.ts';
import {
  COMPONENT,
  type Files,
  readFiles,
  seededBytes,
  snapshotId,
  takeSnapshot,
  testVault,
} from '../support/vault.ts';

const isFull = process.env.HOLDFAST_SWEEP === 'full';
const KINDS: readonly FaultKind[] = ['refused', 'answer lost'];

const before: Files = { 'base/1': seededBytes('one', 200_000), PG_VERSION: Buffer.from('17\n') };
const after: Files = { ...before, 'base/2': seededBytes('two', 150_000) };

interface Sweep {
  readonly title: string;
  readonly policy: { copies: number; offsite: number };
  /** Brings the vault to where the attempt starts. */
  prepare(vault: Vault, lose: (copy: string, prefix: string) => Promise<void>): Promise<void>;
  attempt(vault: Vault): Promise<void>;
  /** What must hold after a re-run without faults. */
  verify(vault: Vault): Promise<void>;
  /** What must hold right after an attempt that said it succeeded. */
  verifySuccess(vault: Vault): Promise<void>;
}

async function wholeOn(vault: Vault, number: number, copy: string, files: Files): Promise<void> {
  assert.deepEqual(await readFiles(await vault.openSnapshot(snapshotId(number), copy)), files);
}

async function presentOn(vault: Vault, number: number): Promise<string[]> {
  const snapshot = (await vault.listSnapshots()).find(({ id }) => id === snapshotId(number));
  return Object.entries(snapshot?.copies ?? {}).flatMap(([copy, state]) => (state === 'present' ? [copy] : []));
}

const SYSTEM = '7432198765432109876';
const SEGMENT_BYTES = 1024 * 1024;
const log = seededBytes('log', SEGMENT_BYTES);

function logHeader(from: number, to: number): LogHeader {
  const start = 3n * BigInt(SEGMENT_BYTES);
  const sha256 = createHash('sha256').update(log.subarray(from, to)).digest('hex');
  const [fromLsn, toLsn] = [lsnFrom(start + BigInt(from)), lsnFrom(start + BigInt(to))];
  return { timeline: 1, segmentSizeBytes: SEGMENT_BYTES, fromLsn, toLsn, sha256, restorePoints: [] };
}

const sweeps: Sweep[] = [
  {
    title: 'a backup that needs both copies',
    policy: { copies: 2, offsite: 1 },
    prepare: async (vault) => void (await takeSnapshot(vault, before, 1)),
    attempt: async (vault) => void (await takeSnapshot(vault, after, 2)),
    verifySuccess: async (vault) => assert.deepEqual(await presentOn(vault, 2), ['local', 'eu']),
    verify: async (vault) => {
      for (const copy of ['local', 'eu']) await wholeOn(vault, 2, copy, after);
    },
  },
  {
    title: 'a first backup that needs one copy of two, then catch-up',
    policy: { copies: 1, offsite: 0 },
    prepare: async () => {},
    attempt: async (vault) => void (await takeSnapshot(vault, after, 2)),
    verifySuccess: async (vault) => assert.notDeepEqual(await presentOn(vault, 2), []),
    verify: async (vault) => {
      for (const copy of ['local', 'eu']) await vault.catchUp(copy);
      for (const copy of ['local', 'eu']) await wholeOn(vault, 2, copy, after);
    },
  },
  {
    title: 'a catch-up of a copy that lost everything but its name',
    policy: { copies: 1, offsite: 0 },
    prepare: async (vault, lose) => {
      await takeSnapshot(vault, before, 1);
      await takeSnapshot(vault, after, 2);
      await vault.log(COMPONENT, SYSTEM, 'local').putSegment(logHeader(0, SEGMENT_BYTES), log);
      await vault.putRecord('backup-1', 'end', { state: 'completed' });
      for (const prefix of ['database/', 'runs/']) await lose('eu', prefix);
    },
    attempt: async (vault) => void (await vault.catchUp('eu')),
    verifySuccess: async (vault) => assert.deepEqual(await presentOn(vault, 2), ['local', 'eu']),
    verify: async (vault) => {
      await wholeOn(vault, 1, 'eu', before);
      await wholeOn(vault, 2, 'eu', after);
      const eu = vault.log(COMPONENT, SYSTEM, 'eu');
      const [object] = (await eu.list()).objects;
      assert.ok(object && (await eu.read(object)).bytes.equals(log));
      assert.deepEqual(await vault.getRecord('backup-1', 'end'), { state: 'completed' });
    },
  },
  {
    title: 'a restore of files from two copies, then a verification',
    policy: { copies: 2, offsite: 1 },
    prepare: async (vault) => void (await takeSnapshot(vault, after, 2)),
    attempt: async (vault) => {
      const directory = await mkdtemp(join(tmpdir(), 'holdfast-sweep-'));
      try {
        const reader = await vault.openSnapshot(snapshotId(2));
        const entries = [];
        for await (const entry of reader.entries()) if (entry.type === 'file') entries.push({ entry });
        await reader.restoreFiles(entries, { directory });
        for (const [path, bytes] of Object.entries(after))
          assert.ok((await readFile(join(directory, path))).equals(bytes));
        reader.close();
        const found = await vault.verify({ component: COMPONENT, level: 'decrypted', run: 'verify-1' });
        assert.ok(found.state === 'good' || found.state === 'not checked', found.state);
      } finally {
        await rm(directory, { recursive: true });
      }
    },
    verifySuccess: async () => {},
    verify: async (vault) => {
      const found = await vault.verify({ component: COMPONENT, level: 'decrypted', run: 'verify-2' });
      assert.equal(found.state, 'good');
    },
  },
  {
    title: 'a repair of a copy that lost key, packs and index',
    policy: { copies: 2, offsite: 1 },
    prepare: async (vault, lose) => {
      await takeSnapshot(vault, after, 2);
      await lose('eu', `${COMPONENT}/generations/`);
    },
    attempt: async (vault) => {
      const { unrepaired } = await vault.repair({ copy: 'eu', run: 'repair-1' });
      if (unrepaired[0]) throw new Error(unrepaired[0].error.message);
    },
    verifySuccess: async (vault) => wholeOn(vault, 2, 'eu', after),
    verify: async (vault) => {
      const found = await vault.verify({ component: COMPONENT, level: 'decrypted', run: 'verify-1' });
      assert.equal(found.state, 'good');
    },
  },
  {
    title: 'log: extents, a mark, the closed segment, extents dropped',
    policy: { copies: 1, offsite: 0 },
    prepare: async () => {},
    attempt: async (vault) => {
      const copy = vault.log(COMPONENT, SYSTEM, 'local');
      await copy.putExtent(logHeader(0, 1000), log.subarray(0, 1000));
      await copy.putExtent(logHeader(1000, 5000), log.subarray(1000, 5000));
      const time = '2026-11-23T06:00:00.000000Z' as never;
      await copy.putMark(1, { time, lsn: parseLsn('0/300100') });
      await copy.putSegment(logHeader(0, SEGMENT_BYTES), log);
      await copy.dropExtents('000000010000000000000003' as SegmentName);
    },
    verifySuccess: async () => {},
    verify: async (vault) => {
      const copy = vault.log(COMPONENT, SYSTEM, 'local');
      const { objects, mark } = await copy.list();
      assert.deepEqual(
        objects.map(({ kind }) => kind),
        ['segment'],
      );
      assert.equal(mark?.lsn, '0/300100');
      assert.ok(objects[0] && (await copy.read(objects[0])).bytes.equals(log));
    },
  },
];

/** Where a sweep's copies lie. `small` visits some points, for the ordinary run; `full` all of them. */
interface Medium {
  readonly title: string;
  readonly stride: number;
  open(name: string, directory: string): Promise<Store>;
}

const { region, endpoint, accessKeyId, secretAccessKey } = await testS3(wholeFile, { buckets: ['sweep'] });
const credentials = async () => ({ accessKeyId, secretAccessKey });
const buckets: S3Store[] = [];
afterAll(() => Promise.all(buckets.map((store) => store.close())));

const media: readonly Medium[] = [
  { title: 'directories', stride: isFull ? 1 : 5, open: async (name, directory) => new FileStore(name, directory) },
  {
    title: 'buckets',
    stride: isFull ? 1 : 12,
    open: async (name) => {
      const prefix = `${name}-${randomBytes(6).toString('hex')}`;
      const store = new S3Store(name, { bucket: 'sweep', region, endpoint, credentials, prefix });
      buckets.push(store);
      return store;
    },
  },
];

/** One point: prepare, fail at call `point`, look, run again without faults, look. Gives whether the point was reached. */
async function visit(sweep: Sweep, medium: Medium, point: number, kind: FaultKind): Promise<boolean> {
  const plan = new FaultPlan();
  const stores = new Map<string, Store>();
  const store = async (name: string, directory: string) => {
    stores.set(name, await medium.open(name, directory));
    return stores.get(name) as Store;
  };
  const wrap = (wrapped: Store) => new FaultyStore(wrapped, plan);
  await using test = await testVault({ copies: ['local', 'eu'], policy: sweep.policy, store, wrap });
  await sweep.prepare(test.vault, async (copy, prefix) => {
    const keys: string[] = [];
    for await (const { key } of (stores.get(copy) as Store).list(prefix)) keys.push(key);
    await (stores.get(copy) as Store).delete(keys);
  });
  const vault = await test.reopen();
  plan.set(point, kind);
  const error = await sweep.attempt(vault).then(
    () => undefined,
    (reason: Error) => reason,
  );
  const failed = plan.failed;
  plan.set(undefined);
  const where = `call ${point}, ${failed}, ended ${error === undefined ? 'well' : `with ${error.message}`}`;
  try {
    const fresh = await test.reopen();
    // Whatever was committed, by this attempt or before, is whole wherever a manifest says so.
    for (const { id, copies } of await fresh.listSnapshots()) {
      for (const [copy, state] of Object.entries(copies)) {
        if (state === 'present') await readFiles(await fresh.openSnapshot(id, copy));
      }
    }
    if (error === undefined) await sweep.verifySuccess(fresh);
    await sweep.attempt(fresh);
    await sweep.verify(fresh);
  } catch (cause) {
    throw new Error(`after ${where}`, { cause });
  }
  return failed !== undefined;
}

for (const medium of media) {
  describe(`fault sweep of the vault on ${medium.title}`, () => {
    for (const sweep of sweeps) {
      it(`${sweep.title}: fails loudly or commits, and a second run converges`, async (t) => {
        let visited = 0;
        for (const kind of KINDS) {
          for (let point = 1; await visit(sweep, medium, point, kind); point += medium.stride) visited++;
        }
        t.diagnostic(`${visited} points visited`);
        assert.ok(visited > 10 / medium.stride);
      });
    }
  });
}
