// An estate whose days pass in a second: small data that changes every six hours, snapshots of two classes, log, retention, and what must be left of it.

import assert from 'node:assert/strict';
import type { Moment } from '../../src/domain/moment.ts';
import { addSeconds } from '../../src/domain/retention.ts';
import type { SnapshotId, Vault } from '../../src/vault/index.ts';
import { DAY, idAt, putSegment, SEGMENT_BYTES, SYSTEM, segmentOf, snapshotEngine } from './retention.ts';
import { COMPONENT, type Files, inPieces, readFiles, request, seededBytes } from './vault.ts';

const FILES = 12;
const FILE_BYTES = 65_536;
const CHANGED_AT_ONCE = 2;
export const QUARTER = DAY / 4;
/** Plain bytes of the data at any time, and what changes in a day. */
export const DATA_BYTES = FILES * FILE_BYTES;
export const CHANGED_A_DAY = 4 * CHANGED_AT_ONCE * FILE_BYTES;

export interface Taken {
  readonly id: SnapshotId;
  readonly class: 'full' | 'incremental';
  readonly to: Moment;
  /** Number of its log segment. */
  readonly segment: number;
  readonly versions: readonly number[];
}

/** What a day has: one full snapshot, then three that lean on it, each with its piece of log. */
export class LongEstate {
  readonly taken: Taken[] = [];
  readonly #versions = new Array<number>(FILES).fill(0);

  /** One snapshot of now, after some files changed; its log is put on `copies` before. */
  async quarter(vault: Vault, now: Moment, copies: readonly string[]): Promise<Taken> {
    const segment = this.taken.length;
    for (let each = 0; each < CHANGED_AT_ONCE; each++) {
      const changed = (segment * CHANGED_AT_ONCE + each) % FILES;
      this.#versions[changed] = segment + 1;
    }
    const name = segment % 4 === 0 ? 'full' : 'incremental';
    const taken: Taken = { id: idAt(now, segment), class: name, to: now, segment, versions: [...this.#versions] };
    for (const copy of copies) await putSegment(vault, copy, segment, now);
    await take(vault, taken);
    this.taken.push(taken);
    return taken;
  }
}

async function take(vault: Vault, taken: Taken): Promise<void> {
  const { id, class: name, to, segment } = taken;
  const longerLived = name === 'incremental' ? ['full'] : [];
  const writer = await vault.writeSnapshot(request(segment, { id, from: to, class: name, longerLived }));
  try {
    for (const [path, bytes] of Object.entries(filesOf(taken))) {
      await writer.addFile({ path, mode: 0o600, mtimeSeconds: 0, chunking: 'pages' }, inPieces(bytes));
    }
    await writer.commit({ to, state: 'clean', engine: snapshotEngine([segment, segment + 1]) });
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

/** Plain content by path, in the order of `versions`. */
export function filesOf({ versions }: Taken): Files {
  return Object.fromEntries(
    versions.map((version, file) => [`base/${file}`, seededBytes(`file ${file} of ${version}`, FILE_BYTES)]),
  );
}

/** Every file of a snapshot and its log, byte for byte, from a vault that knows one copy only. */
export async function requireRestorable(alone: Vault, copy: string, taken: Taken): Promise<void> {
  const reader = await alone.openSnapshot(taken.id, copy);
  try {
    const [read, expected] = [await readFiles(reader), filesOf(taken)];
    assert.deepEqual(Object.keys(read), Object.keys(expected));
    for (const [path, bytes] of Object.entries(expected)) assert.ok(read[path]?.equals(bytes), `${taken.id} ${path}`);
  } finally {
    reader.close();
  }
  const log = alone.log(COMPONENT, SYSTEM, copy);
  const { objects } = await log.list({ timeline: 1, fromSegment: segmentOf(taken.segment) });
  const own = objects.find(({ segment }) => segment === segmentOf(taken.segment));
  assert.ok(own, `${copy} has no log of ${taken.id}`);
  assert.ok((await log.read(own)).bytes.equals(Buffer.alloc(SEGMENT_BYTES, taken.segment % 250)));
}

/** By age alone, counted here and not by the code under test. */
export function isYoungEnough(
  { class: name, to }: Taken,
  now: Moment,
  days: Readonly<Record<string, number>>,
): boolean {
  return addSeconds(to, (days[name] ?? 0) * DAY) > now;
}
