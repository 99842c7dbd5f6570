// Leases: one holder at a time, tokens that grow, a zombie that notices, and races that only one wins.

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isHoldfastError } from '../../../src/errors/index.ts';
import type { Lease, Vault } from '../../../src/vault/index.ts';
import { COMPONENT, testVault } from '../../support/vault.ts';

const three = { copies: ['local', 'eu', 'us'], policy: { copies: 2, offsite: 1 } };
const LONG_MS = 600_000;

/** Tries until the lease is had; the limit is generous because the machine may be busy. */
async function acquireWhenFree(vault: Vault, owner: string, ttlMs: number): Promise<Lease> {
  for (const end = Date.now() + 60_000; ; await sleep(20)) {
    try {
      return await vault.acquireLease(COMPONENT, owner, ttlMs);
    } catch (error) {
      if (!isHoldfastError(error, 'LOCKED') || Date.now() > end) throw error;
    }
  }
}

describe('lease', () => {
  it('has one holder, whose name a second taker is told', async () => {
    await using test = await testVault(three);
    const lease = await test.vault.acquireLease(COMPONENT, 'backup-1', LONG_MS);
    await lease.check();
    await assert.rejects((await test.reopen()).acquireLease(COMPONENT, 'backup-2', LONG_MS), {
      code: 'LOCKED',
      message: "'database/main' is held by 'backup-1'",
    });
    await lease.release();
    const next = await (await test.reopen()).acquireLease(COMPONENT, 'backup-2', LONG_MS);
    assert.ok(next.token > lease.token);
    await assert.rejects(lease.check(), { code: 'FENCED' });
    await assert.rejects(lease.renew(), { code: 'FENCED' });
    await lease.release();
    await next.check();
  });

  it('goes to a new attempt of the same run at once, and fences the older one', async () => {
    await using test = await testVault(three);
    const zombie = await test.vault.acquireLease(COMPONENT, 'restore-1', LONG_MS);
    const attempt = await (await test.reopen()).acquireLease(COMPONENT, 'restore-1', LONG_MS);
    assert.ok(attempt.token > zombie.token);
    await assert.rejects(zombie.check(), { code: 'FENCED' });
    await attempt.check();
  });

  it('can be taken when it was not renewed for its time, and not while it is', async () => {
    await using test = await testVault(three);
    const [holder, taker] = [test.vault, await test.reopen()];
    const dead = await holder.acquireLease(COMPONENT, 'dead', 1_000);
    const lease = await acquireWhenFree(taker, 'alive', LONG_MS);
    assert.ok(lease.token > dead.token);
    await assert.rejects(dead.check(), { code: 'FENCED' });
  });

  it('keeps few objects however often it is renewed', async () => {
    await using test = await testVault(three);
    const lease = await test.vault.acquireLease(COMPONENT, 'long', LONG_MS);
    for (let i = 0; i < 10; i++) await lease.renew();
    await lease.check();
    const store = test.options.copies[0]?.store;
    const keys: string[] = [];
    for await (const { key } of store?.list('leases/') ?? []) keys.push(key);
    assert.equal(keys.length, 2);
  });

  it('is won by at most one of many that break an expired one at once', async (t) => {
    let contested = 0;
    for (let round = 0; round < 6; round++) {
      await using test = await testVault(three);
      await test.vault.acquireLease(COMPONENT, 'dead', 1);
      const takers = await Promise.all(Array.from({ length: 5 }, () => test.reopen()));
      const take = () =>
        Promise.allSettled(takers.map((vault, i) => vault.acquireLease(COMPONENT, `taker-${i}`, LONG_MS)));
      await take(); // each sees the link for the first time
      await sleep(5);
      const leases = (await take()).flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      const checks = await Promise.allSettled(leases.map((lease) => lease.check()));
      const holding = checks.filter(({ status }) => status === 'fulfilled').length;
      assert.ok(holding <= 1, `${holding} hold it`);
      if (holding === 1) contested++;
    }
    t.diagnostic(`${contested} of 6 rounds had a winner`);
    assert.ok(contested > 0, 'nobody ever won, so nothing was contested');
  });

  it('is had without a copy that is away, and not with fewer than it needs', async () => {
    await using test = await testVault(three);
    await rm(test.path('local'), { recursive: true });
    const lease = await (await test.reopen()).acquireLease(COMPONENT, 'one', LONG_MS);
    await lease.check();
    await rm(test.path('eu'), { recursive: true });
    await assert.rejects(lease.check(), { code: 'POLICY_UNMET' });
    await assert.rejects((await test.reopen()).acquireLease('redis/cache', 'two', LONG_MS), { code: 'POLICY_UNMET' });
  });
});
