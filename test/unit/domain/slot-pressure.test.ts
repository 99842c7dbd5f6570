import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { judgeSlot, type SlotPressure } from '../../../src/domain/slot-pressure.ts';

const GiB = 1024 ** 3;

function judged(facts: Partial<SlotPressure>) {
  return judgeSlot({ slot: 'holdfast_acme_main', retainedBytes: GiB, ...facts });
}

describe('what a slot costs the server', () => {
  test('is nothing to tell while it keeps little of what it may', () => {
    assert.equal(judged({ limitBytes: 64 * GiB, freeBytes: 100 * GiB }), undefined);
    assert.equal(judged({}), undefined);
  });

  test('is a warning when it is lost within six hours, and late within one', () => {
    const limits = { limitBytes: 64 * GiB, freeBytes: 100 * GiB };
    assert.equal(judged({ ...limits, lostInSeconds: 7 * 3600 }), undefined);
    assert.equal(judged({ ...limits, lostInSeconds: 5 * 3600 })?.severity, 'warning');
    const late = judged({ ...limits, lostInSeconds: 3000 });
    assert.equal(late?.severity, 'late');
    assert.equal(
      late?.message,
      "the server keeps 1.0 GiB of log for the slot 'holdfast_acme_main', of at most 64.0 GiB, 100 GiB are free on its disk; at this rate it is lost in 50 min",
    );
  });

  test('names the disk when that is full before the server gives the slot up', () => {
    const late = judged({ freeBytes: 2 * GiB, fullInSeconds: 600 });
    assert.equal(late?.severity, 'late');
    assert.match(
      late?.message ?? '',
      /without a limit, 2\.0 GiB are free on its disk; at this rate the disk is full in 10 min$/,
    );
    assert.match(
      judged({ limitBytes: 4 * GiB, lostInSeconds: 50, fullInSeconds: 40 })?.message ?? '',
      /disk is full in 40 s$/,
    );
    assert.match(
      judged({ limitBytes: 4 * GiB, lostInSeconds: 30, fullInSeconds: 40 })?.message ?? '',
      /it is lost in 30 s$/,
    );
  });

  test('is told by its share alone, because a burst is faster than any forecast', () => {
    assert.equal(judged({ limitBytes: 1.9 * GiB })?.severity, 'warning');
    assert.equal(judged({ limitBytes: 1.1 * GiB })?.severity, 'late');
    assert.equal(judged({ limitBytes: 64 * GiB, freeBytes: GiB / 10 })?.severity, 'late');
  });
});
