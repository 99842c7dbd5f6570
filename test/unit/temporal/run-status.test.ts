// What a running step is told with: the words of its heartbeats, and why it is tried again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultPayloadConverter } from '@temporalio/common';
import type { RunStatus } from '../../../src/domain/operations.ts';
import { withPendingActivities } from '../../../src/temporal/run-status.ts';

const status = {
  steps: [
    { name: 'identify', state: 'done' },
    { name: 'capture', state: 'running' },
  ],
} as unknown as RunStatus;
const heartbeat = (note: string) => ({ payloads: [defaultPayloadConverter.toPayload({ note })] });
const told = (...pendingActivities: object[]) => withPendingActivities(status, { raw: { pendingActivities } }).steps[1];

test('of an attempt that is not the first, its number and why the one before failed stand apart and in the note', () => {
  assert.deepEqual(told({ attempt: 3, lastFailure: { message: 'away' }, heartbeatDetails: heartbeat('1 MB') }), {
    name: 'capture',
    state: 'running',
    note: '1 MB; attempt 3 after: away',
    retries: [{ attempt: 3, because: 'away' }],
  });
});

test('a first attempt has only its words', () => {
  const step = told({ attempt: 1, heartbeatDetails: heartbeat('1 MB') });
  assert.deepEqual(step, { name: 'capture', state: 'running', note: '1 MB' });
  assert.equal(told(), status.steps[1]);
});
