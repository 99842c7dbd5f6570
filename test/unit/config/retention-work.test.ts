// What retention has to do by a configuration: where it runs by itself, and that a run knows when nothing may go.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { resolveInput } from '../../../activities/lib/inputs.ts';
import { type Configuration, keepsAll, parseConfiguration, retentionHost } from '../../../config/index.ts';
import { changed, FILE, minimal } from '../../support/configuration.ts';

const LOCKING = 's3: { bucket: b, region: r, lock: compliance, lockFor: 30d }';
const KEEPING = 'url: "env:DATABASE_URL", keep: { full: 90d, log: 7d }';
const locking = (text: string) => text.replace('file: copies/local', LOCKING);
const read = (text: string): Configuration => parseConfiguration(text, FILE);
const inputOf = (configuration: Configuration) =>
  resolveInput(configuration, 'applyRetention', { by: 'schedule', keepsAll: false }).input;

describe('retention', () => {
  test('has nothing to do where nothing is kept for a time and no copy locks', () => {
    assert.equal(retentionHost(read(minimal)), undefined);
  });

  test('keeps what is held locked where a copy locks, and may mark and delete nothing without keep', () => {
    const configuration = read(locking(minimal));
    assert.deepEqual([retentionHost(configuration), keepsAll(configuration)], ['db1', true]);
    assert.deepEqual(inputOf(configuration), { estate: 'acme', host: 'db1', by: 'schedule', keepsAll: true });
  });

  test('judges by keep, with locks and without', () => {
    const kept = changed('url: "env:DATABASE_URL"', KEEPING);
    for (const text of [kept, locking(kept)]) {
      const configuration = read(text);
      assert.deepEqual([retentionHost(configuration), keepsAll(configuration)], ['db1', false]);
      assert.deepEqual(inputOf(configuration), { estate: 'acme', host: 'db1', by: 'schedule' });
    }
  });
});
