// A live restore into the server of another host, by TCP: it takes the data from the worker's own address, and nobody else gets a byte of it.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { start } from '../../../src/process/index.ts';
import { captureRdb, identify, restoreLive, rollbackLive } from '../../../src/redis/index.ts';
import { ready } from '../../../src/redis/throwaway/server.ts';
import { otherHost } from '../../support/other-host.ts';
import { CACHE, redisSetting } from '../../support/redis-capture.ts';
import { contentOf, fillRich } from '../../support/redis-data.ts';
import { redisPrograms } from '../../support/redis-server.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { snapshotId } from '../../support/vault.ts';
import { waitFor } from '../../support/wait-for.ts';

const signal = new AbortController().signal;

/** What a stranger is told there, until he is shown the door. */
async function heardBy(host: string, port: number): Promise<string> {
  const socket = net.connect(port, host, () => socket.write('*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n'));
  let heard = '';
  socket.on('data', (bytes) => {
    heard += bytes.toString('latin1');
  });
  await new Promise<void>((resolve) => {
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
  });
  return heard;
}

test('live over TCP into the server of another host; a stranger that asks at the same address gets nothing', async (t) => {
  const { theirs, ours, inside } = await otherHost(t);
  const place = await temporaryDirectory(t);
  const programs = redisPrograms('redis7');
  const file = path.join(place, 'redis.conf');
  await writeFile(
    file,
    `bind ${theirs}\nport 6379\nprotected-mode no\nsave ""\nrepl-diskless-sync-delay 0\ndir ${place}\n`,
  );
  const command = inside(path.join(programs, 'redis-server'), file);
  const server = await start('ip', command, { logFile: path.join(place, 'log') });
  t.after(() => server.stop({ signal: 'SIGKILL' }).then(() => undefined));
  const source = { url: `redis://${theirs}:6379` };
  const connection = await waitFor('the server to answer', () => ready(source.url));
  await fillRich(connection, 'redis7');
  const before = await contentOf(connection);
  const { vault } = await redisSetting(t);
  const snapshot = await captureRdb({
    ...{ vault, signal, server: { source, programs } },
    request: { snapshotId: snapshotId(1), component: CACHE, host: 'db1' },
  });
  await connection.call('change', 'SET', 'made later', '1');
  const after = await contentOf(connection);
  const directory = path.join(place, 'state');
  const { runId } = await identify(connection);
  let heard: string | undefined;
  const check = async () => {
    const lines = await readFile(path.join(directory, 'journal.jsonl'), 'utf8').catch(() => '');
    const [, host = '', port = ''] = /"step":"serve".*"host":"([^"]+)","port":(\d+)/.exec(lines) ?? [];
    // Between the server's asking and the first byte to it.
    if (port === '' || lines.includes('"send"')) return;
    assert.equal(host, ours);
    heard ??= await heardBy(host, Number(port));
  };
  const live = { directory, source, programs, runId, signal };
  await restoreLive({ ...live, vault, snapshot, check });
  assert.deepEqual(await contentOf(connection), before);
  assert.equal(heard, '');
  await rollbackLive(live);
  assert.deepEqual(await contentOf(connection), after);
  connection.close();
});
