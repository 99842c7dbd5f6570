// With the last copy that is left a recovery must still be possible: records are kept, and the lock beside the data guards it.

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { guarded } from '../../../src/host/restore-guard.ts';
import { testVault } from '../../support/vault.ts';

const policy = { copies: 2, offsite: 1 };

test('one copy of three keeps records and lets a recovery go on, though it cannot give a lease', async (t) => {
  const made = await testVault({ copies: ['local', 'eu', 'us'], policy });
  t.after(() => made[Symbol.asyncDispose]());
  for (const copy of ['local', 'us']) await rm(made.path(copy), { recursive: true });
  const vault = await made.reopen();
  await vault.putRecord('restore-1', 'plan', { digest: 'd' });
  assert.deepEqual(await vault.getRecord('restore-1', 'plan'), { digest: 'd' });
  await assert.rejects(vault.acquireLease('restore-x', 'restore-1', 60_000), { code: 'POLICY_UNMET' });
  const services = {
    vault: async () => vault,
    host: 'db1',
    logger: pino({ level: 'silent' }),
  };
  const place = { dataDirectory: path.join(made.directory, 'main'), run: 'restore-1', owner: 'restore-1', undo: false };
  assert.equal(await guarded(services, place, async ({ token }) => token), 1);
});

test('a lease that another run holds still refuses, and without any copy nothing is kept', async (t) => {
  const made = await testVault({ copies: ['local', 'eu', 'us'], policy });
  t.after(() => made[Symbol.asyncDispose]());
  const { vault } = made;
  const services = {
    vault: async () => vault,
    host: 'db1',
    logger: pino({ level: 'silent' }),
  };
  const place = { dataDirectory: path.join(made.directory, 'main'), run: 'restore-1', owner: 'restore-1', undo: false };
  await guarded(services, place, async () => {
    const other = { ...place, run: 'restore-2', owner: 'restore-2' };
    await assert.rejects(
      guarded(services, other, async () => 'never'),
      { code: 'LOCKED' },
    );
  });
  for (const copy of ['local', 'eu', 'us']) await rm(made.path(copy), { recursive: true });
  await assert.rejects(vault.putRecord('restore-1', 'plan', {}), { code: 'POLICY_UNMET' });
});
