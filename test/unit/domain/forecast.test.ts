import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { forecastRestore, type MeasuredRestore } from '../../../src/domain/forecast.ts';

const MB = 1e6;

function restored(baseMB: number, logMB: number, fetch: number, replay: number, swap?: number): MeasuredRestore {
  const plan = { mode: 'beside', base: { sizeBytes: baseMB * MB }, log: { bytes: logMB * MB } };
  const timingsMs = { fetch, replay, promote: 500, checks: 300, total: 0, ...(swap === undefined ? {} : { swap }) };
  return { plan, timingsMs } as unknown as MeasuredRestore;
}

function asked(mode: 'in place' | 'beside', baseMB: number, logMB: number) {
  return { mode, base: { sizeBytes: baseMB * MB }, log: { bytes: logMB * MB } } as unknown as MeasuredRestore['plan'];
}

describe('the forecast of a restore', () => {
  test('is none while nothing was measured', () => {
    assert.equal(forecastRestore(asked('beside', 100, 10), []), undefined);
  });

  test('grows with the base and the log, each by its own measure', () => {
    const forecast = forecastRestore(asked('beside', 1000, 30), [restored(100, 10, 2_000, 1_000)]);
    assert.deepEqual(forecast, {
      ...{ fetchMs: 20_000, replayMs: 3_000, restMs: 800, totalMs: 23_800, restores: 1, isWithoutSwap: false },
    });
  });

  test('never promises to be faster than what was measured on more data', () => {
    const { fetchMs, replayMs } = forecastRestore(asked('beside', 1, 0), [restored(100, 10, 2_000, 1_000)]) ?? {};
    assert.deepEqual([fetchMs, replayMs], [2_000, 1_000]);
  });

  test('is the median of the newest five, so that one that was disturbed does not count', () => {
    const good = restored(100, 10, 2_000, 1_000);
    const bad = restored(100, 10, 200_000, 100_000);
    const newest = [good, bad, good, good, bad];
    assert.equal(forecastRestore(asked('beside', 100, 10), [...newest, bad, bad, bad])?.fetchMs, 2_000);
  });

  test('counts the swap in place, and says so where none was ever measured', () => {
    const beside = restored(100, 10, 2_000, 1_000);
    assert.equal(forecastRestore(asked('in place', 100, 10), [beside])?.isWithoutSwap, true);
    const swapped = forecastRestore(asked('in place', 100, 10), [beside, restored(100, 10, 2_000, 1_000, 1_200)]);
    assert.deepEqual([swapped?.isWithoutSwap, swapped?.restMs], [false, 2_000]);
  });
});
