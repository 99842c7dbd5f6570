import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GoingDown } from '../../../src/postgres/receiver/going-down.ts';

/** Asked every 250 ms from `from` on; gives when the server is let go, or `undefined` by `to`. */
function letGoAt(watch: GoingDown, from: number, to: number, durable: (nowMs: number) => bigint | undefined) {
  for (let nowMs = from; nowMs <= to; nowMs += 250) if (watch.asked(durable(nowMs), nowMs)) return nowMs - from;
  return undefined;
}

describe('a server that asks how far we are', () => {
  it('is let go after ten seconds in which nothing more became durable', () => {
    assert.equal(
      letGoAt(new GoingDown(), 50_000, 90_000, () => 7n),
      10_000,
    );
    assert.equal(
      letGoAt(new GoingDown(), 50_000, 90_000, () => undefined),
      10_000,
    );
  });

  it('is kept waiting as long as the copies take its log, however slowly', () => {
    assert.equal(
      letGoAt(new GoingDown(), 0, 600_000, (nowMs) => BigInt(Math.floor(nowMs / 9_000))),
      undefined,
    );
  });

  it('is none that goes down when it asked once, and once more much later', () => {
    const watch = new GoingDown();
    for (let nowMs = 0; nowMs < 600_000; nowMs += 30_000) assert.equal(watch.asked(7n, nowMs), false);
  });
});
