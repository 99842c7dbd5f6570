// The worker is killed in the middle of a backup and of shipping: both go on by themselves, nothing is stored twice, nothing is lost.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bucketObjects, localObjects, packsOf } from '../support/estate-objects.ts';
import { estateSandbox } from '../support/estate-sandbox.ts';
import { waitFor } from '../support/wait-for.ts';

const estate = await estateSandbox();
const { sandbox } = estate;
const { dataDirectory } = sandbox.postgres;
const local = sandbox.copies.local.path;
const mib = 2 ** 20;
const soon = { limitMs: 300_000, pauseMs: 5 };

/** Bytes that no compression makes smaller, so that a capture fills packs. */
const noiseBytes = 128 * mib;

const sums = (url?: string) =>
  estate.value(
    `select concat_ws(' ', (select sum(abalance) from pgbench_accounts), (select sum(bbalance) from pgbench_branches),
       (select sum(tbalance) from pgbench_tellers), (select count(*) || ' ' || coalesce(sum(delta), 0) from pgbench_history),
       (select md5(string_agg(md5(bytes), '' order by n)) from noise))`,
    url,
  );

async function fillWithNoise(): Promise<void> {
  await estate.query(`create table noise (n int, bytes bytea);
    alter table noise alter bytes set storage external;
    insert into noise select n, (select string_agg(sha512(int4send(n * 128 + i)), '') from generate_series(0, 127) i)
      from generate_series(1, ${noiseBytes / 8192}) n`);
  // What vacuums between two attempts changes every page, and then both are right to store their own.
  await estate.query('alter system set autovacuum = off');
  await estate.query('select pg_reload_conf()');
  await estate.query('vacuum (freeze)');
  await estate.query('checkpoint');
}

test('a backup whose worker is killed while packs are stored goes on by itself and stores nothing twice', async (t) => {
  const filled = await estate.pgbench('-i', '-q', '-s', '20');
  await filled.succeeded();
  await fillWithNoise();
  const run = await estate.detached('backup', 'database/main');
  const stored = await waitFor(
    'packs to be stored',
    async () => {
      const { names } = packsOf(await localObjects(local));
      return names.length > 0 && names;
    },
    soon,
  );
  await estate.killWorker();
  const keys = [...(await localObjects(local)).keys()];
  assert.ok(!keys.some((key) => key.includes('/snapshots/')), 'it was killed too late');
  await estate.startWorker();
  const { snapshot } = await estate.completed(run);
  assert.deepEqual(snapshot.copies, { local: 'present', eu: 'present', us: 'present' });
  const packs = packsOf(await localObjects(local));
  t.diagnostic(
    `${stored.length} packs were stored before the kill, ${packs.names.length} in all, ${packs.bytes} bytes`,
  );
  // What the killed attempt stored is used: one pack of noise that is stored again is 30 MiB more than this.
  for (const name of stored) assert.ok(packs.names.includes(name));
  assert.equal(new Set(packs.names).size, packs.names.length);
  assert.ok(packs.bytes < noiseBytes + 42 * mib, `${packs.bytes}`);
  for (const copy of ['eu', 'us'] as const) {
    assert.deepEqual(packsOf(await bucketObjects(sandbox.copies[copy])), packs, copy);
  }
});

test('a second backup of the same data adds almost nothing', async () => {
  const before = packsOf(await localObjects(local));
  const { snapshot } = await estate.completed(await estate.detached('backup', 'database/main'));
  assert.ok(snapshot.bytes.read > noiseBytes);
  const after = packsOf(await localObjects(local));
  assert.ok(after.bytes - before.bytes < 8 * mib, `${after.bytes - before.bytes}`);
});

test('log whose worker is killed again and again is without a hole, and everything acknowledged comes back', async (t) => {
  const bench = await estate.pgbench('-c', '2', '-T', '15', '--no-vacuum');
  const kills = 2;
  for (let kill = 0; kill < kills; kill++) {
    await sleep(3_000);
    await estate.killWorker();
    await estate.startWorker();
  }
  await bench.succeeded();
  const expected = await sums();
  const check = await estate.done('check', 'database/main');
  t.diagnostic(JSON.stringify(check).slice(0, 600));
  const { window } = await estate.component();
  assert.deepEqual(window.holes, []);
  const logNames = [...(await localObjects(local)).keys()].filter((key) => /\/[0-9A-F]{24}$/.test(key));
  assert.equal(new Set(logNames.map((key) => path.basename(key))).size, logNames.length);
  const beside = path.join(path.dirname(dataDirectory), 'beside');
  const run = await estate.detached('restore', 'database/main', '--to', 'latest', '--beside', beside, '--start');
  const { restore } = await estate.completed(run);
  const url = new URL(restore.connection.replace('@/', '@localhost/'));
  const socket = `postgres://${url.username}@${encodeURIComponent(url.searchParams.get('host') ?? '')}:${url.searchParams.get('port')}/postgres`;
  assert.equal(await sums(socket), expected);
  await estate.done('stop', run, '--yes');
});
