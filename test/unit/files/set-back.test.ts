// How far times may be relied on that a file system's clock has shown, by what it shows later and by how long the machine has been running.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Reading } from '../../../src/files/in-place/file-system-clock.ts';
import { boundsOf, NOTHING_KNOWN, setBackWords } from '../../../src/files/in-place/set-back.ts';

const second = 1_000_000_000n;
const at = (seconds: number, upSeconds = seconds, boot = 'one'): Reading => ({
  ns: BigInt(Math.round(seconds * 1000)) * 1_000_000n,
  at: `${boot}/${Math.round(upSeconds * 1000)}`,
});
const noted = { began: at(100), from: at(200), done: at(300) };
const asNoted = { beganNs: 100n * second, fromNs: 200n * second, doneNs: 300n * second };

test('a clock that goes on as the machine does, or ahead of it, or a little slower, takes nothing from what was noted', () => {
  // The last: it was slowed down for an hour to be put right.
  for (const now of [at(400), at(4_000, 400), at(400.05, 400.1), at(300 + 3_600 - 2, 300 + 3_600)]) {
    const bounds = boundsOf(noted, [now]);
    assert.deepEqual(bounds, asNoted);
    assert.equal(setBackWords('/srv', noted, bounds), undefined);
  }
});

test('what was noted before a clock was set back counts as much earlier', () => {
  const back = boundsOf(noted, [at(350, 400)]);
  // In doubt a little more.
  const doubt = second / 10n;
  const earlier = (lost: bigint) => (ns: bigint) => ns - lost * second - doubt;
  assert.deepEqual(Object.values(back), Object.values(asNoted).map(earlier(50n)));
  assert.match(setBackWords('/srv', noted, back) ?? '', /'\/srv' was set back by 50 s since the restore began/);
  // Later it was put right again, and in between others went on.
  assert.deepEqual(boundsOf(noted, [at(350, 400), at(500)]), back);
  const inTheMiddle = { ...noted, from: at(150, 200), done: at(250, 300) };
  assert.deepEqual(boundsOf(inTheMiddle, [at(350, 400)]), {
    beganNs: earlier(50n)(100n * second),
    fromNs: 150n * second,
    doneNs: 250n * second,
  });
});

test('nothing is known by a clock that stands still, or is behind after the machine was started again', () => {
  const still: Reading = { ns: 400n * second, at: 'still' };
  assert.deepEqual(boundsOf(noted, [still]), NOTHING_KNOWN);
  assert.deepEqual(boundsOf({ ...noted, done: { ...noted.done, at: 'still' } }, [at(400)]), NOTHING_KNOWN);
  assert.deepEqual(boundsOf(noted, [at(400, 10, 'two')]), asNoted);
  const behind = boundsOf(noted, [at(250, 10, 'two')]);
  assert.deepEqual(behind, { ...asNoted, doneNs: 0n });
  assert.match(setBackWords('/srv', noted, behind) ?? '', /cannot be known/);
});

test('a journal of an earlier version is judged by the order of its times alone', () => {
  const old = {
    began: { ns: 0n, at: undefined },
    from: { ns: 0n, at: undefined },
    done: { ns: 300n * second, at: undefined },
  };
  assert.deepEqual(boundsOf(old, [at(400)]), { ...NOTHING_KNOWN, doneNs: 300n * second });
  assert.equal(setBackWords('/srv', old, boundsOf(old, [at(400)])), undefined);
  assert.deepEqual(boundsOf(old, [at(200)]), NOTHING_KNOWN);
});
