// Which runs a command is about.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunStatus } from '../../../src/domain/operations.ts';
import { hasServer, isBeside, isInPlace } from '../../../src/domain/restore-runs.ts';

const restore = (plan: object, state = 'completed') =>
  ({ operation: 'restoreDatabase', state, data: { plan } }) as unknown as RunStatus;

test('only a restore beside that was asked for a server has one to stop', () => {
  assert.equal(hasServer(restore({ mode: 'beside', start: true })), true);
  assert.equal(hasServer(restore({ mode: 'beside', start: false })), false);
  assert.equal(hasServer(restore({ mode: 'beside', start: true }, 'failed')), false);
  assert.equal(hasServer(restore({ mode: 'in place' })), false);
});

test('a restore beside is none that can be confirmed or rolled back', () => {
  assert.equal(isBeside(restore({ mode: 'beside', start: true })), true);
  assert.equal(isInPlace(restore({ mode: 'beside', start: true })), false);
  assert.equal(isBeside(restore({ mode: 'in place' })), false);
  assert.equal(isInPlace(restore({ mode: 'in place' })), true);
  assert.equal(isInPlace(restore({ mode: 'beside', start: true }, 'stuck')), false);
  assert.equal(isInPlace(restore({ mode: 'in place' }, 'stuck')), true);
});
