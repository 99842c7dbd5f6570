// What can go wrong on the way of an incremental capture: bytes that are not what the server sent, and a process that dies.

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { PhysicalDetails } from '../../src/postgres/types.ts';
import { run, start } from '../../src/process/index.ts';
import { type BackupBench, backupBench, restoreTree } from '../support/base-backup.ts';
import { localObjects, packsOf } from '../support/estate-objects.ts';
import { COMPONENT, snapshotId } from '../support/vault.ts';
import { waitFor } from '../support/wait-for.ts';

const MAGIC = Buffer.from([0x0d, 0x1f, 0xae, 0xd3]);

/** Where in a list of changed blocks a byte is turned; pages begin behind the first one's worth of bytes. */
const places = { 'number of blocks': 4, 'truncation length': 8, 'block number': 12, 'page of a block': 8192 + 100 };

/** A way to the server that turns one byte of the first list that has blocks. */
async function turning(t: TestContext, port: number, offset: number): Promise<number> {
  const proxy = net.createServer((client) => {
    const upstream = net.connect(port, '127.0.0.1');
    let isTurned = false;
    let held: Buffer = Buffer.alloc(0);
    upstream.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      const place = isTurned ? undefined : placeIn(held, offset);
      // More of the list is to come: what is here waits for it.
      if (place === 'later') return;
      if (place !== undefined) {
        held[place] = held.readUInt8(place) ^ 0x40;
        isTurned = true;
      }
      client.write(held);
      held = Buffer.alloc(0);
    });
    client.on('data', (chunk) => upstream.write(chunk));
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.end(held));
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise((resolve) => proxy.close(resolve)));
  return (proxy.address() as net.AddressInfo).port;
}

function placeIn(bytes: Buffer, offset: number): number | 'later' | undefined {
  for (let at = bytes.indexOf(MAGIC); at >= 0; at = bytes.indexOf(MAGIC, at + 1)) {
    if (at + 8 > bytes.length) return 'later';
    if (bytes.readUInt32LE(at + 4) === 0) continue;
    return at + offset < bytes.length ? at + offset : 'later';
  }
  return undefined;
}

async function changed({ server, backup }: BackupBench): Promise<void> {
  await server.query('create table entries as select n, repeat(md5(n::text), 8) t from generate_series(1, 50000) n');
  await server.query('checkpoint');
  assert.equal((await backup(1)).state, 'clean');
  await server.query("update entries set t = 'x' where n % 40 = 0");
  await server.query('checkpoint');
}

test('a list of changed blocks, or a page in one, that is not what the server sent is never committed', async (t) => {
  const bench = await backupBench(t, 17);
  const { server, vault, incremental } = bench;
  await changed(bench);
  for (const [what, offset] of Object.entries(places)) {
    const port = await turning(t, server.port, offset);
    const source = { component: COMPONENT, url: server.url().replace(`:${server.port}/`, `:${port}/`) } as const;
    await assert.rejects(incremental(2, { source }), { code: 'BACKUP_INVALID' }, what);
  }
  assert.equal((await vault.listSnapshots(COMPONENT)).length, 1);
  const { engine } = await incremental(2);
  assert.deepEqual([engine.capture, engine.parent], ['incremental', snapshotId(1)]);
});

test('a capture that ends in the middle leaves nothing in the spool, and the next attempt of it is incremental', async (t) => {
  const bench = await backupBench(t, 18);
  const { server, vault, directory, incremental } = bench;
  await changed(bench);
  const stop = new AbortController();
  const onProgress = () => stop.abort();
  await assert.rejects(incremental(2, { signal: stop.signal, onProgress }), { code: 'CANCELLED' });
  let killed: Promise<void> | undefined;
  const kill = () => {
    killed ??= server.stop('immediate');
  };
  await assert.rejects(incremental(2, { onProgress: kill, rateLimitBytesPerSecond: 4 * 1024 * 1024 }));
  await killed;
  assert.equal((await vault.listSnapshots(COMPONENT)).length, 1);
  assert.deepEqual(await readdir(path.join(directory, 'state')), []);
  await server.start();
  const { engine } = await incremental(2);
  const { capture, parent, fullBecause } = engine as PhysicalDetails;
  assert.deepEqual([capture, parent, fullBecause], ['incremental', snapshotId(1), undefined]);
});

/** Bytes that no compression makes smaller: more than two packs. */
const noiseBytes = 80 * 2 ** 20;

const noise = (from: number, to: number) =>
  `insert into noise select n, (select string_agg(sha512(int4send(n * 128 + i)), '') from generate_series(0, 127) i)
    from generate_series(${from}, ${to}) n`;

test('a process that is killed in the middle of a capture commits nothing, and the next attempt of it is incremental and stores nothing twice', async (t) => {
  const { server, vault, directory, holder, backup, incremental } = await backupBench(t, 18);
  await server.query('create table noise (n int, bytes bytea)');
  await server.query('alter table noise alter bytes set storage external');
  await server.query(noise(1, 50));
  await server.query('checkpoint');
  await backup(1);
  await server.query(noise(51, 50 + noiseBytes / 8192));
  await server.query('checkpoint');
  const copy = holder.path('local');
  const before = packsOf(await localObjects(copy));
  const spool = path.join(directory, 'state');
  const program = ['test/support/capture-and-die.ts', server.url(), holder.keyFile, copy, '2', spool];
  const child = await start(process.execPath, program);
  child.stdout?.resume();
  const ended = child.finished.then(() => assert.fail('it ended before a pack was stored'));
  ended.catch(() => undefined); // awaited in the race
  const stored = await Promise.race([
    ended,
    waitFor(
      'packs to be stored',
      async () => {
        const { names } = packsOf(await localObjects(copy));
        return names.length > before.names.length && names;
      },
      { pauseMs: 2 },
    ),
  ]);
  await child.stop({ signal: 'SIGKILL' });
  assert.equal((await child.finished).signal, 'SIGKILL');
  assert.equal((await vault.listSnapshots(COMPONENT)).length, 1);

  const { id, engine } = await incremental(2);
  const { capture, parent, fullBecause } = engine as PhysicalDetails;
  assert.deepEqual([id, capture, parent, fullBecause], [snapshotId(2), 'incremental', snapshotId(1), undefined]);
  assert.equal((await vault.listSnapshots(COMPONENT)).length, 2);
  assert.deepEqual(await readdir(spool), []);
  const packs = packsOf(await localObjects(copy));
  for (const name of stored) assert.ok(packs.names.includes(name));
  const added = packs.bytes - before.bytes;
  t.diagnostic(`${stored.length - before.names.length} packs were stored before the kill, ${added} bytes in all`);
  // One pack of noise that is stored again would be 30 MiB more.
  assert.ok(added > noiseBytes && added < noiseBytes + 16 * 2 ** 20, `${added} bytes`);
  const restored = path.join(directory, 'restored');
  await restoreTree(vault, id, restored);
  const verified = await run(server.bin('pg_verifybackup'), ['-n', restored]);
  assert.match(verified.stdout, /backup successfully verified/);
});
