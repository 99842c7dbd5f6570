// Schedules, durations and targets as people type them, and what is nearest to a slip of the finger.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { closest } from '../../../src/domain/closest.ts';
import { describeSeconds, parseDuration, writeDuration } from '../../../src/domain/duration.ts';
import { parseSchedule, previousOccurrenceMs, schedulePeriodSeconds } from '../../../src/domain/schedule.ts';
import { parseTarget } from '../../../src/domain/target.ts';
import { isHoldfastError } from '../../../src/errors/index.ts';

const refuses = (call: () => unknown) => assert.throws(call, (error) => isHoldfastError(error, 'MOMENT_INVALID'));

describe('a duration', () => {
  test('has a unit and comes back as it was written', () => {
    for (const [text, seconds] of [
      ['30s', 30],
      ['15min', 900],
      ['6h', 21_600],
      ['90d', 7_776_000],
    ] as const) {
      assert.equal(parseDuration(text), seconds);
      assert.equal(writeDuration(seconds), text);
    }
    assert.equal(writeDuration(86_401), '86401s');
  });

  test('is refused without a unit, with two, or out of range', () => {
    for (const text of ['15', '15m', '1.5h', '-1h', '0s', '1h30min', '15 min', '', '999999999d'])
      refuses(() => parseDuration(text));
  });

  test('is told in at most two units', () => {
    const told = [0.25, 3, 59, 61, 840, 3600, 14_340, 187_200, 8_640_000].map(describeSeconds);
    assert.deepEqual(told, ['0.3 s', '3 s', '59 s', '1 min 1 s', '14 min', '1 h', '3 h 59 min', '2 d 4 h', '100 d']);
  });
});

describe('a schedule', () => {
  test('is a time of day, of a week, or an interval', () => {
    assert.deepEqual(parseSchedule('daily 02:00'), { type: 'calendar', hour: 2, minute: 0 });
    assert.deepEqual(parseSchedule('weekly Sunday 23:59'), {
      type: 'calendar',
      hour: 23,
      minute: 59,
      weekday: 'sunday',
    });
    assert.deepEqual(parseSchedule('every 6h'), { type: 'interval', everySeconds: 21_600 });
    assert.equal(schedulePeriodSeconds(parseSchedule('weekly monday 00:00')), 604_800);
    assert.equal(schedulePeriodSeconds(parseSchedule('daily 00:00')), 86_400);
    assert.equal(schedulePeriodSeconds(parseSchedule('every 5min')), 300);
  });

  test('is refused when it is anything else', () => {
    for (const text of [
      'daily 2:00',
      'daily 24:00',
      'daily 02:60',
      'daily',
      '02:00',
      'every',
      'every 30s',
      'every day',
      'weekly someday 02:00',
      'hourly',
      '0 2 * * *',
      'daily 13am',
    ]) {
      refuses(() => parseSchedule(text));
    }
  });

  const previous = (schedule: string, zone: string, now: string) =>
    new Date(previousOccurrenceMs(parseSchedule(schedule), zone, Date.parse(now))).toISOString();

  test('knows when it wanted to run last', () => {
    assert.equal(previous('daily 02:00', 'UTC', '2026-11-23T01:59:59Z'), '2026-11-22T02:00:00.000Z');
    assert.equal(previous('daily 02:00', 'UTC', '2026-11-23T02:00:00Z'), '2026-11-23T02:00:00.000Z');
    assert.equal(previous('daily 00:30', 'Europe/Berlin', '2026-11-23T00:00:00Z'), '2026-11-22T23:30:00.000Z');
    assert.equal(previous('weekly sunday 03:00', 'UTC', '2026-11-22T02:00:00Z'), '2026-11-15T03:00:00.000Z');
    assert.equal(previous('every 6h', 'Asia/Tokyo', '2026-11-23T13:00:00Z'), '2026-11-23T12:00:00.000Z');
  });

  test('steps over a time that a change of clocks skipped, and takes the later of two', () => {
    assert.equal(previous('daily 02:30', 'Europe/Berlin', '2026-03-29T12:00:00Z'), '2026-03-28T01:30:00.000Z');
    assert.equal(previous('daily 02:30', 'Europe/Berlin', '2026-10-25T12:00:00Z'), '2026-10-25T01:30:00.000Z');
    assert.equal(previous('daily 02:30', 'Europe/Berlin', '2026-10-25T01:00:00Z'), '2026-10-25T00:30:00.000Z');
    assert.equal(previous('weekly sunday 02:30', 'Europe/Berlin', '2026-03-29T12:00:00Z'), '2026-03-22T01:30:00.000Z');
  });
});

describe('a target', () => {
  test('is read in each of its six forms', () => {
    assert.deepEqual(parseTarget('2026-11-23 06:00', 'Europe/Berlin'), {
      type: 'time',
      moment: '2026-11-23T05:00:00.000000Z',
    });
    assert.deepEqual(parseTarget('lsn:0/3000148', 'UTC'), { type: 'lsn', lsn: '0/3000148' });
    assert.deepEqual(parseTarget('xid:00742', 'UTC'), { type: 'xid', xid: '742' });
    assert.deepEqual(parseTarget('name:before: the upgrade', 'UTC'), { type: 'name', name: 'before: the upgrade' });
    assert.deepEqual(parseTarget('latest', 'UTC'), { type: 'latest' });
    assert.deepEqual(parseTarget(' immediate ', 'UTC'), { type: 'immediate' });
  });

  test('is no snapshot, and the hint tells what to write instead', () => {
    assert.throws(() => parseTarget('snapshot:20261123T061407Z-3f9a1c2b', 'UTC'), {
      code: 'MOMENT_INVALID',
      hint: /^`holdfast list` shows .* dump:20261123T061407Z-3f9a1c2b$/,
    });
  });

  test('is refused when it could mean something else', () => {
    for (const text of [
      '13am',
      'now',
      'Latest',
      'lsn:',
      'lsn:3000148',
      'xid:-1',
      'xid:2',
      'xid:12a',
      'xid:99999999999999999999',
      'name:',
      `name:${'é'.repeat(32)}`,
      '',
    ]) {
      refuses(() => parseTarget(text, 'UTC'));
    }
  });
});

test('the nearest known word is found, a far one is not', () => {
  const known = ['status', 'restore', 'rollback', 'dataDirectory'];
  assert.equal(closest('statsu', known), 'status');
  assert.equal(closest('datadirectory', known), 'dataDirectory');
  assert.equal(closest('rolback', known), 'rollback');
  assert.equal(closest('elephant', known), undefined);
  assert.equal(closest('', known), undefined);
  assert.equal(closest('xy', ['ab']), undefined);
});

test('what shares less than two thirds of its letters was not meant, nor what is alike only in front', () => {
  assert.equal(closest('uk', ['us', 'eu']), undefined);
  assert.equal(closest('foo', ['for', 'from']), 'for');
  assert.equal(closest('foo', ['from', 'to']), undefined);
  assert.equal(closest('start', ['stop', 'status']), undefined);
  assert.equal(closest('database/prod', ['database/main']), undefined);
  assert.equal(closest('database/mian', ['database/main']), 'database/main');
  assert.equal(closest('databse/main', ['database/main']), 'database/main');
  assert.equal(closest('bank.no_such_table', ['bank.statements_table']), undefined);
  assert.equal(closest('ledger.acounts', ['ledger.entries', 'ledger.accounts']), 'ledger.accounts');
});
