// The RDB of a transfer that ends with a mark is exactly what lies before the mark, in whatever pieces it comes.

import assert from 'node:assert/strict';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { synchronise } from '../../../src/redis/sync/index.ts';
import { seededBytes } from '../../support/vault.ts';

const mark = seededBytes('mark', 20).toString('hex');
const id = seededBytes('id', 20).toString('hex');

/** Answers as a server does, and sends these bytes in pieces of so many. */
async function sending(t: TestContext, bytes: Buffer, pieceBytes: number): Promise<string> {
  const server = net.createServer(async (socket) => {
    socket.setNoDelay(true).on('error', () => undefined);
    for await (const asked of socket) {
      const commands: readonly string[] = String(asked).match(/PING|REPLCONF|PSYNC/g) ?? [];
      for (const command of commands)
        socket.write(command === 'PING' ? '+PONG\r\n' : command === 'PSYNC' ? '' : '+OK\r\n');
      if (!commands.includes('PSYNC')) continue;
      socket.write(`+FULLRESYNC ${id} 17\r\n$EOF:${mark}\r\n`);
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        await turn();
        socket.write(bytes.subarray(at, at + pieceBytes));
      }
      socket.end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  return `redis://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}

async function receive(url: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of (await synchronise({ url })).bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}

test('a mark is found wherever the pieces are cut, and one that looks like its beginning is data', async (t) => {
  const data = Buffer.concat([seededBytes('data', 3000), Buffer.from(mark.slice(0, 39)), seededBytes('more', 300)]);
  for (const rdb of [data, data.subarray(0, 7), Buffer.alloc(0)]) {
    for (const pieceBytes of [1, 39, 40, 41, 100, 4000]) {
      const received = await receive(await sending(t, Buffer.concat([rdb, Buffer.from(mark)]), pieceBytes));
      assert.ok(received.equals(rdb), `${rdb.length} bytes in pieces of ${pieceBytes}: ${received.length} came`);
    }
  }
});

test('a transfer that ends without its mark, or with part of it, is no RDB', async (t) => {
  const data = seededBytes('data', 3000);
  for (const end of [0, 1, 39]) {
    const cut = Buffer.concat([data, Buffer.from(mark.slice(0, end))]);
    await assert.rejects(
      receive(await sending(t, cut, 100)),
      { code: 'REDIS_UNREACHABLE' },
      `${end} bytes of the mark`,
    );
  }
});
