// Supervision of the log beside a copy that goes away and comes back, again and again: each time it is named, and caught up.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createBackupActivities } from '../../activities/backup-activities.ts';
import type { SupervisedLog, SuperviseRequest } from '../../activities/contract.ts';
import type { HostServices } from '../../activities/lib/host-services.ts';
import { blockable } from '../support/blockable-store.ts';
import { hostOf, logger } from '../support/receiver-host.ts';
import { COMPONENT } from '../support/vault.ts';
import { waitFor } from '../support/wait-for.ts';

const patient = { limitMs: 180_000 };
const hour = 60 * 60_000;

test('a copy that goes away twice within one supervision is named twice, whoever looked when', async (t) => {
  const stores = blockable();
  const { server, vault, receivers, configuration } = await hostOf(t, { copies: ['local', 'us'], wrap: stores.wrap });
  const frame = { logger, shutdown: new AbortController().signal, heartbeatEveryMs: 200 };
  const services = { host: 'here', configuration, logger, frame, vault: async () => vault, receivers };
  const { superviseLog } = createBackupActivities(services as unknown as HostServices);
  const notes: string[] = [];
  const supervise = (request: Partial<SuperviseRequest>) => {
    const environment = new MockActivityEnvironment({ startToCloseTimeoutMs: 2 * hour });
    environment.on('heartbeat', (progress?: { note: string }) => notes.push(progress?.note ?? ''));
    t.after(() => environment.cancel());
    const whole = { component: COMPONENT, ignoreAway: [], ignoreForMs: hour, soon: false, ...request };
    return environment.run(superviseLog as never, whole as never) as Promise<SupervisedLog>;
  };
  const isAway = () => receivers.state(COMPONENT)?.copies.find(({ copy }) => copy === 'us')?.error !== undefined;
  const away = async (number: number) => {
    stores.block('us');
    await server.query(`create table t${number} as select 1 as n`);
    await waitFor('the copy to be missed', isAway, patient);
    await vault.putRecord('backup-00000001', `note-${number}`, { number });
  };
  const back = async () => {
    stores.open('us');
    await waitFor('the copy to be back', () => !isAway(), patient);
  };

  const first = supervise({});
  await away(1);
  assert.deepEqual([(await first).outcome, (await first).away], ['copy away', ['us']]);
  // What the workflow does now, and the supervision that goes on meanwhile.
  await back();
  await waitFor('the copy to be asked again', async () => (await vault.copiesBehind()).includes('us'), patient);
  await vault.catchUp('us');
  const second = supervise({ ignoreAway: ['us'] });
  const looked = await Promise.race([second, new Promise((resolve) => setTimeout(resolve, 3_000))]);
  assert.equal(looked, undefined, 'a copy that has everything was named');

  // Too short to be called away, and long enough to miss a record.
  notes.splice(0);
  await away(2);
  await waitFor('the supervision to see it', () => notes.some((note) => note.endsWith('; behind: us')), patient);
  await back();
  assert.deepEqual([(await second).outcome, (await second).away], ['copy away', ['us']]);
  await vault.catchUp('us');
  assert.deepEqual(await vault.copiesBehind(), []);
});
