// Verification of the log: every closed segment counts, and a snapshot suffers from its own stretch only.

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { find, flip, stateOf, verify, withLog } from '../../support/verify.ts';

describe('verification of the log', () => {
  it('counts every closed segment, those of the window too', async () => {
    await using test = await withLog();
    for (const level of ['listed', 'hashed', 'decrypted'] as const) {
      const { state, copies } = await verify(test.vault, level);
      assert.equal(state, 'good');
      assert.equal(copies[0]?.segments.good, 4);
    }
  });

  it('hashed finds a damaged segment, which listed cannot; the snapshot suffers only from its own stretch', async () => {
    await using test = await withLog();
    await flip(await find(test, /log\/.*[0-9A-F]{23}6$/), 900_000);
    assert.equal(await stateOf(test.vault, 'listed'), 'good');
    const { copies } = await verify(test.vault, 'hashed');
    assert.deepEqual([copies[0]?.state, copies[0]?.snapshots[0]?.state], ['damaged', 'good']);
    await flip(await find(test, /log\/.*[0-9A-F]{23}4$/), 900_000);
    const again = await verify(test.vault, 'hashed');
    assert.equal(again.copies[0]?.snapshots[0]?.state, 'damaged');
  });

  it('listed finds a hole in the log that the snapshot needs', async () => {
    await using test = await withLog();
    await rm(await find(test, /log\/.*[0-9A-F]{23}4$/));
    const { copies } = await verify(test.vault, 'listed');
    assert.equal(copies[0]?.snapshots[0]?.state, 'missing');
  });
});
