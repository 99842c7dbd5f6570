// What can go wrong on the way of an incremental capture: bytes that are not what the server sent, and a process that dies.

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { PhysicalDetails } from '../../src/postgres/types.ts';
import { type BackupBench, backupBench } from '../support/base-backup.ts';
import { COMPONENT, snapshotId } from '../support/vault.ts';

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
