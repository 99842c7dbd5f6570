// The rule 3-2-1-1-0: which digits hold, which are lost for now, which the configuration never gave, and what would give them.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { CopyVerified } from '../../../src/domain/copy-verified.ts';
import { judgeRule, type RuledCopy } from '../../../src/domain/three-two-one.ts';

const seen = (state: CopyVerified['state']): CopyVerified => ({ state, unread: 0, withinDays: 30 });
const verified = seen('good');
const local: RuledCopy = { copy: 'local', medium: 'disk', offsite: false, state: 'complete', verified };
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

it('0 holds only where every copy was read, lately, and is good; what is not known does not count for it', () => {
  const { verified: _, ...unknown } = eu;
  const errors = (one: RuledCopy) => digit([local, one], 'errors');
  assert.deepEqual([errors(unknown)?.state, errors(unknown)?.message], ['unmet', 'eu: not known']);
  for (const state of ['never', 'not checked'] as const) {
    assert.equal(errors({ ...eu, verified: seen(state) })?.state, 'unmet', state);
  }
  assert.equal(errors({ ...eu, verified: seen('never') })?.message, 'eu: never verified');
  const overdue = errors({ ...eu, verified: seen('overdue') });
  assert.deepEqual([overdue?.state, overdue?.message], ['lost', 'eu: verified longer ago than 30 days']);
  assert.match(overdue?.hint ?? '', /holdfast test integrity/);
});

it('damage takes the 0, and the hint says how it is mended and that it is read again after that', () => {
  const copies = [
    { ...local, verified: seen('never') },
    { ...eu, verified: seen('damaged') },
  ];
  const errors = digit(copies, 'errors');
  assert.equal(errors?.state, 'lost');
  assert.equal(errors?.message, 'local: never verified; eu: damaged when it was last read');
  assert.match(errors?.hint ?? '', /copies repair eu.*test integrity --copy eu/);
  assert.equal(judgeRule(copies).words, '3-2-1-1-(0)');
});
