// When silence of the log is an outage that somebody must know of, and when it is over: by a clock that the test turns.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../../../src/errors/index.ts';
import { Reception, type Seen } from '../../../src/temporal/reception.ts';

const limits = { tellAfterMs: 120_000, steadyMs: 60_000 };
const streaming: Seen = { state: 'streaming' };
const away: Seen = { state: 'silent', final: false, error: new HoldfastError('DATABASE_UNREACHABLE', 'gone') };
/** Not the property itself: the compiler would remember what an assertion said of it. */
const outageOf = (reception: Reception) => reception.outage;
const refused: Seen = { state: 'silent', final: true, error: new HoldfastError('DATABASE_AUTH', 'refused') };

test('a short silence is no outage, a long one is, with the hint of its cause', () => {
  const reception = new Reception(limits);
  reception.note(away, 0);
  reception.note(away, 119_000);
  assert.equal(outageOf(reception), undefined);
  reception.note(away, 120_000);
  assert.equal(outageOf(reception)?.code, 'DATABASE_UNREACHABLE');
  assert.notEqual(outageOf(reception)?.hint, '');
});

test('what trying again cannot help is told at once', () => {
  const reception = new Reception(limits);
  reception.note(refused, 0);
  assert.equal(outageOf(reception)?.code, 'DATABASE_AUTH');
});

test('an outage is over when log came for a while, and one that comes and goes is one outage', () => {
  const reception = new Reception(limits);
  reception.note(refused, 0);
  const since = outageOf(reception)?.since;
  for (const at of [10_000, 30_000, 50_000]) {
    reception.note(streaming, at);
    assert.equal(reception.isSteady, false);
    reception.note(refused, at + 10_000);
    assert.equal(outageOf(reception)?.since, since);
  }
  reception.note(streaming, 100_000);
  reception.note(streaming, 159_000);
  assert.equal(outageOf(reception)?.since, since);
  reception.note(streaming, 160_000);
  assert.equal(outageOf(reception), undefined);
  assert.equal(reception.isSteady, true);
});

test('a server that comes and goes for minutes is an outage although it never stays away for long', () => {
  const reception = new Reception(limits);
  for (let at = 0; at <= 120_000; at += 20_000) {
    reception.note(away, at);
    reception.note(streaming, at + 10_000);
  }
  reception.note(away, 140_000);
  assert.equal(outageOf(reception)?.code, 'DATABASE_UNREACHABLE');
});

test('a restore that keeps the log back is no outage, and ends one', () => {
  const reception = new Reception(limits);
  reception.note(refused, 0);
  reception.note({ state: 'held' }, 1_000);
  assert.equal(outageOf(reception), undefined);
  reception.note({ state: 'held' }, 500_000);
  reception.note(away, 500_000);
  assert.equal(outageOf(reception), undefined);
});

test('a silence of which the cause is not known any more keeps the one that was told', () => {
  const reception = new Reception(limits);
  reception.note(refused, 0);
  reception.note({ state: 'silent', final: false, error: undefined }, 200_000);
  assert.equal(outageOf(reception)?.code, 'DATABASE_AUTH');
});
