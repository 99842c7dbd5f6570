// The log archive of one copy: segments, extents, marks and histories, what repeats and what is an alarm.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type Lsn, lsnFrom, lsnValue, parseLsn, type SegmentName } from '../../../src/domain/lsn.ts';
import type { Moment } from '../../../src/domain/moment.ts';
import { FileStore } from '../../../src/stores/file-store.ts';
import type { LogHeader } from '../../../src/vault/index.ts';
import { COMPONENT, seededBytes, testVault } from '../../support/vault.ts';

const SEGMENT_BYTES = 1024 * 1024;
const SYSTEM = '7432198765432109876';
const segment = '000000010000000000000003' as SegmentName;
const start = parseLsn('0/300000');
const bytes = seededBytes('log', SEGMENT_BYTES);

function header(from: Lsn, log: Buffer, changes: Partial<LogHeader> = {}): LogHeader {
  return {
    timeline: 1,
    segmentSizeBytes: SEGMENT_BYTES,
    fromLsn: from,
    toLsn: lsnFrom(lsnValue(from) + BigInt(log.length)),
    sha256: createHash('sha256').update(log).digest('hex'),
    restorePoints: [],
    ...changes,
  };
}

const at = (offset: number) => lsnFrom(lsnValue(start) + BigInt(offset));
const extent = (from: number, to: number) =>
  [header(at(from), bytes.subarray(from, to)), bytes.subarray(from, to)] as const;

describe('log copy', () => {
  it('keeps closed segments with their header, and takes the same one again', async () => {
    await using test = await testVault();
    const log = test.vault.log(COMPONENT, SYSTEM, 'local');
    const point = { lsn: at(100), time: '2026-11-23T06:00:00.000001Z' as Moment };
    const full = header(start, bytes, {
      first: point,
      last: point,
      maxTime: point.time,
      restorePoints: [{ name: 'before', lsn: at(8), endLsn: at(80), time: point.time }],
    });
    await log.putSegment(full, bytes);
    await log.putSegment(full, bytes);
    await log.putHistory(2, '1\t0/300100\tno recovery target specified\n');
    await log.putHistory(2, '1\t0/300100\tno recovery target specified\n');
    const listing = await log.list();
    assert.equal(listing.systemId, SYSTEM);
    assert.deepEqual(listing.histories, [2]);
    assert.deepEqual(
      listing.objects.map(({ kind, segment, fromLsn, toLsn }) => ({ kind, segment, fromLsn, toLsn })),
      [{ kind: 'segment', segment, fromLsn: '0/300000', toLsn: '0/400000' }],
    );
    const [object] = listing.objects;
    assert.ok(object);
    assert.deepEqual(await log.readHeader(object), full);
    assert.deepEqual(await log.read(object), { header: full, bytes });
    assert.match(await log.readHistory(2), /no recovery target/);
    assert.deepEqual(await test.vault.logSystems(COMPONENT), [SYSTEM]);
  });

  it('raises an alarm for other log under the same name', async () => {
    await using test = await testVault();
    const log = test.vault.log(COMPONENT, SYSTEM, 'local');
    await log.putSegment(header(start, bytes), bytes);
    const other = seededBytes('other', SEGMENT_BYTES);
    await assert.rejects(log.putSegment(header(start, other), other), { code: 'OBJECT_EXISTS' });
    await log.putHistory(2, 'one');
    await assert.rejects(log.putHistory(2, 'two'), { code: 'OBJECT_EXISTS' });
  });

  it('stores nothing where no vault is, and says nothing of what is there', async () => {
    await using test = await testVault({ copies: ['local', 'eu'] });
    // As after a start while the disk is not mounted.
    await rename(test.path('eu'), join(test.directory, 'unmounted'));
    await mkdir(test.path('eu'));
    const copies = test.options.copies.map(({ description }) => {
      return { description, store: new FileStore(description.name, test.path(description.name)) };
    });
    const vault = await test.reopen({ copies });
    const log = vault.log(COMPONENT, SYSTEM, 'eu');
    const mark = { lsn: at(50), time: '2026-11-23T06:00:00.000000Z' as Moment };
    for (const call of [
      () => log.putSegment(header(start, bytes), bytes),
      () => log.putExtent(...extent(0, 100)),
      () => log.putMark(1, mark),
      () => log.putHistory(2, 'text'),
      () => log.list(),
      () => log.named(),
    ]) {
      await assert.rejects(call, { code: 'VAULT_MISSING' });
    }
    assert.deepEqual(await readdir(test.path('eu')), []);
    await vault.log(COMPONENT, SYSTEM, 'local').putSegment(header(start, bytes), bytes);
    await vault.adoptCopy('eu');
    await log.putSegment(header(start, bytes), bytes);
    assert.equal((await log.list()).objects.length, 1);
  });

  it('refuses log that does not fit its header before storing it', async () => {
    await using test = await testVault();
    const log = test.vault.log(COMPONENT, SYSTEM, 'local');
    await assert.rejects(log.putSegment(header(start, bytes), bytes.subarray(1)), { code: 'INTERNAL' });
    await assert.rejects(log.putSegment(header(at(8), bytes.subarray(8)), bytes.subarray(8)), { code: 'INTERNAL' });
    await assert.rejects(log.putExtent(header(at(8), bytes), bytes), { code: 'INTERNAL' });
    assert.deepEqual((await log.list()).objects, []);
  });

  it('drops extents only when the closed segment is there, good, and holds their bytes', async () => {
    await using test = await testVault();
    const log = test.vault.log(COMPONENT, SYSTEM, 'local');
    await log.putExtent(...extent(0, 1000));
    await log.putExtent(...extent(1000, 5000));
    await log.putExtent(...extent(1000, 5000));
    await assert.rejects(log.dropExtents(segment), { code: 'OBJECT_MISSING' });
    assert.equal((await log.list()).objects.length, 2);
    await log.putSegment(header(start, bytes), bytes);
    await log.dropExtents(segment);
    await log.dropExtents(segment);
    assert.deepEqual(
      (await log.list()).objects.map(({ kind }) => kind),
      ['segment'],
    );
  });

  it('seals a whole segment in a thread, a short piece at once, and stores what was sealed', async () => {
    await using test = await testVault();
    const log = test.vault.log(COMPONENT, SYSTEM, 'local');
    const { sha256: _, ...facts } = header(start, bytes);
    const shared = Buffer.from(new SharedArrayBuffer(2 * SEGMENT_BYTES), 0, SEGMENT_BYTES);
    bytes.copy(shared);
    const pieces = await Promise.all([bytes, shared].map((plain) => log.seal('segment', facts, plain)));
    const { sha256: _short, ...short } = header(at(0), bytes.subarray(0, 1000));
    await log.put(await log.seal('extent', short, bytes.subarray(0, 1000)));
    // The same log, sealed twice: another salt, and no alarm.
    for (const piece of pieces) await log.put(piece);
    assert.notDeepEqual(pieces[0]?.sealed, pieces[1]?.sealed);
    const { objects } = await log.list();
    assert.deepEqual(
      objects.map(({ kind }) => kind),
      ['segment', 'extent'],
    );
    for (const object of objects) {
      const end = object.kind === 'segment' ? SEGMENT_BYTES : 1000;
      assert.deepEqual(await log.read(object), {
        header: header(start, bytes.subarray(0, end)),
        bytes: bytes.subarray(0, end),
      });
    }
    const other = seededBytes('other', SEGMENT_BYTES);
    await assert.rejects(log.put(await log.seal('segment', facts, other)), { code: 'OBJECT_EXISTS' });
    await assert.rejects(log.seal('segment', facts, bytes.subarray(1)), { code: 'INTERNAL' });
  });

  it('drops extents of a segment that was just put only when the store holds it', async () => {
    await using test = await testVault();
    const log = test.vault.log(COMPONENT, SYSTEM, 'local');
    const { sha256: _, ...facts } = header(start, bytes);
    const [first, second] = [await log.seal('segment', facts, bytes), await log.seal('segment', facts, bytes)];
    const kinds = async () => (await log.list()).objects.map(({ kind }) => kind);
    await log.putExtent(...extent(0, 1000));
    await log.put(first);
    // What lies there is sealed otherwise: it is opened, and is as good.
    await log.dropExtents(segment, second);
    assert.deepEqual(await kinds(), ['segment']);
    await log.putExtent(...extent(0, 1000));
    const [object] = (await log.list()).objects;
    const file = join(test.path('local'), object?.key ?? '');
    const there = await readFile(file);
    await writeFile(file, Buffer.from(there).fill(1, there.length - 1));
    await assert.rejects(log.dropExtents(segment, first), { code: 'OBJECT_DAMAGED' });
    await rm(file);
    await assert.rejects(log.dropExtents(segment, first), { code: 'OBJECT_MISSING' });
    assert.deepEqual(await kinds(), ['extent']);
    await writeFile(file, there);
    await log.dropExtents(segment, first);
    assert.deepEqual(await kinds(), ['segment']);
    // One whose bytes are not those of the closed segment stays, and is an alarm.
    const other = seededBytes('other', 100);
    await log.putExtent(header(at(0), other), other);
    await assert.rejects(log.dropExtents(segment, first), { code: 'OBJECT_EXISTS' });
  });

  it('keeps every extent when one has other bytes than the closed segment', async () => {
    await using test = await testVault();
    const log = test.vault.log(COMPONENT, SYSTEM, 'local');
    const other = seededBytes('other', 100);
    await log.putExtent(...extent(100, 5000));
    await log.putExtent(header(at(0), other), other);
    await log.putSegment(header(start, bytes), bytes);
    await assert.rejects(log.dropExtents(segment), { code: 'OBJECT_EXISTS' });
    assert.equal((await log.list()).objects.length, 3);
  });

  it('keeps extents past the end of a timeline that was left early', async () => {
    await using test = await testVault();
    const log = test.vault.log(COMPONENT, SYSTEM, 'local');
    await log.putExtent(...extent(0, 1000));
    await log.putExtent(...extent(1000, 3000));
    await log.putSegment(header(start, bytes.subarray(0, 2000)), bytes.subarray(0, 2000));
    await log.dropExtents(segment);
    assert.deepEqual(
      (await log.list()).objects.map(({ kind, fromLsn }) => `${kind} ${fromLsn}`),
      ['segment 0/300000', `extent ${at(1000)}`],
    );
  });

  it('replaces older marks of the timeline by a newer one', async () => {
    await using test = await testVault();
    const log = test.vault.log(COMPONENT, SYSTEM, 'local');
    const mark = (second: number) => ({ time: `2026-11-23T06:00:0${second}.000000Z` as Moment, lsn: at(second) });
    for (const second of [1, 2, 3]) await log.putMark(1, mark(second));
    await log.putMark(2, mark(9));
    await log.putMark(1, mark(3));
    assert.deepEqual((await log.list({ timeline: 1 })).mark, mark(3));
    assert.deepEqual((await log.list()).mark, mark(9));
    const keys = [];
    for await (const { key } of (
      test.options.copies[0] as { store: (typeof test.options.copies)[0]['store'] }
    ).store.list('database/'))
      keys.push(key);
    assert.equal(keys.length, 2);
  });

  it('lists from a segment on, in one timeline or in all', async () => {
    await using test = await testVault();
    const log = test.vault.log(COMPONENT, SYSTEM, 'local');
    for (const [timeline, number] of [
      [1, 3],
      [1, 4],
      [2, 4],
      [2, 5],
    ] as const) {
      const from = lsnFrom(BigInt(number) * BigInt(SEGMENT_BYTES));
      await log.putSegment(header(from, bytes, { timeline }), bytes);
    }
    const names = async (options: Parameters<typeof log.list>[0]) =>
      (await log.list(options)).objects.map((object) => `${object.timeline}/${object.segment.slice(-1)}`);
    assert.deepEqual(await names({}), ['1/3', '1/4', '2/4', '2/5']);
    assert.deepEqual(await names({ timeline: 2 }), ['2/4', '2/5']);
    assert.deepEqual(await names({ fromSegment: '000000010000000000000004' as SegmentName }), ['1/4', '2/4', '2/5']);
  });
});
