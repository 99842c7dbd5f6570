// The proof beside the check of the file: nobody uses a server before both are content, what the check finds comes first, and what fails does not stay.

import assert from 'node:assert/strict';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { identify, proveRdb, type RdbDetails, restoreBeside, runningBeside } from '../../../src/redis/index.ts';
import { withThrowaway } from '../../../src/redis/throwaway/server.ts';
import { findTools, type RedisTools } from '../../../src/redis/tools.ts';
import type { SnapshotOnCopies } from '../../../src/vault/index.ts';
import { redisSetting } from '../../support/redis-capture.ts';
import { testRedis } from '../../support/redis-server.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const signal = new AbortController().signal;

async function captured(t: TestContext) {
  const server = await testRedis(t);
  const { vault, take } = await redisSetting(t);
  await server.cli('MSET', 'one', '1', 'other', '2');
  const snapshot = await take(server, 1);
  const tools = await findTools({ flavour: 'redis', version: '7.0.0' }, server);
  return { vault, server, snapshot, tools, facts: (snapshot.engine as unknown as RdbDetails).facts };
}

/** A program of that text beside the real ones; it says something only after the server has long loaded a few keys. */
async function lateCheck(t: TestContext, tools: RedisTools, says: string): Promise<RedisTools> {
  const checkRdb = path.join(await temporaryDirectory(t), 'check');
  await writeFile(checkRdb, `#!/bin/sh\nsleep 1\n${says}\n`, { mode: 0o755 });
  return { ...tools, checkRdb };
}

test('a server that has loaded a file that then fails its check is not used', async (t) => {
  const { server, tools, facts } = await captured(t);
  const directory = await temporaryDirectory(t);
  await server.cli('SAVE');
  await copyFile(path.join(server.dataDirectory, 'dump.rdb'), path.join(directory, 'dump.rdb'));
  let isUsed = false;
  const prove = (by: RedisTools) =>
    proveRdb({ tools: by, directory, facts, signal }, async () => {
      isUsed = true;
    });
  await assert.rejects(prove(await lateCheck(t, tools, 'echo it is broken; exit 1')), {
    code: 'BACKUP_INVALID',
    message: /it is broken/,
  });
  assert.equal(isUsed, false);
  const noServer = { ...tools, server: '/bin/false' };
  await assert.rejects(prove(await lateCheck(t, noServer, 'exit 1')), { code: 'BACKUP_INVALID' });
  const content = 'echo "[info] 2 keys read"; echo "\\\\o/ RDB looks OK! \\\\o/"';
  await assert.rejects(prove(await lateCheck(t, noServer, content)), { code: 'RECOVERY_FAILED' });
  assert.equal(isUsed, false);
  assert.equal((await prove(await lateCheck(t, tools, content))).keys, 2);
  assert.equal(isUsed, true);
});

test('where memory runs out, a throwaway server is what the kernel ends first', async (t) => {
  const { tools } = await captured(t);
  const directory = await temporaryDirectory(t);
  await withThrowaway({ tools, directory, signal }, async ({ connection }) => {
    const { processId } = await identify(connection);
    assert.equal(await readFile(`/proc/${processId}/oom_score_adj`, 'utf8'), '1000\n');
  });
});

test('a server that was to stay beside and has not loaded what was captured is ended', async (t) => {
  const { vault, server, snapshot, facts } = await captured(t);
  const directory = path.join(await temporaryDirectory(t), 'beside');
  const claimed = { ...snapshot, engine: { ...snapshot.engine, facts: { ...facts, keys: 3 } } } as SnapshotOnCopies;
  const { programs } = server;
  const options = { vault, snapshot: claimed, run: 'restore-00000001', directory, programs, start: true, signal };
  await assert.rejects(restoreBeside(options), { code: 'CHECK_FAILED', message: /has 3 keys, the server loaded 2/ });
  assert.equal(await runningBeside(directory), undefined);
});
