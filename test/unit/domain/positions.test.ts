// Log positions, segments, timelines and components: read strictly, computed exactly past 32 bits.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { componentId, parseComponentId } from '../../../src/domain/component.ts';
import { slotName } from '../../../src/domain/ids.ts';
import {
  compareLsn,
  lsnDistance,
  lsnFrom,
  lsnValue,
  maxLsn,
  parseLsn,
  parseSegmentName,
  segmentName,
  segmentNameAt,
  segmentNumber,
  segmentStart,
} from '../../../src/domain/lsn.ts';
import { historyFileName, isOnPath, parseTimelineHistory, timelineOf } from '../../../src/domain/timeline.ts';
import { type ErrorCode, isHoldfastError } from '../../../src/errors/index.ts';

const refuses = (code: ErrorCode, call: () => unknown) => assert.throws(call, (error) => isHoldfastError(error, code));
const MIB = 1024 * 1024;

describe('a log position', () => {
  test('is written one way, however it was typed', () => {
    assert.equal(parseLsn(' 16/b374d848 '), '16/B374D848');
    assert.equal(parseLsn('00000000/00000028'), '0/28');
    assert.equal(parseLsn('FFFFFFFF/FFFFFFFF'), 'FFFFFFFF/FFFFFFFF');
  });

  test('is refused when it is not one', () => {
    for (const text of ['', '0', '0/', '/0', '0/G', '0/1/2', '1FFFFFFFF/0', '0x1/2', '-1/0']) {
      refuses('MOMENT_INVALID', () => parseLsn(text));
    }
  });

  test('is compared as a number, not as a text', () => {
    const [a, b] = [parseLsn('9/FFFFFFFF'), parseLsn('A/0')];
    assert.ok(compareLsn(a, b) < 0 && compareLsn(b, a) > 0 && compareLsn(a, a) === 0);
    assert.equal(maxLsn(a, b), b);
    assert.equal(lsnDistance(a, b), 1);
    assert.equal(lsnFrom(lsnValue(a) + 1n), b);
  });
});

describe('a segment', () => {
  test('has the name that the server gives it, for every size', () => {
    assert.equal(segmentNameAt(1, parseLsn('0/16B3748'), 16 * MIB), '000000010000000000000001');
    assert.equal(segmentNameAt(0x1a, parseLsn('2/FF000000'), 16 * MIB), '0000001A00000002000000FF');
    assert.equal(segmentNameAt(1, parseLsn('1/40000000'), 1024 * MIB), '000000010000000100000001');
    assert.equal(segmentNameAt(1, parseLsn('0/FFF00000'), MIB), '000000010000000000000FFF');
  });

  test('is found again from its name', () => {
    for (const size of [MIB, 16 * MIB, 1024 * MIB]) {
      const segment = segmentNumber(parseLsn('1C/7FABCDEF'), size);
      assert.deepEqual(parseSegmentName(segmentName(7, segment, size), size), { timeline: 7, segment });
      assert.ok(compareLsn(segmentStart(segment, size), parseLsn('1C/7FABCDEF')) <= 0);
      assert.ok(compareLsn(segmentStart(segment + 1n, size), parseLsn('1C/7FABCDEF')) > 0);
    }
    refuses('INTERNAL', () => parseSegmentName('00000001000000000000000g', MIB));
  });
});

describe('a timeline history', () => {
  const text =
    '1\t0/5000000\tno recovery target specified\n\n# a comment\n2\t0/9000028\tbefore 2026-11-23 05:59:59+00\n';
  const history = parseTimelineHistory(4, text);

  test('is read with its reasons', () => {
    assert.deepEqual(
      history.ancestors.map(({ timeline, switchLsn }) => [timeline, switchLsn]),
      [
        [1, '0/5000000'],
        [2, '0/9000028'],
      ],
    );
    assert.equal(history.ancestors[1]?.reason, 'before 2026-11-23 05:59:59+00');
    assert.equal(historyFileName(26), '0000001A.history');
  });

  test('tells which timeline holds a byte, exactly at the switch', () => {
    assert.equal(timelineOf(history, parseLsn('0/4FFFFFF')), 1);
    assert.equal(timelineOf(history, parseLsn('0/5000000')), 2);
    assert.equal(timelineOf(history, parseLsn('0/9000028')), 4);
  });

  test('tells whether a backup lies on the way', () => {
    assert.ok(isOnPath(history, 1, parseLsn('0/5000000')));
    assert.ok(!isOnPath(history, 1, parseLsn('0/5000001')));
    assert.ok(!isOnPath(history, 3, parseLsn('0/1000000')));
    assert.ok(isOnPath(history, 4, parseLsn('F/0')));
  });

  test('is refused when it runs backwards or holds something else', () => {
    for (const bad of ['2\t0/5\tx\n1\t0/6\tx\n', '1\t0/6\tx\n2\t0/5\tx\n', '4\t0/5\tx\n', '1 0/5G x\n', 'garbage\n']) {
      refuses('OBJECT_DAMAGED', () => parseTimelineHistory(4, bad));
    }
  });
});

describe('names', () => {
  test('a component is kind and name, nothing else', () => {
    assert.deepEqual(parseComponentId('database/main-2'), { kind: 'database', name: 'main-2' });
    assert.equal(componentId('redis', 'cache'), 'redis/cache');
    for (const text of [
      'main',
      'database/',
      'database/Main',
      'database/a/b',
      'databases/a',
      'database/../x',
      `database/${'a'.repeat(64)}`,
    ]) {
      refuses('UNKNOWN_COMPONENT', () => parseComponentId(text));
    }
  });

  test('a slot has a name that PostgreSQL takes', () => {
    assert.equal(slotName('acme', 'main-2'), 'holdfast_acme_main_2');
    assert.match(slotName('a'.repeat(63), 'b'.repeat(63)), /^[a-z0-9_]{63}$/);
  });
});
