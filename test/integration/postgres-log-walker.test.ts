// The walker against pg_waldump on log that real servers wrote: same positions, transactions, times, same last record.

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { lsnFrom, lsnValue, parseLsn, parseSegmentName, segmentStart } from '../../src/domain/lsn.ts';
import { momentFromPostgresMicros } from '../../src/domain/moment.ts';
import { createWalWalker, describeLog, verifyRecord, type WalEvent } from '../../src/postgres/wal/index.ts';
import { run, tryRun } from '../../src/process/index.ts';
import { type ScratchPostgres, startScratchPostgres } from '../support/scratch-postgres.ts';

const segmentSizeBytes = 1024 * 1024;

const statements = `
create table plain (id int primary key, note text);
begin; insert into plain values (1); savepoint a; insert into plain values (2); rollback to a; insert into plain values (3); commit;
begin; insert into plain values (10); rollback;
begin; insert into plain values (11); savepoint b; insert into plain values (12); release b; prepare transaction 'first';
begin; create table doomed as select generate_series(1, 100) n; prepare transaction 'second';
commit prepared 'first';
rollback prepared 'second';
create table later as select generate_series(1, 100) n; analyze later;
begin; drop table later; prepare transaction 'third';
commit prepared 'third';
select pg_create_restore_point('before the storm');
select pg_switch_wal();
insert into plain select n, repeat('x', 500) from generate_series(1000, 4000) n;
select pg_logical_emit_message(true, 'big', repeat('y', 3000000));
select pg_switch_wal();
select pg_create_restore_point('ünïcode');
checkpoint;
`;

async function work(server: ScratchPostgres): Promise<void> {
  const psql = server.bin('psql');
  const options = { env: server.environment, deadlineMs: 300_000 };
  await run(server.bin('pgbench'), ['-i', '-s', '1', '-q'], options);
  await run(psql, ['-X', '-q', '-v', 'ON_ERROR_STOP=1'], { ...options, input: statements });
  await run(server.bin('pgbench'), ['-c', '4', '-j', '2', '-t', '300', '-n'], options);
  await run(psql, ['-X', '-q'], { ...options, input: `begin;${subtransactions(300)}commit;` });
}

/** More than fit into one record of assignments, so that the commit is long. */
function subtransactions(count: number): string {
  return Array.from({ length: count }, (_, n) => `savepoint s${n}; insert into plain values (${100_000 + n});`).join(
    '',
  );
}

interface Log {
  readonly start: bigint;
  readonly bytes: Buffer;
  readonly files: readonly string[];
}

async function readLog(server: ScratchPostgres): Promise<Log> {
  const directory = path.join(server.dataDirectory, 'pg_wal');
  const files = (await readdir(directory)).filter((name) => /^[0-9A-F]{24}$/.test(name)).sort();
  const parts = await Promise.all(files.map((name) => readFile(path.join(directory, name))));
  const { segment } = parseSegmentName(files[0]!, segmentSizeBytes);
  return { start: lsnValue(segmentStart(segment, segmentSizeBytes)), bytes: Buffer.concat(parts), files };
}

interface Dumped {
  readonly lsn: string;
  readonly manager: string;
  readonly xid: number;
  readonly description: string;
}

async function dump(server: ScratchPostgres, log: Log): Promise<Dumped[]> {
  const directory = path.join(server.dataDirectory, 'pg_wal');
  // It ends with an error where the log ends: that is how it says so.
  const result = await tryRun(server.bin('pg_waldump'), ['-p', directory, log.files[0]!, log.files.at(-1)!], {
    env: { TZ: 'UTC' },
    maxStdoutBytes: 1 << 30,
  });
  return result.stdout
    .split('\n')
    .map((line) => /^rmgr: (\S+) .* tx: +(\d+), lsn: (\S+), prev \S+, desc: (.*)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, manager, xid, lsn, description]) => ({
      manager: manager!,
      xid: Number(xid),
      lsn: parseLsn(lsn!),
      description: description!,
    }));
}

function transactionsOf(records: readonly Dumped[]): string[] {
  return records.flatMap(({ manager, xid, lsn, description }) => {
    const match = /^(COMMIT|ABORT)(_PREPARED)? (?:(\d+): )?(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))? UTC/.exec(
      description,
    );
    if (manager !== 'Transaction' || match === null) return [];
    const [, verb, prepared, preparedXid, date, time, fraction = ''] = match;
    const kind = `${verb!.toLowerCase()}${prepared ? ' prepared' : ''}`;
    return [`${lsn} ${kind} ${preparedXid ?? xid} ${date}T${time}.${fraction.padEnd(6, '0')}Z`];
  });
}

function walk(
  log: Log,
  cut: (rest: number) => number,
): { events: WalEvent[]; walker: ReturnType<typeof createWalWalker> } {
  const events: WalEvent[] = [];
  const startLsn = lsnFrom(log.start);
  const walker = createWalWalker({
    startLsn,
    segmentSizeBytes,
    timelineHint: 1,
    onEvent: (event) => events.push(event),
  });
  for (let at = 0; at < log.bytes.length; ) {
    const size = cut(log.bytes.length - at);
    walker.feed(log.bytes.subarray(at, at + size));
    at += size;
  }
  return { events, walker };
}

function asText(events: readonly WalEvent[]): string[] {
  return events.flatMap((event) =>
    event.type === 'transaction'
      ? [`${lsnFrom(event.lsn)} ${event.kind} ${event.xid} ${momentFromPostgresMicros(event.timeMicros)}`]
      : [],
  );
}

for (const major of [15, 17, 18]) {
  describe(`log of PostgreSQL ${major}`, () => {
    const cleanups: (() => Promise<void>)[] = [];
    let server: ScratchPostgres;
    let log: Log;
    let dumped: Dumped[];
    before(async () => {
      server = await startScratchPostgres(
        { after: (f: () => Promise<void>) => cleanups.push(f) } as unknown as TestContext,
        {
          major,
          initdb: ['--wal-segsize=1'],
          settings: { max_prepared_transactions: 10, wal_keep_size: '2GB', max_wal_size: '4GB', autovacuum: 'off' },
        },
      );
      await work(server);
      await server.stop();
      log = await readLog(server);
      dumped = await dump(server, log);
      assert.ok(dumped.length > 5_000, `pg_waldump gave ${dumped.length} records`);
    });
    after(async () => {
      for (const cleanup of cleanups) await cleanup();
    });

    test('every transaction end has the position, kind, transaction and time that pg_waldump gives', () => {
      const { events, walker } = walk(log, (rest) => Math.min(rest, 131_072));
      assert.deepEqual(asText(events), transactionsOf(dumped));
      assert.ok(asText(events).some((line) => line.includes('abort prepared')));
      assert.equal(walker.major, major);
      assert.equal(walker.ended, true);
    });

    test('the last record is the one at which pg_waldump stops', () => {
      const { walker } = walk(log, (rest) => rest);
      assert.equal(walker.lastRecord?.lsn, dumped.at(-1)?.lsn);
      assert.deepEqual(dumped.at(-1)?.manager, 'XLOG');
    });

    test('the same events come however the bytes are cut', () => {
      const whole = walk(log, (rest) => rest);
      let seed = 20_261_123;
      const random = (rest: number) => {
        seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
        return Math.min(rest, 1 + (seed % (seed % 7 === 0 ? 90_000 : 61)));
      };
      assert.deepEqual(walk(log, random).events, whole.events);
      assert.deepEqual(walk(log, () => 1).events, whole.events);
    });

    test('restore points, checkpoints and switches are told with their names and positions', () => {
      const { events } = walk(log, (rest) => rest);
      const names = events.flatMap((event) => (event.type === 'restore point' ? [event.name] : []));
      assert.deepEqual(names, ['before the storm', 'ünïcode']);
      const of = (kind: RegExp) =>
        dumped.filter(({ manager, description }) => manager === 'XLOG' && kind.test(description)).map(({ lsn }) => lsn);
      const seen = (type: WalEvent['type']) => events.filter((e) => e.type === type).map((e) => lsnFrom(e.lsn));
      assert.deepEqual(seen('restore point'), of(/^RESTORE_POINT/));
      assert.deepEqual(seen('checkpoint'), of(/^CHECKPOINT_(ONLINE|SHUTDOWN)/));
      assert.deepEqual(seen('switch'), of(/^SWITCH/));
      const switched = events.find((event) => event.type === 'switch');
      assert.equal(switched!.endLsn % BigInt(segmentSizeBytes), 0n);
    });

    test('walking from any segment on gives the rest of the events, also from the middle of a record', () => {
      const whole = walk(log, (rest) => rest);
      for (let skip = segmentSizeBytes; skip < log.bytes.length; skip += segmentSizeBytes) {
        const start = log.start + BigInt(skip);
        const rest = walk({ ...log, start, bytes: log.bytes.subarray(skip) }, (n) => n);
        assert.deepEqual(
          rest.events,
          whole.events.filter((event) => event.lsn >= start),
        );
      }
    });

    test('a record is proved by its own checksum, and a flipped bit is found', () => {
      const { events } = walk(log, (rest) => rest);
      const run = { startLsn: lsnFrom(log.start), bytes: log.bytes, segmentSizeBytes };
      for (const event of events) assert.equal(verifyRecord(run, lsnFrom(event.lsn)).endLsn, lsnFrom(event.endLsn));
      const victim = events.filter((event) => event.type === 'transaction')[5]!;
      const bytes = Buffer.from(log.bytes);
      const at = Number(victim.lsn - log.start) + 30;
      bytes[at] = bytes[at]! ^ 0x10;
      assert.throws(() => verifyRecord({ ...run, bytes }, lsnFrom(victim.lsn)), { code: 'OBJECT_DAMAGED' });
    });

    test('log that does not follow, or is of another cluster or page, is refused', () => {
      const pageAt = segmentSizeBytes + 8192 * 3;
      const swapped = Buffer.from(log.bytes);
      log.bytes.copy(swapped, pageAt, pageAt + 8192, pageAt + 16_384);
      assert.throws(() => walk({ ...log, bytes: swapped }, (n) => n), { code: 'OBJECT_DAMAGED' });
      const gap = Buffer.concat([log.bytes.subarray(0, segmentSizeBytes), log.bytes.subarray(segmentSizeBytes * 2)]);
      assert.throws(() => walk({ ...log, bytes: gap }, (n) => n), { code: 'OBJECT_DAMAGED' });
    });

    test('the facts of a stretch are those of the records that start in it', () => {
      const { events } = walk(log, (rest) => rest);
      const all = events.filter((e) => e.type === 'transaction');
      const [from, to] = [all[30]!.lsn, all[200]!.endLsn];
      const facts = describeLog({
        startLsn: lsnFrom(log.start),
        segmentSizeBytes,
        timeline: 1,
        bytes: log.bytes,
        fromLsn: lsnFrom(from),
        toLsn: lsnFrom(to),
      });
      const ends = all.filter((e) => e.lsn < to);
      const inside = ends.filter((e) => e.lsn >= from);
      assert.equal(inside.length, 171);
      assert.equal(facts.first?.lsn, lsnFrom(inside[0]!.lsn));
      assert.equal(facts.last?.lsn, lsnFrom(inside.at(-1)!.lsn));
      const max = ends.map((e) => e.timeMicros).reduce((a, b) => (a > b ? a : b));
      assert.equal(facts.maxTime, momentFromPostgresMicros(max));
    });
  });
}
