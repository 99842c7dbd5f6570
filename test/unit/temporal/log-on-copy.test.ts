// Waiting for log on a copy: slow is not stalled, and a copy that is needed is never left behind.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitForPosition } from '../../../src/temporal/log-on-copy.ts';
import type { ReceiverKeeper } from '../../../src/temporal/receiver-keeper.ts';

const signal = AbortSignal.timeout(60_000);
const goal = {
  ...{ where: 'us', position: { timeline: 1, at: 20n }, stalledAfterMs: 1 },
  broughtTo: () => Promise.resolve(undefined),
};

function keeper(position: () => bigint, error?: { code: string; message: string; hint: string }): ReceiverKeeper {
  const state = () => ({ copies: [{ copy: 'us', ...(error === undefined ? {} : { error }) }] });
  const receiver = { position: () => ({ timeline: 1, at: position() }), state };
  return { receiver, undecided: undefined, reception: { outage: undefined } } as unknown as ReceiverKeeper;
}

test('a copy that moves a little at every look is waited for, though it can be done without', async () => {
  let at = 10n;
  const slow = keeper(() => at++);
  await waitForPosition(slow, goal, { signal, mayLeave: () => true });
});

/** Its receiver cannot have the slot, and knows nothing of the copies. */
const keptOut = {
  isKeptOut: true,
  undecided: undefined,
  reception: { outage: undefined },
  receiver: {
    position: () => undefined,
    state: () => ({
      copies: [],
      error: { code: 'SLOT_BUSY', message: 'is active for PID 7', hint: 'a second worker?' },
    }),
  },
} as unknown as ReceiverKeeper;

test('what another process brings to the copies counts, and is waited for as long as it moves', async () => {
  let at = 0n;
  const broughtTo = () => Promise.resolve({ timeline: 1, at: at++ });
  const position = { timeline: 1, at: 40n };
  const mayLeave = () => true;
  const startedAt = performance.now();
  const target = { ...goal, position, stalledAfterMs: 8_000, broughtTo, askEveryMs: 1 };
  await waitForPosition(keptOut, target, { signal, mayLeave });
  assert.ok(at > 40n);
  assert.ok(performance.now() - startedAt > 8_000, 'longer than it may stand still');
});

test('where whoever reads the slot brings nothing, the wait fails with who it is', async () => {
  await assert.rejects(waitForPosition(keptOut, { ...goal, stalledAfterMs: 1_000 }, { signal }), {
    code: 'SLOT_BUSY',
    message: /^waiting for the log to 0\/14 on copy us.* in vain: is active for PID 7$/,
    hint: 'a second worker?',
  });
});

test('where the server went away since, it is waited for', async () => {
  const error = { code: 'DATABASE_UNREACHABLE', message: 'connection refused', hint: 'start it' };
  const { receiver } = keptOut;
  const gone = {
    ...keptOut,
    receiver: { ...receiver, state: () => ({ copies: [], error }) },
  } as unknown as ReceiverKeeper;
  const short = AbortSignal.timeout(3_000);
  await assert.rejects(waitForPosition(gone, { ...goal, stalledAfterMs: 500 }, { signal: short }), {
    code: 'CANCELLED',
  });
});

test('a copy that does not move is left behind with the reason of its store', async () => {
  const stalled = keeper(() => 10n, { code: 'STORE_DENIED', message: 'no such key', hint: 'check the credentials' });
  await assert.rejects(waitForPosition(stalled, goal, { signal, mayLeave: () => true }), {
    code: 'STORE_DENIED',
    message: /^'us' did not get nearer to the log at 0\/14 .* it has it to 0\/A: no such key$/,
  });
});

test('a copy that does not move and is needed is waited for, until the others are enough', async () => {
  const stalled = keeper(() => 10n);
  let asked = 0;
  const mayLeave = () => {
    asked += 1;
    return asked > 5;
  };
  await assert.rejects(waitForPosition(stalled, goal, { signal, mayLeave }), { code: 'STORE_UNAVAILABLE' });
  assert.equal(asked, 6);
});
