// What the C library is told of the memory that was freed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { returnFreedMemory, tuneAllocator } from '../../../src/system/index.ts';

test('the C library takes how much it may keep of what was freed, says so of what it does not take, and may be told again', () => {
  const largest = -3; // M_MMAP_THRESHOLD
  assert.equal(tuneAllocator(largest, 4 * 1024 * 1024), true);
  const fast = 1; // M_MXFAST, which goes up to 160 bytes (mallopt(3)).
  assert.equal(tuneAllocator(fast, 1_000), false);
  for (let time = 1; time <= 2; time++) returnFreedMemory();
});
