// Restores into the stopped server: it comes back with the snapshot, or with what it had, and a rollback puts back once.

import assert from 'node:assert/strict';
import { appendFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import {
  confirmInPlace,
  type RestoreInPlaceOptions,
  restoreInPlace,
  rollbackInPlace,
} from '../../../src/redis/index.ts';
import { type Captured, captured, contentAt, LAYOUT } from '../../support/redis-restore.ts';
import type { TestRedis } from '../../support/redis-server.ts';
import { waitFor } from '../../support/wait-for.ts';

const signal = new AbortController().signal;

function inPlace({ vault, server, snapshot }: Captured, isAppendOnly = false): RestoreInPlaceOptions {
  const { programs, dataDirectory, url } = server;
  return {
    ...{ vault, snapshot, programs, dataDirectory, run: 'restore-00000001', signal, source: { url } },
    layout: { ...LAYOUT, isAppendOnly },
  };
}

function startableService(server: TestRedis) {
  const service = {
    isStartable: true,
    stop: () => server.stop(),
    start: async () => {
      if (!service.isStartable) throw new Error('the unit failed');
      await server.start();
    },
  };
  return service;
}

for (const [kind, isAppendOnly] of [
  ['redis7', false],
  ['redis8', true],
  ['valkey', true],
] as const) {
  test(`${kind} ${isAppendOnly ? 'with' : 'without'} append-only files: the server comes back with the snapshot, rolled back with what it had`, async (t) => {
    const settings = isAppendOnly ? ['appendonly yes'] : ['save 3600 1'];
    const setting = await captured(t, kind, settings);
    const { server, before, after } = setting;
    const options = inPlace(setting, isAppendOnly);
    await assert.rejects(restoreInPlace(options), { code: 'TARGET_UNFIT', message: /works in/ });
    assert.deepEqual(await contentAt(server.url), after);
    const service = { stop: () => server.stop(), start: () => server.start() };
    await restoreInPlace({ ...options, service });
    assert.deepEqual(await contentAt(server.url), before);
    await assert.rejects(restoreInPlace({ ...options, run: 'restore-00000002', service }), { code: 'JOURNAL_STATE' });
    await rollbackInPlace({ ...options, service });
    assert.deepEqual(await contentAt(server.url), after);
    await rollbackInPlace({ ...options, service });
    await restoreInPlace({ ...options, run: 'restore-00000003', service });
    await confirmInPlace({ ...options, run: 'restore-00000003' });
    assert.deepEqual(await contentAt(server.url), before);
    await assert.rejects(rollbackInPlace({ ...options, run: 'restore-00000003', service }), { code: 'JOURNAL_STATE' });
    assert.deepEqual(await readdir(path.join(server.dataDirectory, '.holdfast', 'restore-00000003')), [
      'journal.jsonl',
    ]);
  });
}

test('data that a rollback has put back and could not start is not put back again, whatever the server has made of it since', async (t) => {
  const setting = await captured(t, 'redis7', ['save 3600 1']);
  const { server } = setting;
  const service = startableService(server);
  const options = { ...inPlace(setting), service };
  await restoreInPlace(options);
  service.isStartable = false;
  await assert.rejects(rollbackInPlace(options), /the unit failed/);
  // Started by hand, written to, and given files under names that nothing had when the restore began.
  await server.start();
  await server.cli('CONFIG', 'SET', 'appendonly', 'yes');
  await server.cli('CONFIG', 'REWRITE');
  await waitFor('the append-only files', async () => {
    const state = await server.cli('INFO', 'persistence');
    return /aof_rewrite_in_progress:0/.test(state) && /aof_rewrite_scheduled:0/.test(state);
  });
  await server.cli('SET', 'by a client', 'since');
  const pid = server.pid();
  service.isStartable = true;
  await rollbackInPlace(options);
  assert.equal(server.pid(), pid);
  assert.match(await server.cli('GET', 'by a client'), /since/);
  await server.stop();
  await server.start();
  assert.match(await server.cli('GET', 'by a client'), /since/);
});

test('the next attempt of a rollback ends no sooner than a server that runs by then has loaded its data', async (t) => {
  const setting = await captured(t, 'redis7', ['save 3600 1']);
  const { server, after } = setting;
  const service = startableService(server);
  const options = { ...inPlace(setting), service };
  await restoreInPlace(options);
  service.isStartable = false;
  await assert.rejects(rollbackInPlace(options), /the unit failed/);
  await appendFile(server.configuration, 'key-load-delay 100000\nloading-process-events-interval-bytes 1024\n');
  const started = server.start();
  await waitFor('it to read its data', async () =>
    /loading:1/.test(await server.cli('INFO', 'persistence').catch(() => '')),
  );
  await rollbackInPlace(options);
  assert.deepEqual(await contentAt(server.url), after);
  await started;
});

test('a server that does not start with it is given its own data back', async (t) => {
  const setting = await captured(t, 'redis7', ['save 3600 1']);
  const { server, after } = setting;
  let starts = 0;
  const service = {
    stop: () => server.stop(),
    start: async () => {
      starts++;
      if (starts === 1) throw new Error('the unit failed');
      await server.start();
    },
  };
  const options = { ...inPlace(setting), service };
  await assert.rejects(restoreInPlace(options), { code: 'ROLLED_BACK', message: /the unit failed/ });
  assert.deepEqual(await contentAt(server.url), after);
});
