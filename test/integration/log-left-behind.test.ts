// A backup beside a copy whose log stands still: left behind with its reason when the others are enough, waited for when it is needed.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { takeBaseBackup } from '../../src/postgres/backup/index.ts';
import { blockable } from '../support/blockable-store.ts';
import { hostOf, logger } from '../support/receiver-host.ts';
import { COMPONENT, snapshotId } from '../support/vault.ts';
import { waitFor } from '../support/wait-for.ts';

const log = /\/log\//;
const patient = { limitMs: 180_000 };

async function backupWithout(t: TestContext, policy: { copies: number; offsite: number }) {
  const stores = blockable();
  const host = await hostOf(t, { copies: ['local', 'us'], policy, wrap: stores.wrap, stalledAfterMs: 1_000 });
  stores.block('us', log);
  const waits: string[] = [];
  const backup = takeBaseBackup({
    source: { component: COMPONENT, url: host.server.url() },
    vault: host.vault,
    request: { snapshotId: snapshotId(1), component: COMPONENT, host: 'here' },
    waitForLog: (copy, timeline, from, to, wait) =>
      host.receivers.waitForLog(COMPONENT, copy, timeline, from, to, {
        ...wait,
        onWaiting: (words) => waits.push(words),
      }),
    signal: AbortSignal.timeout(300_000),
    logger,
  });
  return { ...host, stores, backup, waits };
}

test('a copy whose log does not move is left behind when the others are enough, and caught up later', async (t) => {
  const { backup, stores, vault, receivers, flushed } = await backupWithout(t, { copies: 1, offsite: 0 });
  const snapshot = await backup;
  assert.equal(snapshot.copies.local, 'present');
  assert.notEqual(snapshot.copies.us, 'present');
  stores.open('us');
  const [end, signal] = [await flushed(), AbortSignal.timeout(180_000)];
  await receivers.waitForLog(COMPONENT, 'us', 1, end, end, { signal }).catch(() => undefined);
  await waitFor('the copy to be asked again', async () => (await vault.copiesBehind()).includes('us'), patient);
  await vault.catchUp('us');
  assert.deepEqual(await vault.copiesBehind(), []);
  const [listed] = await vault.listSnapshots(COMPONENT);
  assert.deepEqual(listed?.copies, { local: 'present', us: 'present' });
});

test('a copy whose log does not move is waited for when the policy needs it, and the run says so', async (t) => {
  const { backup, stores, waits } = await backupWithout(t, { copies: 2, offsite: 1 });
  const ended = backup.then(
    () => 'ended',
    () => 'failed',
  );
  // Said every few seconds: long after it could have been left behind.
  await waitFor('the words', () => waits.length >= 2, patient);
  assert.match(waits.at(-1) ?? '', /^waiting for the log to [0-9A-F/]+ on copy us, which has it to .*'us' is cut off/);
  assert.equal(await Promise.race([ended, sleep(500)]), undefined);
  stores.open('us');
  assert.deepEqual((await backup).copies, { local: 'present', us: 'present' });
});
