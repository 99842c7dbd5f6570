// Memory that a socket reads into, used again: what is still to be read keeps its bytes, and a stream needs no more memory than waits.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { ReadMemory } from '../../../src/postgres/connection/read-memory.ts';
import { messageTypes, Wire } from '../../../src/postgres/protocol/wire.ts';

const { copyData } = messageTypes;
const PIECE = 64 * 1024;

/** A wire, and the end that a server would write into. */
async function pair(t: TestContext) {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const memory = new ReadMemory();
  const given: Buffer[] = [];
  const socket = memory.socket();
  const wire = new Wire(socket, (chunk) => {
    given.push(chunk);
    memory.giveBack(chunk);
  });
  const accepted = once(server, 'connection') as Promise<[net.Socket]>;
  socket.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [far] = await accepted;
  t.after(() => {
    socket.destroy();
    far.destroy();
    server.close();
  });
  return { wire, far, given };
}

function message(body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(copyData, 0);
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** No two are alike. */
function bodyOf(number: number, lengthBytes: number): Buffer {
  const body = Buffer.alloc(lengthBytes, number % 251);
  body.writeUInt32BE(number, 0);
  return body;
}

const lengths = [4, 100, 8_000, PIECE, 200_000, 1_000_000];

test('messages of every length come as they were sent, while the memory of those before them is used again', async (t) => {
  const { wire, far, given } = await pair(t);
  const sent = Array.from({ length: 300 }, (_, number) => bodyOf(number, lengths[number % lengths.length] as number));
  far.write(Buffer.concat(sent.map(message)));
  for (const [number, body] of sent.entries()) {
    const { type, pieces } = await wire.nextInPieces(60_000);
    assert.equal(type, copyData);
    assert.ok(Buffer.concat(pieces).equals(body), `message ${number} is another`);
  }
  const large = given.filter(({ length }) => length > PIECE / 2);
  const memories = new Set(large.map(({ buffer }) => buffer));
  assert.ok(large.length > 2 * memories.size, `${large.length} reads took ${memories.size} pieces of memory`);
});

test('what was taken to be kept is not written over by what is read later', async (t) => {
  const { wire, far } = await pair(t);
  const kept: Buffer[] = [];
  const sent = Array.from({ length: 200 }, (_, number) => bodyOf(number, 60_000));
  far.write(Buffer.concat(sent.map(message)));
  for (let number = 0; number < sent.length; number += 2) {
    kept.push((await wire.next(60_000)).body);
    await wire.nextInPieces(60_000);
  }
  for (const [at, body] of kept.entries()) assert.ok(body.equals(sent[2 * at] as Buffer), `body ${2 * at} is another`);
});

test('many small reads that wait hold no more memory than they are long', async (t) => {
  const memory = new ReadMemory();
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const socket = memory.socket();
  t.after(() => socket.destroy());
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const accepted = once(server, 'connection') as Promise<[net.Socket]>;
  socket.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [far] = await accepted;
  t.after(() => far.destroy());
  far.setNoDelay(true);
  for (let number = 0; number < 50; number += 1) {
    const before = chunks.length;
    far.write(bodyOf(number, 40));
    while (chunks.length === before) await once(socket, 'data');
  }
  assert.deepEqual(Buffer.concat(chunks), Buffer.concat(Array.from({ length: 50 }, (_, number) => bodyOf(number, 40))));
  const held = new Set(chunks.map(({ buffer }) => buffer));
  const heldBytes = [...held].reduce((sum, { byteLength }) => sum + byteLength, 0);
  assert.ok(heldBytes <= 2 * PIECE, `${heldBytes} bytes are held for ${50 * 40}`);
});
