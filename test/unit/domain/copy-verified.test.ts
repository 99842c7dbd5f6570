// When a copy counts as verified: everything on it read, lately, and found good; what is not known never passes for good.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type CopyVerified,
  judgeVerified,
  type SnapshotLook,
  verifiedWords,
  type WholeLook,
  worstVerified,
} from '../../../src/domain/copy-verified.ts';
import type { Moment } from '../../../src/domain/moment.ts';

const now = '2026-11-25T12:00:00.000000Z' as Moment;
const onDay = (day: number) => `2026-11-${String(day).padStart(2, '0')}T05:00:00.000000Z` as Moment;
const present = { eu: 'present', us: 'present' };
const two = [
  { id: 'a', copies: present },
  { id: 'b', copies: present },
];

type Level = SnapshotLook['level'];

/** A look at everything on `eu`, with what it says of each snapshot that there was. */
function look(day: number, ids: string, level: Level = 'hashed', state: SnapshotLook['state'] = 'good') {
  const at = onDay(day);
  const snapshots = [...ids].map((snapshot): SnapshotLook => ({ snapshot, copy: 'eu', level, state, at }));
  const whole: WholeLook = { copy: 'eu', level, state, at, ...(state === 'good' ? { since: at } : {}) };
  return { snapshots, whole: [whole] };
}

function judge(
  looks: readonly { snapshots: readonly SnapshotLook[]; whole: readonly WholeLook[] }[],
  snapshots: Parameters<typeof judgeVerified>[0]['snapshots'] = two,
): CopyVerified {
  const all = { snapshots: looks.flatMap((each) => each.snapshots), whole: looks.flatMap((each) => each.whole) };
  return judgeVerified({ copy: 'eu', snapshots, looks: all, withinDays: 7, now });
}

describe('a copy is verified', () => {
  it('when everything on it was read and found good within the days that count', () => {
    const seen = judge([look(22, 'ab')]);
    assert.deepEqual(seen, { state: 'good', level: 'hashed', at: onDay(22), unread: 0, withinDays: 7 });
    assert.equal(verifiedWords(seen), '');
  });

  it('never, when nobody looked, or only at another copy', () => {
    const other = look(22, 'ab');
    const elsewhere = {
      snapshots: other.snapshots.map((each) => ({ ...each, copy: 'us' })),
      whole: other.whole.map((each) => ({ ...each, copy: 'us' })),
    };
    for (const looks of [[], [elsewhere]]) assert.equal(judge(looks).state, 'never');
    assert.equal(verifiedWords(judge([])), 'never verified');
  });

  it('not, when that is longer ago', () => {
    const seen = judge([look(17, 'ab')]);
    assert.deepEqual([seen.state, seen.level, seen.at], ['overdue', 'hashed', onDay(17)]);
    assert.equal(verifiedWords(seen), 'verified longer ago than 7 days (2026-11-17T05:00:00Z)');
    // What a new look takes over from an old one does not become younger by it.
    const young = look(24, 'ab');
    const resting = { ...young, whole: young.whole.map((each) => ({ ...each, since: onDay(17) })) };
    assert.equal(judge([resting]).state, 'overdue');
  });

  it('not, as long as a snapshot on it was not read', () => {
    const seen = judge([look(22, 'a')]);
    assert.deepEqual([seen.state, seen.unread], ['not checked', 1]);
    assert.equal(verifiedWords(seen), '1 snapshot not read yet');
    const lacking = [two[0]!, { id: 'b', copies: { eu: 'absent', us: 'present' } }];
    assert.equal(judge([look(22, 'a')], lacking).state, 'good', 'one that is not on it is another matter');
  });

  it('not by what only lists or lets the store attest', () => {
    for (const level of ['listed', 'attested'] as const) {
      assert.deepEqual(
        [judge([look(22, 'ab', level)]).state, judge([look(22, 'ab', level)]).unread],
        ['not checked', 2],
      );
    }
    assert.equal(judge([look(22, 'ab'), look(24, 'ab', 'listed')]).state, 'good');
  });

  it('not by snapshots alone: the log, and all else, was not read to its end', () => {
    const { snapshots } = look(22, 'ab');
    assert.equal(judge([{ snapshots, whole: [] }]).state, 'not checked');
    const cut = { copy: 'eu', level: 'hashed', state: 'not checked', at: onDay(22) } as const;
    const seen = judge([{ snapshots, whole: [cut] }]);
    assert.deepEqual([seen.state, verifiedWords(seen)], ['not checked', 'not all of it was read']);
  });

  it('not by a look from the future, which only a clock that is wrong makes', () => {
    assert.equal(judge([look(27, 'ab')]).state, 'never');
  });

  it('not, once damage was found, until a look as close finds none', () => {
    const damaged = look(20, 'a', 'hashed', 'damaged');
    const seen = judge([look(18, 'ab'), damaged]);
    assert.deepEqual([seen.state, seen.at], ['damaged', onDay(20)]);
    assert.equal(verifiedWords(seen), 'damaged when it was last read (2026-11-20T05:00:00Z)');
    assert.equal(judge([damaged, look(21, 'ab', 'listed')]).state, 'damaged', 'listing it again clears nothing');
    assert.equal(judge([damaged, look(21, 'ab')]).state, 'good');
    assert.equal(judge([damaged, look(21, 'ab', 'listed', 'missing'), look(22, 'ab', 'listed')]).state, 'damaged');
    // Damage of the log alone is in no snapshot.
    const ofLog = { snapshots: look(20, 'ab').snapshots, whole: damaged.whole };
    assert.equal(judge([ofLog]).state, 'damaged');
  });
});

it('of several components the worst counts, and everything that is unread', () => {
  const of = (state: CopyVerified['state'], unread: number) => ({ state, unread, withinDays: 7 });
  assert.deepEqual(worstVerified([of('good', 0), of('not checked', 2), of('overdue', 1)]), of('overdue', 3));
  assert.deepEqual(worstVerified([of('missing', 0), of('damaged', 0), of('never', 1)]), of('damaged', 1));
  assert.equal(worstVerified([]), undefined);
});
