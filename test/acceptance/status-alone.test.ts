// `status` is asked when things are bad: right after the worker was killed it answers within seconds, and names what it cannot know.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { estateSandbox } from '../support/estate-sandbox.ts';

const estate = await estateSandbox();

/** Far above what it takes on a busy machine, far below the minute that a question to a dead worker takes to be given up. */
const withinMs = 30_000;

async function timedStatus(...args: string[]) {
  const startedAt = performance.now();
  const answer = await estate.holdfast(['status', ...args]);
  return { ...answer, tookMs: performance.now() - startedAt };
}

test('with a worker, status says nothing about silence', async () => {
  await estate.done('backup', 'database/main');
  const { json, exit } = await estate.heard('status');
  assert.equal(exit, 0, JSON.stringify(json));
  assert.deepEqual(json.temporal, { state: 'reachable' });
  assert.equal(json.warnings, undefined);
});

test('after the worker was killed it answers from the vault, names the silent host, and still tells runs and schedules', async (t) => {
  await estate.killWorker();
  const { json, tookMs } = await timedStatus();
  t.diagnostic(`answered after ${Math.round(tookMs)} ms`);
  assert.ok(tookMs < withinMs, `it took ${tookMs} ms`);
  assert.equal(json.temporal.state, 'reachable');
  assert.equal(json.temporal.error.code, 'NO_WORKER');
  const [component] = json.components;
  assert.ok(component.window.to, JSON.stringify(component));
  assert.ok(component.findings.some(({ message }: { message: string }) => /no worker answers on 'here'/.test(message)));
  assert.equal(json.copies.length, 3);
  assert.ok(Array.isArray(json.runs));
});

test('asked to do without Temporal, it says what only Temporal knows', async () => {
  const { json } = await timedStatus('--standalone');
  assert.deepEqual(json.temporal, { state: 'not asked' });
  assert.ok(json.components[0].window.to);
  assert.match(json.warnings[0], /runs under way and schedules are not known/);
});

test('a Temporal that takes the connection and answers nothing holds nobody up, and is named', async (t) => {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => sockets.add(socket));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const { sandbox } = estate;
  const configuration = path.join(sandbox.directory, 'silent.yaml');
  const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const text = await readFile(sandbox.configuration, 'utf8');
  await writeFile(configuration, text.replace(sandbox.temporal.address, address));
  const { json } = await estate.holdfast(['status'], configuration);
  assert.equal(json.temporal.state, 'unreachable');
  assert.match(json.temporal.error.message, /Temporal did not answer within 5 s/);
  assert.match(json.warnings[0], /^runs under way and schedules are not known: Temporal did not answer within 5 s$/);
  assert.ok(json.components[0].window.to);
  assert.ok(sockets.size > 0, 'it was asked');

  for (const command of [['history'], ['show', 'backup/database/main']]) {
    const said = await estate.holdfast(command, configuration);
    assert.equal(said.exit, 0, said.stderr);
    assert.match(said.json.warnings.at(-1), /^runs that are under way are not known: .*cannot be reached/);
    const words = await estate.holdfast([...command, '--standalone'], configuration);
    assert.match(
      words.json.warnings.at(-1),
      /^runs that are under way are not known: they are asked of Temporal alone$/,
    );
  }
});
