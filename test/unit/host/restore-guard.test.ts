// Who may take a step beside the data: a retry beside its own zombie, a person beside a worker, and tokens that only grow.

import assert from 'node:assert/strict';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { fail, HoldfastError, isHoldfastError } from '../../../src/errors/index.ts';
import { type GuardedPlace, guarded, guardedByPerson } from '../../../src/host/restore-guard.ts';
import { type Guard, type JournalHead, journalState } from '../../../src/postgres/recovery/index.ts';
import { Journal } from '../../../src/postgres/recovery/journal.ts';
import { restorePaths } from '../../../src/postgres/recovery/paths.ts';
import { testVault } from '../../support/vault.ts';

const logger = pino({ level: 'silent' });

async function place(t: TestContext, copies = ['local']) {
  const made = await testVault({ copies, policy: { copies: 1, offsite: 0 } });
  t.after(() => made[Symbol.asyncDispose]());
  const { vault } = made;
  const where: GuardedPlace = {
    dataDirectory: path.join(made.directory, 'main'),
    run: 'restore-1',
    owner: 'restore-1',
    undo: false,
  };
  return { made, where, services: { vault: async () => vault, host: 'db1', logger } };
}

test('a retry runs only after its own zombie, which really ran beside it, has left', {
  timeout: 240_000,
}, async (t) => {
  const { services, where, made } = await place(t);
  const other = { ...services, vault: () => made.reopen() };
  const said: string[] = [];
  const started = Promise.withResolvers<void>();
  const zombie = guarded(services, where, async ({ lost }) => {
    said.push('zombie in');
    started.resolve();
    // It writes on and on, asks nobody, and only listens to its signal.
    while (lost?.aborted !== true) await sleep(20);
    await sleep(500);
    said.push('zombie out');
  });
  await started.promise;
  const retry = guarded(other, where, async () => void said.push('retry in'));
  // Were it the one that counts, it would be made again.
  await assert.rejects(zombie, (error) => isHoldfastError(error, 'LOCKED') && isHoldfastError(error.cause, 'FENCED'));
  await retry;
  assert.deepEqual(said, ['zombie in', 'zombie out', 'retry in']);
});

for (const [owner, code] of [
  ['restore-1', 'LOCKED'],
  ['rollback of restore-1', 'FENCED'],
  ['restore-2', 'FENCED'],
] as const) {
  test(`who was fenced by '${owner}' is told ${code}, which ${code === 'LOCKED' ? 'is' : 'is not'} tried again`, async (t) => {
    const { services, where } = await place(t);
    const vault = await services.vault();
    const fenced = async () => fail('FENCED', 'somebody else has it', { details: { owner } });
    const losing = {
      ...services,
      vault: async () => ({
        acquireLease: async (...asked: Parameters<typeof vault.acquireLease>) => {
          const lease = await vault.acquireLease(...asked);
          return { token: lease.token, check: fenced, renew: fenced, release: () => lease.release() };
        },
      }),
    } as unknown as typeof services;
    const step = guarded(losing, where, async ({ check }) => check?.());
    await assert.rejects(step, (error) => {
      return isHoldfastError(error, code) && error.retryable === (code === 'LOCKED');
    });
  });
}

test('a retry does not wait for ever for a zombie that does not leave, and can be cancelled meanwhile', async (t) => {
  const { services, where, made } = await place(t);
  const other = { ...services, vault: () => made.reopen() };
  const leave = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const zombie = guarded(services, where, async () => {
    started.resolve();
    await leave.promise;
  });
  await started.promise;
  const never = async () => assert.fail('ran beside the zombie');
  await assert.rejects(guarded(other, where, never, { waitMs: 300 }), { code: 'LOCKED' });
  const signal = AbortSignal.abort();
  await assert.rejects(guarded(other, where, never, { signal }), { code: 'CANCELLED' });
  leave.resolve();
  await zombie.catch(() => undefined);
});

test('a person is refused while a worker is at a step, and that step goes on unharmed', {
  timeout: 120_000,
}, async (t) => {
  const { services, where, made } = await place(t);
  const other = { ...services, vault: () => made.reopen() };
  const leave = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const step = guarded(services, where, async ({ check }: Guard) => {
    started.resolve();
    await leave.promise;
    await check?.();
  });
  await started.promise;
  const person = { ...where, owner: 'rollback of restore-1', undo: true };
  await assert.rejects(
    guardedByPerson(other, person, async () => assert.fail('ran beside the worker')),
    { code: 'LOCKED' },
  );
  leave.resolve();
  await step;
});

test('a person takes over what an ended process of the same restore has left, but not what another run holds', async (t) => {
  const { services, where, made } = await place(t);
  const vault = await services.vault();
  const leaving = {
    ...services,
    vault: async () => ({
      acquireLease: async (name: string, owner: string, ttlMs: number, above?: number) => {
        // Killed: it never gives its lease back.
        const taken = await vault.acquireLease(name, owner, ttlMs, above);
        return { token: taken.token, check: async () => {}, renew: async () => {}, release: async () => {} };
      },
    }),
  } as unknown as typeof services;
  await guarded(leaving, where, async () => {});
  const other = { ...services, vault: () => made.reopen() };
  const person = { ...where, owner: 'rollback of restore-1', undo: true };
  assert.equal(await guardedByPerson(other, person, async ({ token }) => token), 2);
  await guarded(leaving, { ...where, run: 'restore-2', owner: 'restore-2' }, async () => {});
  await assert.rejects(
    guardedByPerson(other, person, async () => 0),
    (error: Error & { code?: string; hint?: string }) => {
      assert.equal(error.code, 'LOCKED');
      assert.match(error.message, /held by 'restore-2'/);
      assert.match(String(error.hint), /within two minutes/);
      return true;
    },
  );
});

test('tokens are greater than any in the journal, with a lease and without, also when the copies have forgotten', async (t) => {
  const { services, where } = await place(t);
  const paths = restorePaths(where.dataDirectory, where.run);
  const head = { run: where.run, digest: 'd', dataDirectory: where.dataDirectory } as unknown as JournalHead;
  await (await Journal.open(paths, { token: 7 }, head)).append('swap', 'begin');
  const write = async (guard: Guard) => {
    await (await Journal.open(paths, guard)).append('swap', 'begin');
    return guard.token;
  };
  assert.equal(await guarded(services, where, write), 8);
  const away = async () => {
    throw new HoldfastError('STORE_UNAVAILABLE', 'nobody answers');
  };
  assert.equal(await guardedByPerson({ ...services, vault: away }, { ...where, undo: true }, write), 9);
  assert.equal(await guarded(services, where, write), 10);
  assert.equal((await journalState(where.dataDirectory, where.run))?.token, 10);
});
