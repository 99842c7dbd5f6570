// How a backup runs, who joins it, and what it starts for copies that were away.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunStatus } from '../../src/domain/operations.ts';
import { waitFor } from '../support/wait-for.ts';
import { dataOf, failureOf } from './support/closing.ts';
import { failure, point, script, snapshot, untilCancelled } from './support/scripted-activities.ts';
import { sharedEnvironment, startEstate } from './support/workflow-environment.ts';

const shared = sharedEnvironment();
const request = (estate: string) => ({ estate, component: 'database/main', host: 'db1', kind: 'physical' });

test('a backup is identified, captured, verified and written down; its snapshot is named after the run', async (t) => {
  const { calls, requests, activities } = script();
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('backupDatabase', `${estate.name}/backup/database/main`, request(estate.name));
  const status = (await handle.result()) as RunStatus;
  assert.deepEqual(calls, [
    ...['resolveOperation', 'identifyDatabase', 'ensureLog', 'captureBaseBackup', 'verifySnapshot', 'putRunRecord'],
  ]);
  const [{ snapshot: id, systemId }] = requests.captureBaseBackup as [{ snapshot: string; systemId: string }];
  assert.match(id, /^\d{8}T\d{6}Z-[0-9a-f]{8}$/);
  assert.equal(id.slice(-8), status.run.slice(-8));
  assert.equal(systemId, '7');
  const record = requests.putRunRecord?.[0] as { run: string; name: string; data: RunStatus };
  assert.deepEqual([record.run, record.name, record.data.state], [status.run, 'result', 'completed']);
});

test('a point closes the log and is shown to be on copies; no snapshot is taken', async (t) => {
  const { calls, requests, activities } = script();
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const asked = { ...request(estate.name), kind: 'point' };
  const handle = await estate.start('backupDatabase', `${estate.name}/backup/database/main`, asked);
  const status = (await handle.result()) as RunStatus;
  assert.deepEqual(calls, ['resolveOperation', 'identifyDatabase', 'ensureLog', 'makePoint', 'putRunRecord']);
  assert.deepEqual(requests.makePoint, [{ component: 'database/main', systemId: '7', name: `holdfast ${status.run}` }]);
  assert.equal(status.message, 'point at 0/4000000 by a segment switch on local');
  assert.deepEqual(status.data?.point, point);
  assert.deepEqual(
    status.steps.map(({ name, state }) => [name, state]),
    [...['identify', 'log runs', 'point'].map((name) => [name, 'done'])],
  );
});

test('damaged pages are told by relation with the way out, and facts that are missing', async (t) => {
  const index = { name: 'public.a_pkey', kind: 'index', of: 'public.a', database: 'bank', path: 'base/5/16390' };
  const relations = [{ ...index, blocks: [[3, 3]], hint: 'made anew by: REINDEX INDEX public.a_pkey;' }];
  const facts = {
    databases: 0,
    tables: 0,
    counted: 0,
    rows: 0,
    maxima: 0,
    missing: ["database 'bank': our role may not connect"],
  };
  const taken = { ...snapshot, state: 'damaged', damaged: { pages: 1, relations }, facts };
  const { activities } = script({ captureBaseBackup: () => taken });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('backupDatabase', `${estate.name}/backup/database/main`, request(estate.name));
  assert.deepEqual(((await handle.result()) as RunStatus).data?.warnings, [
    'damaged pages: index public.a_pkey of public.a in database bank, block 3; made anew by: REINDEX INDEX public.a_pkey;',
    "facts are missing, which a restore could have been compared with: database 'bank': our role may not connect",
  ]);
});

test('an incremental capture says what it is laid over, or why it is one in full', async (t) => {
  const captures = [
    { ...snapshot, capture: 'incremental', parent: '20261122T000000Z-00000000' },
    { ...snapshot, capture: 'full', fullBecause: "the server's setting 'summarize_wal' is off" },
  ];
  const { requests, activities } = script({ captureBaseBackup: () => captures.shift() });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const taken = async () => {
    const asked = { ...request(estate.name), kind: 'incremental' };
    const handle = await estate.start('backupDatabase', `${estate.name}/backup/database/main`, asked);
    return (await handle.result()) as RunStatus;
  };
  const laid = await taken();
  assert.match(laid.message, /^snapshot \S+, laid over 20261122T000000Z-00000000, on local, eu$/);
  assert.equal(laid.data?.warnings, undefined);
  const inFull = await taken();
  assert.match(inFull.message, /^snapshot \S+, in full, on local, eu; in full because .*summarize_wal' is off$/);
  assert.deepEqual(inFull.data?.warnings, [
    "captured in full instead of incrementally: the server's setting 'summarize_wal' is off",
  ]);
  const asked = requests.captureBaseBackup as { capture?: string }[];
  assert.deepEqual(
    asked.map(({ capture }) => capture),
    ['incremental', 'incremental'],
  );
});

test('a server without incremental backups makes a point and says so', async (t) => {
  const { calls, activities } = script({
    identifyDatabase: () => ({
      systemId: '7',
      versionNum: 150018,
      timeline: 1,
      role: 'primary',
      flushLsn: '0/3000000',
    }),
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const asked = { ...request(estate.name), kind: 'incremental' };
  const handle = await estate.start('backupDatabase', `${estate.name}/backup/database/main`, asked);
  const status = (await handle.result()) as RunStatus;
  assert.ok(calls.includes('makePoint') && !calls.includes('captureBaseBackup'));
  assert.deepEqual(status.data?.warnings, ['made a point instead: PostgreSQL 15 has no incremental backups']);
  assert.deepEqual(
    status.steps.map(({ name, state }) => [name, state]),
    [
      ['identify', 'done'],
      ['log runs', 'done'],
      ['capture', 'skipped'],
      ['verify', 'skipped'],
      ['point', 'done'],
    ],
  );
  assert.match(status.message, /^point at 0\/4000000 .*, because PostgreSQL 15 has no incremental backups$/);
});

test('a run under any id runs the canonical one as its child and ends as it ends', async (t) => {
  const { activities } = script();
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('backupDatabase', `anything-${estate.name}`, request(estate.name));
  const status = (await handle.result()) as RunStatus;
  assert.equal(status.workflowId, `${estate.name}/backup/database/main`);
  assert.equal(status.state, 'completed');
});

test('cancelling the run that started the canonical one cancels that one too', async (t) => {
  const seen: string[] = [];
  const { activities } = script({
    captureBaseBackup: () => untilCancelled({ begun: () => seen.push('begun'), ended: () => seen.push('ended') }),
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('backupDatabase', `anything-${estate.name}`, request(estate.name));
  await waitFor('the capture to begin', () => seen.includes('begun'));
  await handle.cancel();
  const { type } = await failureOf(handle);
  assert.equal(type, 'CANCELLED');
  assert.deepEqual(seen, ['begun', 'ended']);
  const canonical = await failureOf(shared.env.client.workflow.getHandle(`${estate.name}/backup/database/main`));
  assert.deepEqual([canonical.type, canonical.status.state], ['CANCELLED', 'failed']);
});

test('terminating the run that started the canonical one leaves that one alone', async (t) => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { calls, activities } = script({ captureBaseBackup: () => held.then(() => snapshot) });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('backupDatabase', `anything-${estate.name}`, request(estate.name));
  await waitFor('the capture to begin', () => calls.includes('captureBaseBackup'));
  await handle.terminate('somebody tidied up');
  release();
  const canonical = shared.env.client.workflow.getHandle(`${estate.name}/backup/database/main`);
  assert.equal(((await canonical.result()) as RunStatus).state, 'completed');
});

test('a run that comes while the canonical one runs joins it, and both have the same result', async (t) => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const joined: unknown[] = [];
  const { calls, activities } = script({
    captureBaseBackup: () => held.then(() => snapshot),
    awaitRun: async (request: { workflowId: string }) => {
      joined.push(request);
      return await shared.env.client.workflow.getHandle(request.workflowId).result();
    },
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const first = await estate.start('backupDatabase', `${estate.name}/backup/database/main`, request(estate.name));
  await waitFor('the capture to begin', () => calls.includes('captureBaseBackup'));
  const second = await estate.start('backupDatabase', `second-${estate.name}`, request(estate.name));
  await waitFor('the second run to join', () => joined.length === 1);
  release();
  const [one, two] = (await Promise.all([first.result(), second.result()])) as [RunStatus, RunStatus];
  assert.deepEqual(two, one);
  assert.deepEqual(joined, [{ workflowId: `${estate.name}/backup/database/main`, request: 'physical' }]);
  assert.equal(calls.filter((name) => name === 'captureBaseBackup').length, 1);
});

test('a copy that missed the snapshot is caught up by a run of its own', async (t) => {
  const { requests, activities } = script({
    captureBaseBackup: () => ({ ...snapshot, copies: { local: 'present', eu: 'present', us: 'away' } }),
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('backupDatabase', `${estate.name}/backup/database/main`, request(estate.name));
  const status = (await handle.result()) as RunStatus;
  assert.match(status.message, / on local, eu; us behind, catching up$/);
  const catchUp = shared.env.client.workflow.getHandle(`${estate.name}/catch-up/us`);
  assert.equal(((await catchUp.result()) as RunStatus).state, 'completed');
  assert.deepEqual(requests.catchUpCopy, [{ estate: estate.name, host: 'db1', copy: 'us' }]);
});

test('how a run ended does not depend on whether it could be written down', async (t) => {
  const { activities } = script({
    putRunRecord: () => {
      throw failure('VAULT_KEY_WRONG', 'the key does not open this vault');
    },
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('backupDatabase', `${estate.name}/backup/database/main`, request(estate.name));
  const status = (await handle.result()) as RunStatus;
  assert.equal(status.state, 'completed');
  assert.equal(dataOf<{ code: string }>(status, 'recordError').code, 'VAULT_KEY_WRONG');
});

for (const [name, copies, type] of [
  ['damaged on one copy', { local: 'good', eu: 'damaged' }, 'OBJECT_DAMAGED'],
  ['missing on every copy', { local: 'missing', eu: 'missing' }, 'OBJECT_DAMAGED'],
  ['not readable anywhere', { local: 'not checked', eu: 'not checked' }, 'STORE_UNAVAILABLE'],
] as const) {
  test(`a snapshot that is ${name} when it is read again does not end well`, async (t) => {
    const { activities } = script({ verifySnapshot: () => ({ level: 'listed', copies }) });
    const estate = await startEstate(shared, activities);
    t.after(() => estate.stop());
    const handle = await estate.start('backupDatabase', `${estate.name}/backup/database/main`, request(estate.name));
    const closed = await failureOf(handle);
    assert.deepEqual([closed.type, closed.status.state], [type, 'failed']);
  });
}
