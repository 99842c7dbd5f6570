// What a person reads of locks: after a hold was placed, and of a run that could not keep what is held locked.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseConfiguration } from '../../../config/index.ts';
import { heldLines, lockedWords } from '../../../src/cli/render/retention.ts';
import type { Moment } from '../../../src/domain/moment.ts';
import type { HeldLocks, HoldSummary } from '../../../src/domain/retention-report.ts';
import { FILE, minimal } from '../../support/configuration.ts';

const configuration = parseConfiguration(minimal, FILE);
const until = '2026-12-24T00:00:00.000000Z' as Moment;
const error = { code: 'STORE_DENIED', message: 'access denied', hint: 'let it' } as const;
const holding = (locks: readonly HeldLocks[], end?: Moment): HoldSummary => ({
  ...{ id: 'hold-3f9a1c2b', component: 'database/main', reason: 'audit', by: 'me', at: until, locks },
  ...(end === undefined ? {} : { until: end }),
});

describe('a hold on a copy that locks', () => {
  test('says until when, and which runs go on from there', () => {
    assert.equal(
      lockedWords(holding([{ copy: 'eu', extended: 3, until }]), configuration),
      '; what it keeps is locked on eu at least until 2026-12-24T00:00:00Z, and longer with each run of retention (daily 04:00), until the hold ends',
    );
  });

  test('promises no longer lock when it is locked to its own end', () => {
    const words = lockedWords(holding([{ copy: 'eu', extended: 3, until }], until), configuration);
    assert.equal(words, '; what it keeps is locked on eu at least until 2026-12-24T00:00:00Z');
  });

  test('promises nothing where nothing could be locked, or nothing locks', () => {
    assert.equal(lockedWords(holding([{ copy: 'eu', extended: 0, error }]), configuration), '');
    assert.equal(lockedWords(holding([]), configuration), '');
  });
});

test('a run says on which copy the locks were extended, and on which they were not', () => {
  const held = [
    { copy: 'us', extended: 12, until },
    { copy: 'ap', extended: 0, until },
    { copy: 'eu', extended: 0, error },
  ];
  assert.deepEqual(heldLines({ state: 'failed', held }), [
    '  us: the locks of 12 held objects were extended',
    '  NOT KEPT LOCKED on eu, though held: access denied',
  ]);
});
