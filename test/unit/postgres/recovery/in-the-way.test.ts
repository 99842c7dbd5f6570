// Several things in the way of a restore end it as one error that names them all.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../../../../src/errors/index.ts';
import { together } from '../../../../src/postgres/recovery/in-the-way.ts';

const unconfirmed = new HoldfastError('JOURNAL_STATE', 'restore-1 is not confirmed', { hint: 'confirm it' });
const noRoom = new HoldfastError('NO_SPACE', 'too little room', { hint: 'make room', details: { neededBytes: 2 } });

test('one is told as it is', () => {
  assert.equal(together([noRoom]), noRoom);
});

test('of several the first is the error, and the others come with what mends them', () => {
  const { code, message, hint, details } = together([noRoom, unconfirmed]);
  assert.deepEqual([code, message, details], ['NO_SPACE', 'too little room', { neededBytes: 2 }]);
  assert.equal(hint, 'make room; also in the way: restore-1 is not confirmed (confirm it)');
});
