// Bandwidths as they are written: bytes with a unit, per second, and nothing that could be read another way.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseBandwidth } from '../../../src/domain/bandwidth.ts';

describe('a bandwidth', () => {
  test('is a number of bytes with its unit', () => {
    const written = { '50MB/s': 50_000_000, '800KB/s': 800_000, '1GB/s': 1e9, '2MiB/s': 2_097_152, '1GiB/s': 2 ** 30 };
    for (const [text, bytes] of Object.entries(written)) assert.equal(parseBandwidth(text), bytes, text);
  });

  test('is refused when its unit could be bits, is missing, or is too little to keep a connection', () => {
    for (const text of ['50', '50MB', '50Mb/s', '50Mbit/s', '50 MB/s', '-1MB/s', '1.5MB/s', '0MB/s', '99KB/s', '']) {
      assert.throws(() => parseBandwidth(text), { code: 'CONFIG_INVALID' }, text);
    }
  });
});
