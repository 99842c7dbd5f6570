// Vaults whose days pass as a test says: snapshots and log of a day, runs of retention, what every copy holds.

import { createHash } from 'node:crypto';
import { lsnFrom, type SegmentName, segmentNameAt } from '../../src/domain/lsn.ts';
import type { Moment } from '../../src/domain/moment.ts';
import { addSeconds, type RetentionRules } from '../../src/domain/retention.ts';
import type { MarkReport, SweepReport } from '../../src/domain/retention-report.ts';
import type { Store } from '../../src/stores/store.ts';
import type { LogHeader, RetentionRequest, SnapshotId, SnapshotWriter, Vault } from '../../src/vault/index.ts';
import { ClockedStore, TestClock } from './clocked-store.ts';
import {
  COMPONENT,
  type Files,
  inPieces,
  request,
  seededBytes,
  type TestVault,
  type TestVaultOptions,
  testVault,
} from './vault.ts';

export const DAY = 86_400;
export const SYSTEM = '7432198765432109876';
export const SEGMENT_BYTES = 1024 * 1024;
const START = '2026-01-01T02:00:00.000000Z' as Moment;

export interface RetentionVault extends TestVault {
  readonly clock: TestClock;
  /** Lets so many days pass. */
  pass(days: number): void;
  /** A small snapshot of now; its number names it. */
  backup(number: number, options?: BackupOptions): Promise<SnapshotId>;
  request(changes?: Partial<RetentionRequest>): RetentionRequest;
  /** Both phases, as one run. */
  apply(changes?: Partial<RetentionRequest>, vault?: Vault): Promise<{ swept: SweepReport; marked: MarkReport }>;
  keysOn(copy: string, prefix?: string): Promise<string[]>;
  /** Numbers of the snapshots whose manifest a copy has. */
  numbersOn(copy: string): Promise<number[]>;
}

export interface BackupOptions {
  readonly class?: string;
  readonly state?: 'clean' | 'damaged';
  readonly vault?: Vault;
  /** Its files; default one of 1,500 bytes, named by its number. */
  readonly files?: Files;
  /** Segments of the log that it needs: from and up to, not including. Without them it is a snapshot that needs none. */
  readonly log?: readonly [from: number, to: number];
  readonly timeline?: number;
}

export interface RetentionVaultOptions extends Pick<TestVaultOptions, 'store' | 'changes' | 'policy'> {
  readonly copies?: readonly string[];
  readonly rules?: Readonly<Record<string, RetentionRules>>;
  readonly wrap?: (store: Store) => Store;
  /** Default seven days. */
  readonly graceSeconds?: number;
}

export async function retentionVault(setup: RetentionVaultOptions = {}): Promise<RetentionVault> {
  const clock = new TestClock(START);
  const wrap = (store: Store) => new ClockedStore(setup.wrap ? setup.wrap(store) : store, clock);
  const { copies = ['local', 'eu'], store, changes: options, policy } = setup;
  const given = { ...(store && { store }), ...(options && { changes: options }), ...(policy && { policy }) };
  const test = await testVault({ copies, wrap, ...given });
  let runs = 0;
  const rules = setup.rules ?? { full: { ageSeconds: 30 * DAY } };
  const stores = test.options.copies;
  const makeRequest = (changes: Partial<RetentionRequest> = {}): RetentionRequest => ({
    run: `retention-${(++runs).toString(16).padStart(8, '0')}`,
    by: 'test',
    policies: [{ component: COMPONENT, rules, logWindowSeconds: DAY }],
    timezone: 'UTC',
    graceSeconds: setup.graceSeconds ?? 7 * DAY,
    maximum: { share: 1, snapshots: 1000 },
    proofs: {},
    passing: [],
    now: () => clock.now,
    ...changes,
  });
  const keysOn = async (copy: string, prefix = '') => {
    const store = stores.find(({ description }) => description.name === copy)?.store;
    const keys: string[] = [];
    for await (const { key } of store?.list(prefix) ?? []) keys.push(key);
    return keys;
  };
  return {
    ...test,
    clock,
    pass: (days) => {
      clock.now = addSeconds(clock.now, days * DAY);
    },
    backup: (number, options) => takeBackup(options?.vault ?? test.vault, clock.now, number, options),
    request: makeRequest,
    async apply(changes = {}, vault = test.vault) {
      const asked = makeRequest(changes);
      return { swept: await vault.retention.sweep(asked), marked: await vault.retention.mark(asked) };
    },
    keysOn,
    numbersOn: async (copy) =>
      (await keysOn(copy, `${COMPONENT}/snapshots/`)).map((key) => Number.parseInt(key.slice(-8), 16)),
  };
}

export function idAt(now: Moment, number: number): SnapshotId {
  const compact = `${now.slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
  return `${compact}-${number.toString(16).padStart(8, '0')}` as SnapshotId;
}

export async function takeBackup(
  vault: Vault,
  now: Moment,
  number: number,
  options: BackupOptions = {},
): Promise<SnapshotId> {
  const { id, writer } = await openBackup(vault, now, number, options);
  const { timeline = 1, log } = options;
  try {
    const engine = log === undefined ? {} : snapshotEngine(log, timeline);
    await writer.commit({ to: now, state: options.state ?? 'clean', engine });
    return id;
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

/** A backup with everything read and nothing committed. */
export async function openBackup(
  vault: Vault,
  now: Moment,
  number: number,
  options: BackupOptions = {},
): Promise<{ id: SnapshotId; writer: SnapshotWriter }> {
  const id = idAt(now, number);
  const kind = options.log === undefined ? 'files' : 'physical';
  const writer = await vault.writeSnapshot(request(number, { id, from: now, kind, class: options.class ?? 'full' }));
  try {
    const files = options.files ?? { [`base/${number}`]: seededBytes(`snapshot ${number}`, 1500) };
    for (const [path, bytes] of Object.entries(files)) {
      await writer.addFile({ path, mode: 0o600, mtimeSeconds: 0, chunking: 'pages' }, inPieces(bytes));
    }
    return { id, writer };
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

/** What a physical snapshot says of the log that it needs. */
export function snapshotEngine(log: readonly [from: number, to: number], timeline = 1) {
  return { systemId: SYSTEM, timeline, startLsn: at(log[0], 40), stopLsn: at(log[1] - 1, 80) };
}

const at = (segment: number, offset: number) => lsnFrom(BigInt(segment * SEGMENT_BYTES + offset));

/** A closed segment whose last commit was at `time`. */
export async function putSegment(
  vault: Vault,
  copy: string,
  segment: number,
  time: Moment,
  timeline = 1,
): Promise<void> {
  const bytes = Buffer.alloc(SEGMENT_BYTES, segment % 250);
  const [fromLsn, toLsn] = [at(segment, 0), at(segment + 1, 0)];
  const point = { lsn: at(segment, 100), time };
  const header: LogHeader = {
    ...{ timeline, segmentSizeBytes: SEGMENT_BYTES, fromLsn, toLsn, first: point, last: point, maxTime: time },
    sha256: createHash('sha256').update(bytes).digest('hex'),
    restorePoints: [],
  };
  await vault.log(COMPONENT, SYSTEM, copy).putSegment(header, bytes);
}

export function segmentOf(segment: number, timeline = 1): SegmentName {
  return segmentNameAt(timeline, at(segment, 0), SEGMENT_BYTES);
}

/** Rules that keep every snapshot for a day. */
export const oneDay = { full: { ageSeconds: DAY } };

/** Snapshots 1 and 2 a day apart in one generation, 3 in the next; more than the length of a generation later. */
export async function threeSnapshots(test: RetentionVault): Promise<void> {
  await test.backup(1);
  test.pass(1);
  await test.backup(2);
  test.pass(10);
  await test.backup(3);
  test.pass(3);
}

/** How many generations of the component a copy has anything of. */
export async function generationsOn(test: RetentionVault, copy: string): Promise<number> {
  const keys = await test.keysOn(copy, `${COMPONENT}/generations/`);
  return new Set(keys.map((key) => key.split('/')[3])).size;
}
