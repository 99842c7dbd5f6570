// A mirror by itself: its schedule, and how a run of it ends.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { parseConfiguration } from '../../config/index.ts';
import type { RunStatus } from '../../src/domain/operations.ts';
import { applySchedules, listSchedules } from '../../src/temporal/schedules.ts';
import { FILE, minimal } from '../support/configuration.ts';
import { waitFor } from '../support/wait-for.ts';
import { failureOf } from './support/closing.ts';
import { failure, script } from './support/scripted-activities.ts';
import { sharedEnvironment, startEstate } from './support/workflow-environment.ts';

const shared = sharedEnvironment();

const configured = (name: string, schedule: string) =>
  parseConfiguration(
    `${minimal.replace('name: acme', `name: ${name}`)}
files: { uploads: { host: db1, roots: [/srv/uploads], mirror: { directory: /srv/m${schedule} } } }
`,
    FILE,
  );

test('a mirror has a schedule where the configuration names one, and none once it does not', async () => {
  const name = `t${randomUUID().slice(0, 8)}`;
  const { client } = shared.env;
  const id = `${name}/mirror/files/uploads/schedule`;
  const hourly = configured(name, ', schedule: every 1h');
  const [created, ...others] = await applySchedules(client, hourly, { dryRun: false });
  assert.deepEqual([created, others], [{ id, change: 'created', spec: 'every 1h' }, []]);
  const { action, policies } = await client.schedule.getHandle(id).describe();
  const input = { estate: name, component: 'files/uploads', host: 'db1', by: 'schedule' };
  assert.deepEqual([action.workflowType, action.args, policies.overlap], ['mirrorFiles', [input], 'SKIP']);
  const [listed] = await listSchedules(client, hourly);
  assert.deepEqual([listed?.component, listed?.kind, listed?.drift], ['files/uploads', 'mirror', undefined]);
  const without = configured(name, '');
  // What the configuration does not name is known from the server's list alone, which learns of it a moment later.
  const [surplus] = await waitFor('it to be listed', async () => {
    const found = await listSchedules(client, without);
    return found.length > 0 && found;
  });
  assert.deepEqual([surplus?.component, surplus?.kind, surplus?.drift], ['files/uploads', 'mirror', 'surplus']);
  const [removed] = await applySchedules(client, without, { dryRun: false });
  assert.deepEqual(removed, { id, change: 'removed', spec: 'every 1h' });
  assert.deepEqual(await listSchedules(client, without), []);
});

test('a run of it waits for one that is at it, tells what it holds back, and fails with what the host says', async (t) => {
  const answers: (() => unknown)[] = [
    () => ({ to: '/srv/m', state: 'complete' }),
    () => ({ to: '/srv/m', state: 'held back', heldBecause: 'far fewer' }),
    () => {
      throw failure('FILES_ROOT', 'a root is empty');
    },
  ];
  const { requests, activities } = script({ mirrorFiles: () => answers.shift()?.() });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const request = { estate: estate.name, component: 'files/uploads', host: 'db1' };
  const start = () => estate.start('mirrorFiles', `${estate.name}/mirror/files/uploads`, request);
  const whole = (await (await start()).result()) as RunStatus;
  assert.deepEqual([whole.state, whole.message], ['completed', 'mirror /srv/m is up to date']);
  assert.deepEqual(requests.mirrorFiles, [{ component: 'files/uploads', wait: true }]);
  const held = (await (await start()).result()) as RunStatus;
  assert.equal(held.state, 'completed');
  assert.match(JSON.stringify(held.data?.warnings), /keeps names that are gone: far fewer files/);
  assert.equal((await failureOf(await start())).type, 'FILES_ROOT');
});
