// What a verification says of a copy as a whole, kept with every look.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Moment } from '../../../src/domain/moment.ts';
import { COMPONENT, type TestVault } from '../../support/vault.ts';
import { find, flip, oneSnapshot, PACK, verify, withLog } from '../../support/verify.ts';

describe('what a verification says of a copy as a whole', () => {
  const wholeOn = async (test: TestVault, copy: string) =>
    (await (await test.reopen()).looks(COMPONENT)).whole.find((each) => each.copy === copy);

  it('is kept with every look, also with one that had nothing to read any more', async () => {
    await using test = await oneSnapshot({ copies: ['local', 'eu'] });
    await verify(test.vault, 'hashed');
    const first = await wholeOn(test, 'eu');
    assert.deepEqual([first?.state, first?.level, first?.since], ['good', 'hashed', first?.at]);
    await sleep(1_100); // names of proofs have seconds
    await verify(test.vault, 'hashed', { since: '2026-01-01T00:00:00.000000Z' as Moment });
    const second = await wholeOn(test, 'eu');
    assert.ok(second && first && second.at > first.at);
    assert.equal(second.since, first.since, 'it rests on the older look');
  });

  it('is what was found of any object, and not checked when the look was cut short', async () => {
    await using test = await oneSnapshot({ copies: ['local', 'eu'] });
    await flip(await find(test, PACK, 'eu'));
    await verify(test.vault, 'hashed');
    assert.equal((await wholeOn(test, 'eu'))?.state, 'damaged');
    assert.equal((await wholeOn(test, 'local'))?.state, 'good');
    await verify(test.vault, 'hashed', { budgetBytes: 1, copies: ['local'] });
    assert.equal((await wholeOn(test, 'local'))?.state, 'not checked');
  });

  it('tells of damage in log that no snapshot needs', async () => {
    await using test = await withLog();
    await flip(await find(test, /000000010000000000000006$/));
    const { copies } = await verify(test.vault, 'hashed');
    assert.equal(copies[0]?.snapshots[0]?.state, 'good');
    assert.equal((await wholeOn(test, 'local'))?.state, 'damaged');
  });
});
