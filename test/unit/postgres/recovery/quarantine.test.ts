// How much memory a recovering server takes for its pages.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bufferMegabytes } from '../../../../src/postgres/recovery/quarantine.ts';

test('a part of what is free, no less than a server takes by itself, and no more than helps', () => {
  const gigabyte = 2 ** 30;
  const sizes = [0, 0.5, 1, 4, 8, 64].map((size) => bufferMegabytes(size * gigabyte));
  assert.deepEqual(sizes, [128, 128, 128, 512, 1024, 1024]);
});
