// Which copies need a catch-up, by a clock that the test turns: what they are now counts, not what changed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Laggards } from '../../../activities/lib/laggards.ts';

const minute = 60_000;
const good = [{ copy: 'local' }, { copy: 'us' }];
const usAway = [{ copy: 'local' }, { copy: 'us', error: 'STORE_UNAVAILABLE' }];

function watched(asked: readonly string[] = [], ignoreForMs = 60 * minute) {
  const vault = { behind: [] as string[], compared: 0 };
  const compare = async () => {
    vault.compared += 1;
    return vault.behind;
  };
  return { vault, laggards: new Laggards({ asked, ignoreForMs, compare }, 0) };
}

test('a copy that stumbles is no laggard, one that stays away is', async () => {
  const { laggards } = watched();
  assert.deepEqual(await laggards.look(usAway, 0), { all: [], isNews: false });
  assert.deepEqual(await laggards.look(good, 10_000), { all: [], isNews: false });
  await laggards.look(usAway, 11_000);
  assert.deepEqual(await laggards.look(usAway, 26_000), { all: ['us'], isNews: true });
});

test('a copy that answers and lacks something is a laggard, whoever saw it go away', async () => {
  const { laggards, vault } = watched();
  vault.behind = ['us'];
  assert.deepEqual(await laggards.look(good, 0), { all: ['us'], isNews: true });
});

test('a copy that was caught up and goes away again is news, however much time of the supervision is left', async () => {
  const { laggards, vault } = watched(['us']);
  vault.behind = ['us'];
  assert.deepEqual(await laggards.look(good, 0), { all: ['us'], isNews: false });
  vault.behind = [];
  assert.deepEqual(await laggards.look(good, minute), { all: [], isNews: false });
  await laggards.look(usAway, 2 * minute);
  vault.behind = ['us'];
  assert.deepEqual(await laggards.look(good, 2 * minute + 1_000), { all: ['us'], isNews: true });
});

test('a copy for which a catch-up was asked is named again when it still lags after the time that was given', async () => {
  const { laggards, vault } = watched(['us'], 5 * minute);
  vault.behind = ['us'];
  assert.equal((await laggards.look(good, 4 * minute)).isNews, false);
  assert.equal((await laggards.look(good, 5 * minute)).isNews, true);
});

test('quiet copies are compared every few minutes, and soon after one came back', async () => {
  const { laggards, vault } = watched();
  for (let at = 0; at < 10 * minute; at += 1_000) await laggards.look(good, at);
  assert.equal(vault.compared, 2);
  await laggards.look(usAway, 10 * minute);
  const before = vault.compared;
  for (let at = 10 * minute + 1_000; at < 12 * minute; at += 1_000) await laggards.look(good, at);
  assert.ok(vault.compared - before >= 4);
});

test('when the copies cannot be compared, what was known stays', async () => {
  let fails = false;
  const compare = async () => {
    if (fails) throw new Error('no copy answers');
    return ['us'];
  };
  const laggards = new Laggards({ asked: [], ignoreForMs: minute, compare }, 0);
  await laggards.look(good, 0);
  fails = true;
  assert.deepEqual((await laggards.look(good, 10 * minute)).all, ['us']);
});
