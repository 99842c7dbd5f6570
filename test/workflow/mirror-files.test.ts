// A mirror by itself: its schedule, and how a run of it ends.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { parseConfiguration } from '../../config/index.ts';
import type { RunStatus } from '../../src/domain/operations.ts';
import { HoldfastError } from '../../src/errors/index.ts';
import { applySchedules, listSchedules } from '../../src/temporal/schedules.ts';
import { FILE, minimal } from '../support/configuration.ts';
import { waitFor } from '../support/wait-for.ts';
import { failureOf } from './support/closing.ts';
import { failure, script, untilCancelled } from './support/scripted-activities.ts';
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

test('a run of it comes after one that is at it, tells what it holds back, and fails with what the host says', async (t) => {
  const answers: (() => unknown)[] = [
    () => {
      throw failure('LOCKED', 'another process is at it');
    },
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
  const first = await start();
  await waitFor('the run to say that it waits', async () =>
    (await estate.status(first)).steps.some(({ note }) => note !== undefined && /this one comes after it/.test(note)),
  );
  const whole = (await first.result()) as RunStatus;
  assert.deepEqual([whole.state, whole.message], ['completed', 'mirror /srv/m is up to date']);
  const asked = { component: 'files/uploads', run: whole.run };
  assert.deepEqual(requests.mirrorFiles, [asked, asked]);
  const held = (await (await start()).result()) as RunStatus;
  assert.equal(held.state, 'completed');
  assert.match(JSON.stringify(held.data?.warnings), /keeps names that are gone: far fewer files/);
  assert.equal((await failureOf(await start())).type, 'FILES_ROOT');
  assert.equal(requests.putRunRecord?.length, 3);
});

test('of a schedule only those that begin to fail keep a record', async (t) => {
  const again = { ...new HoldfastError('FILES_ROOT', 'a root is empty').toJSON(), details: { again: true } };
  const answers: (() => unknown)[] = [
    () => ({ to: '/srv/m', state: 'complete' }),
    () => {
      throw failure('FILES_ROOT', 'a root is empty');
    },
    () => {
      throw ApplicationFailure.create({
        type: again.code,
        message: again.message,
        nonRetryable: true,
        details: [again],
      });
    },
  ];
  const { requests, activities } = script({ mirrorFiles: () => answers.shift()?.() });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const request = { estate: estate.name, component: 'files/uploads', host: 'db1', by: 'schedule' };
  const start = () => estate.start('mirrorFiles', `${estate.name}/mirror/files/uploads`, request);
  await (await start()).result();
  const { status } = await failureOf(await start());
  assert.equal((await failureOf(await start())).type, 'FILES_ROOT');
  const records = (requests.putRunRecord ?? []) as { run: string; name: string }[];
  assert.deepEqual(
    records.map(({ run, name }) => [run, name]),
    [[status.run, 'result']],
  );
});

test('mirrors and pulls that take their time take nothing from the backups of their host', async (t) => {
  const seen = { begun: 0, ended: 0 };
  const slow = () => untilCancelled({ begun: () => void seen.begun++, ended: () => void seen.ended++ });
  const { activities, requests } = script({ mirrorFiles: slow });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const of = (component: string) => ({ estate: estate.name, component, host: 'db1' });
  const mirrors = await Promise.all(
    Array.from({ length: 5 }, (_, at) =>
      estate.start('mirrorFiles', `${estate.name}/mirror/files/m${at}`, of(`files/m${at}`)),
    ),
  );
  // One that is at it, and two places for those who look: the others wait, and so would what is pulled.
  await waitFor('mirrors to begin', () => seen.begun === 3);
  const backup = await estate.start('backupFiles', `${estate.name}/backup/files/uploads`, of('files/uploads'));
  assert.equal(((await backup.result()) as RunStatus).state, 'completed');
  const pulled = await estate.start('backupFiles', `${estate.name}/backup/files/pulled`, {
    ...of('files/pulled'),
    isPulled: true,
  });
  await waitFor('the pull to be asked for', async () => (await estate.status(pulled)).message === 'capture');
  await pulled.cancel();
  assert.equal((await failureOf(pulled)).type, 'CANCELLED');
  assert.equal(requests.captureFiles?.length, 1);
  for (const each of mirrors) await each.cancel();
  for (const each of mirrors) assert.equal((await failureOf(each)).type, 'CANCELLED');
  assert.equal(seen.ended, seen.begun);
});
