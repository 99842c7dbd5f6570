// Ports: free, reserved among processes, and given back by every kind of end.

import assert from 'node:assert/strict';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { start } from '../../../src/process/index.ts';
import { reservePorts } from '../../../src/sandbox/index.ts';
import { waitFor } from '../../support/wait-for.ts';

const script = path.join(import.meta.dirname, '..', '..', 'support', 'port-holder.ts');

test('reserved ports are all different and free, the one 10,000 above each included', async () => {
  const reservation = await reservePorts(50, { companion: true });
  const all = reservation.ports.flatMap((port) => [port, port + 10_000]);
  assert.equal(new Set(all).size, 100);
  for (const port of all) {
    const server = net.createServer();
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
    await new Promise((resolve) => server.close(resolve));
  }
  reservation.release();
});

test('processes that reserve at the same time never get the same port', async () => {
  const holders = await Promise.all(Array.from({ length: 4 }, () => start(process.execPath, [script, '600'])));
  const lists = await Promise.all(
    holders.map(async ({ stdout }) => {
      for await (const line of stdout ?? []) return JSON.parse(String(line)) as number[];
      return [];
    }),
  );
  await Promise.all(holders.map((holder) => holder.stop()));
  const ports = lists.flat();
  assert.equal(ports.length, 2_400);
  assert.equal(new Set(ports).size, ports.length);
});

test('the ports of a process that was killed are free again', async () => {
  const holder = await start(process.execPath, [script, '1']);
  const [port] = await new Promise<number[]>((resolve) => {
    holder.stdout?.once('data', (line) => resolve(JSON.parse(String(line))));
  });
  const isLeased = () =>
    new Promise<boolean>((resolve) => {
      const server = net.createServer().once('error', () => resolve(true));
      server.listen({ path: `\0holdfast-port-${port}` }, () => server.close(() => resolve(false)));
    });
  assert.equal(await isLeased(), true);
  await holder.stop({ signal: 'SIGKILL' });
  await waitFor('the lease to end', async () => !(await isLeased()));
});
