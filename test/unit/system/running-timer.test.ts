// Time in which the process stands still is not counted: what was answered meanwhile is heard.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { withDeadline } from '../../../src/stores/deadline.ts';

/** As under SIGSTOP, on a machine that is suspended, or one that gives this process nothing. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

it('a process that stood still for longer than the deadline takes nobody for silent', async () => {
  const answer = withDeadline('storing', { deadlineMs: 2_000 }, async () => {
    for (let step = 0; step < 3; step++) {
      const reading = readFile('/proc/self/comm');
      standStill(2_500);
      await reading;
    }
    return 'stored';
  });
  assert.equal(await answer, 'stored');
});

it('while it runs the deadline passes', async () => {
  const silent = withDeadline('storing', { deadlineMs: 200 }, () => sleep(60_000, 'late', { ref: false }));
  await assert.rejects(silent, { code: 'STORE_UNAVAILABLE', message: 'storing got no answer within 0.2 s' });
});
