// Moments: read strictly, written canonically, exact to the microsecond on both sides of every epoch.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  isMoment,
  momentFromDate,
  momentFromPostgresMicros,
  momentFromUnixMicros,
  parseMoment,
  postgresMicros,
  secondsBetween,
  shortMoment,
  unixMicros,
  zoneOffsetMs,
} from '../../../src/domain/moment.ts';
import { isHoldfastError } from '../../../src/errors/index.ts';

const refused = (text: string, zone = 'UTC') =>
  assert.throws(
    () => parseMoment(text, zone),
    (error) => isHoldfastError(error, 'MOMENT_INVALID'),
    `'${text}' in ${zone}`,
  );

describe('reading a moment', () => {
  test('takes ISO 8601 with a zone, to the microsecond', () => {
    assert.equal(parseMoment('2026-11-23T05:59:59Z', 'Asia/Tokyo'), '2026-11-23T05:59:59.000000Z');
    assert.equal(parseMoment('2026-11-23 05:59:59.123456+01:00', 'UTC'), '2026-11-23T04:59:59.123456Z');
    assert.equal(parseMoment('2026-11-23T05:59:59,5-0330', 'UTC'), '2026-11-23T09:29:59.500000Z');
    assert.equal(parseMoment('2026-11-23T05:59+05', 'UTC'), '2026-11-23T00:59:00.000000Z');
    assert.equal(parseMoment(' 2026-11-23 05:59 Z ', 'UTC'), '2026-11-23T05:59:00.000000Z');
  });

  test('reads a moment without a zone in the zone of the estate, summer and winter', () => {
    assert.equal(parseMoment('2026-11-23T06:00', 'Europe/Berlin'), '2026-11-23T05:00:00.000000Z');
    assert.equal(parseMoment('2026-07-23T06:00', 'Europe/Berlin'), '2026-07-23T04:00:00.000000Z');
    assert.equal(parseMoment('2026-07-23T06:00', 'America/New_York'), '2026-07-23T10:00:00.000000Z');
    assert.equal(parseMoment('2026-07-23T06:00', 'Asia/Kathmandu'), '2026-07-23T00:15:00.000000Z');
  });

  test('refuses what only a lenient reader would take', () => {
    for (const text of [
      '13am',
      '2026-11-23 13am',
      '2026-11-23',
      'yesterday',
      '',
      '05:59:59Z',
      '2026-13-01T00:00Z',
      '2026-02-29T00:00Z',
      '2026-11-31T00:00Z',
      '2026-11-23T24:00Z',
      '2026-11-23T05:60Z',
      '2026-11-23T05:59:60Z',
      '2026-11-23T05:59:59.1234567Z',
      '2026-11-23T05:59:59+16:00',
      '2026-11-23T05:59:59+01:60',
      '2026-11-23T05:59:59 CET',
      '2026-11-23T5:59Z',
      '26-11-23T05:59Z',
      '0000-00-00T00:00Z',
      '1732341599',
      '2026-11-23T05:59:59Z extra',
    ]) {
      refused(text);
    }
  });

  test('refuses a local time that a change of clocks skipped', () => {
    assert.throws(() => parseMoment('2026-03-29T02:30', 'Europe/Berlin'), /does not exist in 'Europe\/Berlin'/);
    assert.throws(() => parseMoment('2026-03-08T02:30', 'America/New_York'), /the clocks were put forward/);
    assert.equal(parseMoment('2026-03-29T03:00', 'Europe/Berlin'), '2026-03-29T01:00:00.000000Z');
    assert.equal(parseMoment('2026-03-29T01:59:59', 'Europe/Berlin'), '2026-03-29T00:59:59.000000Z');
  });

  test('refuses a local time that happened twice, and names both', () => {
    assert.throws(
      () => parseMoment('2026-10-25T02:30', 'Europe/Berlin'),
      (error) =>
        isHoldfastError(error, 'MOMENT_INVALID') &&
        /happened twice/.test(error.message) &&
        error.hint.includes('2026-10-25T02:30+02:00') &&
        error.hint.includes('2026-10-25T02:30+01:00'),
    );
    assert.equal(parseMoment('2026-10-25T02:30+01:00', 'Europe/Berlin'), '2026-10-25T01:30:00.000000Z');
    assert.equal(parseMoment('2026-10-25T03:00', 'Europe/Berlin'), '2026-10-25T02:00:00.000000Z');
  });

  test('knows changes of half an hour and zones that skipped a whole day', () => {
    refused('2026-04-05T01:45', 'Australia/Lord_Howe');
    refused('2011-12-30T12:00', 'Pacific/Apia');
    assert.equal(parseMoment('2026-06-01T12:00', 'Australia/Lord_Howe'), '2026-06-01T01:30:00.000000Z');
  });

  test('refuses an unknown zone', () => {
    refused('2026-11-23T05:59', 'Europe/Berlinn');
    assert.throws(() => zoneOffsetMs(0, 'Mars/Base'), /unknown time zone 'Mars\/Base'/);
  });
});

describe('a moment as a number', () => {
  test('is exact before and after 1970 and 2000', () => {
    for (const text of [
      '1999-12-31T23:59:59.999999Z',
      '2000-01-01T00:00:00.000000Z',
      '1969-12-31T23:59:59.999999Z',
      '1970-01-01T00:00:00.000001Z',
      '1960-02-29T12:34:56.000999Z',
      '2026-11-23T05:59:59.123456Z',
    ]) {
      const moment = parseMoment(text, 'UTC');
      assert.equal(moment, text);
      assert.equal(momentFromUnixMicros(unixMicros(moment)), text);
      assert.equal(momentFromPostgresMicros(postgresMicros(moment)), text);
    }
  });

  test('counts as PostgreSQL does', () => {
    assert.equal(momentFromPostgresMicros(0n), '2000-01-01T00:00:00.000000Z');
    assert.equal(momentFromPostgresMicros(-1n), '1999-12-31T23:59:59.999999Z');
    assert.equal(postgresMicros(parseMoment('1999-06-01T00:00Z', 'UTC')), -18_489_600_000_000n);
  });

  test('steps by single microseconds in the order of its text', () => {
    let before = momentFromUnixMicros(-3n);
    for (let micros = -2n; micros < 3n; micros++) {
      const moment = momentFromUnixMicros(micros);
      assert.ok(moment > before && isMoment(moment));
      assert.equal(unixMicros(moment), micros);
      before = moment;
    }
  });

  test('measures distances in seconds', () => {
    const [a, b] = [parseMoment('2026-11-23T05:59:59.5Z', 'UTC'), parseMoment('2026-11-23T06:00:00.75Z', 'UTC')];
    assert.equal(secondsBetween(a, b), 1.25);
    assert.equal(secondsBetween(b, a), -1.25);
  });
});

test('a moment is shortened without losing anything', () => {
  const short = (text: string) => shortMoment(parseMoment(text, 'UTC'));
  assert.equal(short('2026-11-23T05:59:59.123400Z'), '2026-11-23T05:59:59.1234Z');
  assert.equal(short('2026-11-23T05:59:50Z'), '2026-11-23T05:59:50Z');
  assert.equal(short('2026-11-20T10:00:00Z'), '2026-11-20T10:00:00Z');
  assert.equal(momentFromDate(new Date('2026-11-23T05:59:59.123Z')), '2026-11-23T05:59:59.123000Z');
});
