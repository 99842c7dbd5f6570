// The PostgreSQL bench without a server: what its peers print is read right, lag is what it says, and goals are marked when missed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import { documentColumns, documents } from '../../../bench/corpus/content/documents.ts';
import { inOrder, lagOf } from '../../../bench/postgres/arrivals.ts';
import { parseArrivals } from '../../../bench/postgres/contenders/holdfast.ts';
import { endOfArchived } from '../../../bench/postgres/contenders/pgbackrest.ts';
import { requireSameDigest } from '../../../bench/postgres/digest.ts';
import { judge } from '../../../bench/postgres/goals.ts';
import { readTps } from '../../../bench/postgres/loads.ts';
import { parseOptions } from '../../../bench/postgres/options.ts';
import { renderPostgres } from '../../../bench/postgres/report.ts';
import type { ContenderResult, Load, PostgresResult, WorkResult } from '../../../bench/postgres/result.ts';

describe('the documents of the database', () => {
  test('are the same for a seed, one line of seven columns each, about 3 to 1', () => {
    const lines = (seed: string, count: number) => {
      const next = documents(seed);
      return Array.from({ length: count }, () => next());
    };
    assert.deepEqual(lines('1', 200), lines('1', 200));
    assert.notDeepEqual(lines('1', 2), lines('2', 2));
    const many = lines('1', 4000);
    const columns = documentColumns.split(', ').length;
    for (const line of many) assert.match(line, new RegExp(`^([^\\t\\n\\\\]+\\t){${columns - 1}}[^\\t\\n\\\\]+\\n$`));
    const text = Buffer.from(many.join(''));
    const params = { [constants.ZSTD_c_compressionLevel]: 3 };
    const ratio = text.length / zstdCompressSync(text, { params }).length;
    assert.ok(ratio > 2.2 && ratio < 3.6, `${ratio} to 1`);
  });
});

describe('what became durable when', () => {
  test('is told by the segments in a repository of pgBackRest, and by nothing else in it', () => {
    const digest = 'da39a3ee5e6b4b0d3255bfef95601890afd80709';
    assert.equal(endOfArchived(`000000010000000000000001-${digest}.zst`), 0x2000000n);
    assert.equal(endOfArchived(`0000000200000001000000FF-${digest}.zst`), 0x200000000n);
    for (const name of [
      `000000010000000000000001-${digest}.zst.pgbackrest.tmp`,
      `000000010000000000000001.partial-${digest}.zst`,
      '00000002.history',
      'archive.info',
    ]) {
      assert.equal(endOfArchived(name), undefined, name);
    }
  });

  test("is told by a receiver's lines, of which the last may not be whole", () => {
    assert.deepEqual(parseArrivals('1000.5 0/3000148\n2000 1/0\n3000 1/'), [
      { lsn: 0x3000148n, atMs: 1000.5 },
      { lsn: 0x100000000n, atMs: 2000 },
    ]);
  });

  test('waits for what lies in front of it', () => {
    const arrived = inOrder([
      { lsn: 3n, atMs: 20 },
      { lsn: 1n, atMs: 10 },
      { lsn: 2n, atMs: 50 },
    ]);
    assert.deepEqual(
      arrived.map(({ atMs }) => atMs),
      [10, 50, 50],
    );
  });

  test('gives the lag of commits, without those of which nobody knows', () => {
    const probes = Array.from({ length: 10 }, (_, at) => ({ lsn: BigInt(at), atMs: at * 1000 }));
    const arrivals = [
      { lsn: 4n, atMs: 5000 },
      { lsn: 7n, atMs: 6500 },
    ];
    const lag = lagOf(probes, arrivals);
    assert.deepEqual(lag, { probes: 10, leftOut: 2, p50S: 1.5, p99S: 5, greatestS: 5 });
    assert.equal(lagOf(probes, []), undefined);
  });
});

describe('the answers of other programs', () => {
  const printed = `number of failed transactions: 0 (0.000%)
latency average = 1.2 ms
initial connection time = 9.1 ms
tps = 3123.456789 (without initial connection time)
`;

  test('give the transactions of pgbench, unless some failed or it said nothing', () => {
    assert.equal(readTps(printed), 3123.456789);
    for (const text of [printed.replace('transactions: 0', 'transactions: 3'), 'pgbench: error: connection lost']) {
      assert.throws(() => readTps(text), { code: 'CHECK_FAILED' });
    }
  });

  test('make a restore that lacks a table, or a row, no result', () => {
    const digest = { document: '2 rows, 17', probe: '0 rows, 0' };
    requireSameDigest(digest, { ...digest }, 'somebody');
    for (const wrong of [{ document: '2 rows, 17' }, { ...digest, document: '2 rows, 18' }, { ...digest, more: '' }]) {
      assert.throws(() => requireSameDigest(digest, wrong as typeof digest, 'somebody'), {
        code: 'CHECK_FAILED',
        message: /what somebody restored is not the original/,
      });
    }
  });
});

describe('the report', () => {
  test('marks each goal that is missed, and no other', () => {
    const slow = contender('holdfast', { wallS: 2, megabytes: 90, tps: 900, lagS: 3, kept: 4 });
    const peer = contender('pgbackrest', { wallS: 3, megabytes: 100, tps: 800, lagS: 5, kept: 2 });
    const { loads: _, bursts: _none, works, ...floor } = contender('pg_basebackup', { megabytes: 50 });
    const page = renderPostgres(result(slow, peer, { ...floor, works, loads: [], bursts: [] }));
    for (const line of [
      '| full backup: wall time, to pgbackrest | 0.67 × | ≤ 0.8 × | met |',
      '| incremental backup: wall time, to pgbackrest | 0.67 × | ≤ 0.6 × | **NOT MET** |',
      '| incremental backup: bytes added, to pg_basebackup | 1.80 × | ≤ 1.25 × | **NOT MET** |',
      '| full backup: bytes added, to pgbackrest | 0.90 × | ≤ 1 × | met |',
      '| burst of log: time until durable, to pgbackrest | 1.00 × | ≤ 1 × | met |',
      '| log kept before: time until durable, to pgbackrest | 2.00 × | ≤ 1 × | **NOT MET** |',
      '| lag of the log under pgbench, p99 | 3.00 s | ≤ 2 s | **NOT MET** |',
      "| transactions lost to taking the log, at most pgbackrest's | 10.00 % | ≤ 20 % | met |",
      '| recovery: replay waits for log that is not there | 2.50 % | ≤ 2 % | **NOT MET** |',
      '| full backup: peak memory | 100 MiB | ≤ 512 MiB | met |',
      '| pgbackrest | 3.00 (3.00–3.00) | 2.0 (1.0) | 0.5 | 105 | 100.0 | 0.67 × |',
      '| pgbackrest | 500 | 0.50 | 3.0 | 500 |',
      '| pgbackrest | 800 (800–800) | 20.0 % | 0.40 | 5.00 | 6.00 | 300 (3) |',
      '| starved | 0.05 | 0.05 |',
      '| read | 0.60 | 0.60 |',
      '- **incremental backup: wall time, to pgbackrest**: 1.00 of 2 cores busy; of the CPU time compression 52 %, SHA-256 17 %; by the clock fetch 0.90 s, read 0.60 s.',
      '- **log kept before: time until durable, to pgbackrest**: of the CPU time garbage collection 25 %.',
    ]) {
      assert.ok(page.includes(line), `'${line}' is not in:\n${page}`);
    }
    assert.ok(!page.includes('- **full backup'), 'what is met is not explained');
  });

  test('judges nothing without Holdfast, and no time without a peer', () => {
    assert.deepEqual(judge(result(contender('pgbackrest', {}))), []);
    const alone = judge(result(contender('holdfast', {})));
    assert.deepEqual([...new Set(alone.map(({ unit }) => unit))], ['s', '%', 'MiB']);
  });
});

interface Figures {
  readonly wallS?: number;
  readonly megabytes?: number;
  readonly tps?: number;
  readonly lagS?: number;
  readonly kept?: number;
}

function contender(name: string, figures: Figures): ContenderResult {
  const { wallS = 2, megabytes = 100, tps = 1000, lagS = 1, kept = 2 } = figures;
  const measurement = measured(wallS);
  const summary = {
    rounds: 1,
    wallS,
    wallSpreadS: [wallS, wallS],
    cpuS: 2,
    userS: 1,
    besideS: 0.5,
    foreignShare: 0.01,
    setAside: 0,
  };
  const peakRssBytes = 100 * 2 ** 20;
  const work = {
    ...{ command: name, summary: { ...summary, peakRssBytes }, storedBytes: megabytes * 1e6, waitedS: 0.1 },
    ...{ measurements: [measurement], ...(name === 'holdfast' && { steps: { read: 600, fetch: 900, starved: 50 } }) },
  } as unknown as WorkResult;
  const lag = { probes: 300, leftOut: 3, p50S: 0.4, p99S: lagS, greatestS: lagS + 1 };
  return {
    ...{ name, version: '1', options: 'none' },
    works: { full: work, incremental: work, restore: work, verify: work, decrypt: work, recovery: work },
    bursts: [{ bytes: 1e9, wallS: 2, behindS: 0.5, backlogS: kept, measurement }],
    loads: [{ tps, lag, measurement }],
  };
}

function measured(wallS: number): Load['measurement'] {
  const rest = {
    peakRssBytes: 1e8,
    foreignCpuS: 0.01,
    loadBefore: 0,
    waitedS: 0,
    kernelCpuS: 0,
    besideCpuS: { server: 1 },
    asideCpuS: 0,
  };
  return { wallS, userS: 1, systemS: 1, ...rest };
}

function result(...contenders: ContenderResult[]): PostgresResult {
  const machine = { cores: 2, processor: 'p', memoryBytes: 8e9, kernel: 'k', node: 'v24' };
  const part = (name: string, share: number) => ({ name, share });
  const profiles = {
    full: { cpuS: 2, parts: [part('compression', 0.5)] },
    incremental: { cpuS: 2, parts: [part('compression', 0.52), part('SHA-256', 0.17)] },
    kept: { cpuS: 2, parts: [part('garbage collection', 0.25)] },
  };
  const corpus = { seed: '1', scale: 1, documents: 1_750_000, pgbenchScale: 24, sizeBytes: 2e9 };
  return {
    ...{ bench: 'postgres', at: '2026-11-26T07:00:00.000Z', commit: 'abc', machine, version: '18.6', corpus },
    ...{ rounds: 1, transactions: 20_000, loadS: 15, isNoisy: false, setAside: 0, contenders, profiles },
    unburdened: [{ tps: 1000, measurement: measured(15) }],
  };
}

describe('the options of the bench', () => {
  test('have defaults', () => {
    const { scale, rounds, contenders, major } = parseOptions([]);
    const expected = {
      scale: 1,
      rounds: 3,
      contenders: ['holdfast', 'holdfast_stream', 'pgbackrest', 'pg_basebackup'],
      major: 18,
    };
    assert.deepEqual({ scale, rounds, contenders, major }, expected);
  });

  for (const args of [['--major', '14'], ['--major', 'newest'], ['--growth']]) {
    test(`refuse '${args.join(' ')}'`, () => {
      assert.throws(() => parseOptions(args), { code: 'USAGE' });
    });
  }
});
