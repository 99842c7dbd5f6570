// The Redis bench without a server: its data is the same for a seed, its goals are marked when missed, and wrong options are refused.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { keyCount, keys } from '../../../bench/corpus/content/keys.ts';
import type { WorkResult } from '../../../bench/lib/taken.ts';
import { judge } from '../../../bench/redis/goals.ts';
import { parseOptions } from '../../../bench/redis/options.ts';
import { renderRedis } from '../../../bench/redis/report.ts';
import type { ContenderResult, RedisResult } from '../../../bench/redis/result.ts';

test('the keys of the bench are the same for a seed, and as many and of as many types as they are said to be', () => {
  const made = (seed: string) => [...keys(seed, 0.0005)];
  const commands = made('1');
  assert.deepEqual(made('1'), commands);
  assert.notDeepEqual(made('2'), commands);
  const names = new Set<string>();
  const verbs = new Set<string>();
  for (const text of commands) {
    const words = text.split('\r\n');
    verbs.add(words[2] as string);
    if (words[2] !== 'SELECT')
      names.add(words[words[2] === 'XGROUP' ? 6 : words[2] === 'XREADGROUP' ? 16 : 4] as string);
  }
  assert.equal(names.size, keyCount(0.0005));
  for (const verb of ['SET', 'HSET', 'RPUSH', 'SADD', 'ZADD', 'XADD', 'PFADD', 'SETBIT'])
    assert.ok(verbs.has(verb), verb);
});

describe('the report', () => {
  test('marks each goal that is missed, and no other, and says who checks nothing', () => {
    const page = renderRedis(
      result(
        contender('holdfast', { wallS: 4, mebibytes: 600 }),
        contender('holdfast_bgsave', { wallS: 6, works: ['capture'] }),
        contender('redis_cli', { wallS: 3 }),
        contender('redis_cli_unchecked', { wallS: 1, isChecked: false }),
        contender('bgsave', { wallS: 5, works: ['capture'] }),
      ),
    );
    for (const line of [
      '| capture: wall time, to redis_cli | 1.33 × | ≤ 1.1 × | **NOT MET** |',
      '| restore to a server that answers: wall time, to redis_cli | 1.33 × | ≤ 1.1 × | **NOT MET** |',
      '| capture: wall time, to bgsave | 0.80 × | ≤ 1.1 × | met |',
      '| holdfast_bgsave, capture: wall time, to bgsave | 1.20 × | ≤ 1.1 × | **NOT MET** |',
      '| capture: peak memory | 600 MiB | ≤ 512 MiB | **NOT MET** |',
      '| holdfast_bgsave, capture: peak memory | 100 MiB | ≤ 512 MiB | met |',
      '| redis_cli | yes | 3.00 (3.00–3.00) | 2.0 (1.0) | 0.5 | 105 | 100.0 | 1.33 × | 2.00 × |',
      '| redis_cli_unchecked | **no** | 1.00 (1.00–1.00) | 2.0 (1.0) | 0.5 | 105 | 100.0 | 4.00 × | 6.00 × |',
      '| read | 3.00 |',
      '| SHA-256 | 25 % |',
      '- **capture: wall time, to redis_cli**: 0.50 of 2 cores busy, SHA-256 25 % of the CPU time, read 3.00 s, start 0.30 s.',
    ]) {
      assert.ok(page.includes(`\n${line}\n`), `${line}\n\n${page}`);
    }
  });

  test('says when the machine was not quiet, and judges no time without a peer to compare with', () => {
    const quiet = result(contender('holdfast', { wallS: 2 }));
    assert.match(renderRedis(quiet), /A quiet run: others used at most 1 %/);
    assert.match(renderRedis({ ...quiet, isNoisy: true }), /\*\*Not a quiet run\*\*/);
    assert.ok(judge(quiet).every(({ unit }) => unit === 'MiB'));
    assert.deepEqual(judge(result(contender('redis_cli', { wallS: 2 }))), []);
  });
});

interface About {
  readonly wallS: number;
  readonly mebibytes?: number;
  readonly isChecked?: boolean;
  readonly works?: readonly ('capture' | 'restore')[];
}

function contender(name: string, about: About): ContenderResult {
  const { wallS, mebibytes = 100, isChecked = true, works = ['capture', 'restore'] } = about;
  const summary = {
    ...{ rounds: 1, wallS, wallSpreadS: [wallS, wallS], cpuS: 2, userS: 1, besideS: 0.5 },
    ...{ peakRssBytes: mebibytes * 2 ** 20, foreignShare: 0.01, setAside: 0 },
  };
  const steps = name === 'holdfast' ? { steps: { start: 300, read: 3000 } } : {};
  const work = {
    command: name,
    summary,
    storedBytes: 100_000_000,
    measurements: [],
    ...steps,
  } as unknown as WorkResult;
  const done = Object.fromEntries(works.map((each) => [each, work]));
  return { name, version: '1', options: 'none', isChecked, works: done };
}

function result(...contenders: ContenderResult[]): RedisResult {
  const machine = { cores: 2, processor: 'p', memoryBytes: 8e9, kernel: 'k', node: 'v24' };
  const corpus = { seed: '1', scale: 1, keys: 1_700_000, memoryBytes: 1e9 };
  const isOwn = contenders.some(({ name }) => name === 'holdfast');
  const capture = { cpuS: 10, parts: [{ name: 'SHA-256', share: 0.25 }] };
  return {
    ...{ bench: 'redis', at: '2026-11-26T07:00:00.000Z', commit: 'abc', machine, version: 'redis 8.0.2', corpus },
    ...{ rounds: 1, isNoisy: false, contenders, profiles: isOwn ? { capture } : {} },
  };
}

describe('the options of the bench', () => {
  test('have defaults', () => {
    const { scale, rounds, contenders, server } = parseOptions([]);
    const expected = {
      scale: 1,
      rounds: 3,
      contenders: ['holdfast', 'holdfast_bgsave', 'redis_cli', 'redis_cli_unchecked', 'bgsave', 'bgsave_unchecked'],
      server: 'redis8',
    };
    assert.deepEqual({ scale, rounds, contenders, server }, expected);
  });

  for (const args of [['--server', 'redis6'], ['--rounds', '0'], ['--growth'], ['more']]) {
    test(`refuse '${args.join(' ')}'`, () => {
      assert.throws(() => parseOptions(args), { code: 'USAGE' });
    });
  }
});
