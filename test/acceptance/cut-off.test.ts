// Every remote copy is cut off, then the worker, its spool and the near copy are lost: the server's slot still has what nobody else has.

import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Lsn, lsnFrom, lsnValue } from '../../src/domain/lsn.ts';
import { bucketObjects } from '../support/estate-objects.ts';
import { cutCable } from '../support/estate-outage.ts';
import { estateSandbox, type Json } from '../support/estate-sandbox.ts';
import { waitFor } from '../support/wait-for.ts';

const estate = await estateSandbox();
const { sandbox } = estate;
const { dataDirectory } = sandbox.postgres;
const segmentBytes = 16n * 1024n * 1024n;
const patient = { limitMs: 600_000, pauseMs: 1_000 };

const currentLsn = async () => lsnValue((await estate.value('select pg_current_wal_lsn()')) as Lsn);
const restartLsn = async () => lsnValue((await estate.value('select restart_lsn from pg_replication_slots')) as Lsn);

/** Writes one row after the other, each in a transaction of its own, until it is stopped; gives the last that was acknowledged. */
function keepWriting(): () => Promise<number> {
  let go = true;
  const writing = (async () => {
    let acknowledged = 0;
    for (; go; await sleep(50))
      acknowledged = Number(await estate.value('insert into acked default values returning n'));
    return acknowledged;
  })();
  return () => {
    go = false;
    return writing;
  };
}

/** How far the log in a region reaches, by the names of its objects. */
async function reachOf(region: 'eu' | 'us'): Promise<bigint> {
  let reach = 0n;
  for (const key of (await bucketObjects(sandbox.copies[region])).keys()) {
    const match = /\/[0-9A-F]{8}([0-9A-F]{8})([0-9A-F]{8})(?:\.[0-9A-F]{16}-([0-9A-F]{16}))?$/.exec(key);
    if (match === null || !key.includes('/log/')) continue;
    const [, high, low, to] = match;
    const end = to ? BigInt(`0x${to}`) : (BigInt(`0x${high}`) << 32n) + (BigInt(`0x${low}`) + 1n) * segmentBytes;
    if (end > reach) reach = end;
  }
  return reach;
}

let acknowledged: number;

test('with all remote copies cut off the log is kept by the slot, also when worker, spool and near copy are lost', async (t) => {
  const filled = await estate.pgbench('-i', '-q', '-s', '3');
  await filled.succeeded();
  await estate.query('create table acked (n serial primary key)');
  await estate.completed(await estate.detached('backup', 'database/main'));
  const stopWriting = keepWriting();
  const bench = await estate.pgbench('-c', '2', '-T', '600', '--no-vacuum');
  await sleep(2_000);
  let join = await cut();
  const from = await currentLsn();
  const samples: bigint[] = [];
  await waitFor(
    'the log to move on by more than two segments',
    async () => {
      samples.push(await restartLsn());
      return (await currentLsn()) > from + 3n * segmentBytes;
    },
    { ...patient, pauseMs: 100 },
  );
  acknowledged = await stopWriting();
  await bench.stop();
  const written = await currentLsn();
  await estate.killWorker();
  samples.push(await restartLsn());
  await rm(path.join(sandbox.directory, 'state'), { recursive: true });
  await rm(sandbox.copies.local.path, { recursive: true });
  await mkdir(sandbox.copies.local.path);

  join();
  const reaches = await Promise.all([reachOf('eu'), reachOf('us')]);
  const vault = reaches.reduce((most, reach) => (reach > most ? reach : most));
  const newest = samples.reduce((most, sample) => (sample > most ? sample : most));
  t.diagnostic(`vault to ${lsnFrom(vault)}, slot from ${lsnFrom(newest)}, written to ${lsnFrom(written)}`);
  assert.ok(newest <= vault, 'the slot let go of log that no copy had');
  assert.ok(vault < written, 'nothing was cut off');

  join = await cut();
  const started = estate.startWorker();
  await sleep(5_000);
  join();
  await started;
  const component = await waitFor(
    'the log to be durable again',
    async () => {
      const seen = await estate.component();
      return seen?.window && lsnValue(seen.window.toLsn) >= written && seen;
    },
    patient,
  );
  assert.deepEqual(component.window.holes, []);
  for (const copy of ['eu', 'us']) {
    const own = component.copies.find((each: Json) => each.copy === copy);
    assert.deepEqual(own.window.holes, [], copy);
  }
  assert.equal(component.copies.find((each: Json) => each.copy === 'local').state, 'away');
  const { json } = await estate.holdfast(['copies']);
  assert.equal(json.copies.find((each: Json) => each.copy === 'local').error.code, 'VAULT_MISSING');
});

async function cut(): Promise<() => void> {
  const joins = [await cutCable(sandbox, 'eu'), await cutCable(sandbox, 'us')];
  return () => {
    for (const join of joins) join();
  };
}

async function restoredBeside(name: string, query: string): Promise<string> {
  const beside = path.join(path.dirname(dataDirectory), name);
  const run = await estate.detached('restore', 'database/main', '--to', 'latest', '--beside', beside, '--start');
  const { restore } = await estate.completed(run);
  const url = new URL(restore.connection.replace('@/', '@localhost/'));
  const host = encodeURIComponent(url.searchParams.get('host') ?? '');
  const found = await estate.value(
    query,
    `postgres://${url.username}@${host}:${url.searchParams.get('port')}/postgres`,
  );
  await estate.done('stop', run, '--yes');
  return found;
}

test('a restore to the latest moment has every row that was acknowledged before', async () => {
  assert.equal(await restoredBeside('latest', 'select max(n) from acked'), String(acknowledged));
});

test('a slot that was dropped by hand is a named hole, an alarm, and a new full backup by itself', async (t) => {
  await estate.killWorker();
  const slot = await estate.value('select slot_name from pg_replication_slots');
  await waitFor(
    'the slot to be free',
    async () => (await estate.value('select count(*) from pg_replication_slots where active')) === '0',
  );
  await estate.query(`select pg_drop_replication_slot('${slot}')`);
  // Without a slot the server lets go of what lies before its checkpoint.
  for (let segment = 0; segment < 4; segment++) {
    await estate.query('insert into acked default values');
    await estate.query('select pg_switch_wal()');
    await estate.query('checkpoint');
  }
  const droppedAt = await estate.moment();
  await estate.startWorker();
  const backup = await waitFor(
    'the new full backup',
    async () => {
      const { json } = await estate.holdfast(['history', 'database/main']);
      return json?.runs?.find(
        ({ operation, state, startedAt }: Json) =>
          operation === 'backupDatabase' && state === 'completed' && startedAt > droppedAt,
      );
    },
    patient,
  );
  t.diagnostic(JSON.stringify(backup));
  const component = await estate.component();
  t.diagnostic(JSON.stringify(component));
  assert.ok(component.window.holes.length > 0, 'status shows no hole');
  assert.equal(
    await estate.value(`select count(*) from pg_replication_slots where slot_name = '${slot}' and active`),
    '1',
  );
  const last = await estate.value('insert into acked default values returning n');
  const at = await currentLsn();
  await estate.holdfast(['check', 'database/main']);
  await waitFor('the row to be durable', async () => lsnValue((await estate.component()).window.toLsn) >= at, patient);
  assert.equal(await restoredBeside('after-the-hole', 'select max(n) from acked'), last);
});
