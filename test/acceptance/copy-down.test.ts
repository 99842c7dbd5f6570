// One copy is down while a backup is taken: the backup completes, the reports name the copy, and it catches up by itself.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketObjects, packsOf } from '../support/estate-objects.ts';
import { powerOff } from '../support/estate-outage.ts';
import { estateSandbox, type Json } from '../support/estate-sandbox.ts';
import { waitFor } from '../support/wait-for.ts';

const estate = await estateSandbox();
const { sandbox } = estate;
const patient = { limitMs: 600_000, pauseMs: 1_000 };

const stateOf = (component: Json, copy: string) => component?.copies.find((each: Json) => each.copy === copy);

let powerOn: () => Promise<void>;
let snapshotId: string;

test('a backup completes while one copy is down, and says so', async () => {
  const filled = await estate.pgbench('-i', '-q', '-s', '3');
  await filled.succeeded();
  powerOn = await powerOff(sandbox, 'us');
  const { run, snapshot, steps } = await estate.completed(await estate.detached('backup', 'database/main'));
  assert.equal(run.operation, 'backupDatabase');
  assert.deepEqual([snapshot.copies.local, snapshot.copies.eu], ['present', 'present']);
  assert.notEqual(snapshot.copies.us, 'present');
  assert.ok(steps.every(({ state }: Json) => state === 'done'));
  snapshotId = snapshot.id;
});

test('copies and status name the copy that is down', async () => {
  const { exit, json } = await estate.holdfast(['copies']);
  assert.equal(exit, 4);
  const states = Object.fromEntries(json.copies.map(({ copy, state }: Json) => [copy, state]));
  assert.deepEqual(states, { local: 'ready', eu: 'ready', us: 'away' });
  const us = json.copies.find(({ copy }: Json) => copy === 'us');
  assert.equal(us.error.code, 'STORE_UNAVAILABLE');
  const component = await estate.component();
  assert.ok(['away', 'unknown'].includes(stateOf(component, 'us').state), JSON.stringify(component.copies));
  assert.equal(stateOf(component, 'eu').state, 'complete');
  assert.ok(
    component.findings.some(({ message }: Json) => message.includes('us')),
    JSON.stringify(component.findings),
  );
});

test('the log goes on, and what was written meanwhile is recoverable from the other copies', async () => {
  await estate.query('create table meanwhile as select 1 as n');
  const moment = await estate.moment();
  await estate.query(`select pg_switch_wal(); create table later (n int)`);
  await waitFor('the log to reach the moment', async () => (await estate.component())?.window?.to > moment, patient);
  const { exit } = await estate.holdfast(['restore', 'database/main', '--to', moment, '--dry-run']);
  assert.equal(exit, 0);
});

test('a restore from the copy that is down is refused with why, and the others are named; no other is taken for it', async () => {
  await estate.query('grant pg_read_all_data to holdfast');
  await estate.done('backup', 'database/main', '--kind', 'logical');
  for (const target of [['latest'], ['latest', '--table', 'public.meanwhile', '--as', 'then'], ['dump:latest']]) {
    const args = ['restore', 'database/main', '--from', 'us', '--dry-run', '--to', ...target];
    const { exit, json } = await estate.holdfast(args);
    assert.deepEqual([json.error?.code, exit], ['NO_SNAPSHOT', 3], `${target.join(' ')}: ${JSON.stringify(json)}`);
    assert.match(json.error.message, /^copy 'us' is away: /);
    assert.match(json.error.hint, /^`--from local` or `--from eu` can serve; without `--from` /);
  }
  const looked = await estate.holdfast(['test', 'integrity', 'database/main', '--level', 'listed', '--copy', 'us']);
  assert.equal(looked.exit, 4, looked.stdout);
  assert.equal(looked.json.integrity[0].state, 'not checked');
});

test('when it is back, the copy catches up by itself: snapshot, log and window are there', async () => {
  await powerOn();
  const component = await waitFor(
    'the copy to be complete',
    async () => {
      const seen = await estate.component();
      return stateOf(seen, 'us')?.state === 'complete' && seen;
    },
    patient,
  );
  const [us, eu] = ['us', 'eu'].map((copy) => stateOf(component, copy));
  assert.equal(us.snapshotsBehind, 0);
  assert.deepEqual([us.window.from, us.window.holes], [eu.window.from, []]);
  assert.equal(component.lastSnapshot.copies.us, 'present');
  const { snapshots } = await estate.done('list');
  assert.deepEqual(snapshots.find(({ id }: Json) => id === snapshotId).copies, {
    local: 'present',
    eu: 'present',
    us: 'present',
  });
  assert.deepEqual(packsOf(await bucketObjects(sandbox.copies.us)), packsOf(await bucketObjects(sandbox.copies.eu)));
  assert.equal((await estate.holdfast(['copies'])).exit, 0);
  const { ok } = await estate.done('check', 'database/main');
  assert.notEqual(ok, false);
});
