// The rule 3-2-1-1-0: which digits hold, which are lost for now, which the configuration never gave, and what would give them.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { judgeRule, type RuledCopy } from '../../../src/domain/three-two-one.ts';

const local: RuledCopy = { copy: 'local', medium: 'disk', offsite: false, state: 'complete', verified: 'good' };
const eu: RuledCopy = { ...local, copy: 'eu', medium: 'object', offsite: true, lock: {} };
const digitsOf = (copies: readonly RuledCopy[]) => judgeRule(copies).digits.map(({ state }) => state);
const digit = (copies: readonly RuledCopy[], name: string) =>
  judgeRule(copies).digits.find((each) => each.name === name);

it('production, a directory and a locked bucket elsewhere keep all of it', () => {
  assert.deepEqual(digitsOf([local, eu]), ['held', 'held', 'held', 'held', 'held']);
  assert.equal(judgeRule([local, eu]).words, '3-2-1-1-0');
});

it('one directory keeps none of the first four, and each says what would give it', () => {
  const { digits, words } = judgeRule([local]);
  assert.equal(words, '(3)-(2)-(1)-(1)-0');
  assert.deepEqual(
    digits.map(({ hint }) => hint?.match(/'[^']+'/)?.[0]),
    ["'vault.copies'", "'s3'", "'offsite: true'", "'s3.lock'", undefined],
  );
  assert.equal(digits[0]?.message, '2 copies of the data: production, local');
});

it('a copy that is away or behind takes the digits that only it gives', () => {
  for (const state of ['away', 'behind', 'unknown'] as const) {
    assert.deepEqual(digitsOf([local, { ...eu, state }]), ['lost', 'lost', 'lost', 'lost', 'held'], state);
  }
  assert.match(digit([local, { ...eu, state: 'behind' }], 'off-site')?.hint ?? '', /copies catch-up eu/);
  const third = { ...eu, copy: 'us' };
  assert.deepEqual(digitsOf([local, third, { ...eu, state: 'away' }]), ['held', 'held', 'held', 'held', 'held']);
});

it('a lock that was asked for and seen not to hold is none', () => {
  assert.equal(digit([local, { ...eu, lock: { isSeen: false } }], 'immutable')?.state, 'unmet');
  assert.match(
    digit([local, { ...eu, lock: { isSeen: false } }], 'immutable')?.message ?? '',
    /asked of eu, and not given/,
  );
});

it('nothing that was only listed, or never looked at, counts as without errors, and damage least of all', () => {
  for (const verified of ['listed', 'not checked'] as const) {
    assert.equal(digit([local, { ...eu, verified }], 'errors')?.state, 'unmet');
  }
  const damaged = digit(
    [
      { ...local, verified: 'listed' },
      { ...eu, verified: 'damaged' },
    ],
    'errors',
  );
  assert.deepEqual([damaged?.state, damaged?.message], ['lost', 'damaged: eu']);
});
