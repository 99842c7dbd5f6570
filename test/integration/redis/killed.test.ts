// Restores in place and captures of append-only files whose process is killed: at every line of the journal and at every rename, and the next attempt, or the undoing, ends whole.

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { isAlive, run as runProgram, stopByPid, tryRun } from '../../../src/process/index.ts';
import { keepNow } from '../../../src/redis/aof/keeper.ts';
import {
  type AofDetails,
  captureAof,
  restoreBeside,
  restoreInPlace,
  rollbackInPlace,
  undoBeside,
  untilAnswers,
} from '../../../src/redis/index.ts';
import { serversIn } from '../../../src/redis/restore/directory-in-use.ts';
import { withThrowaway } from '../../../src/redis/throwaway/server.ts';
import { findTools } from '../../../src/redis/tools.ts';
import { CACHE, redisSetting } from '../../support/redis-capture.ts';
import { contentOf } from '../../support/redis-data.ts';
import { captured, contentAt, dying, LAYOUT } from '../../support/redis-restore.ts';
import { testRedis } from '../../support/redis-server.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { snapshotId } from '../../support/vault.ts';
import { waitFor } from '../../support/wait-for.ts';

const isFull = process.env.HOLDFAST_SWEEP === 'full';
const signal = new AbortController().signal;
/** stage, stop, exchange, start: each begun and done. Two names go, two come. */
const POINTS = [
  ...Array.from({ length: 8 }, (_, at) => ({ line: at + 1 })),
  ...Array.from({ length: 4 }, (_, at) => ({ rename: at + 1 })),
];
/** Where something was changed in part. */
const FEW = [{ line: 3 }, { line: 5 }, { rename: 1 }, { rename: 3 }, { rename: 2 }, { line: 7 }];
const BACK = [{ line: 1 }, { rename: 1 }, { rename: 3 }, { line: 2 }];

test('in place: from wherever it was killed it goes on, or back', { timeout: 3_600_000 }, async (t) => {
  const setting = await captured(t, 'redis8', ['appendonly yes']);
  const { vault, server, snapshot, before, after } = setting;
  const { programs, dataDirectory, url, socket, configuration } = server;
  const program = (name: string) => path.join(programs, `redis-${name}`);
  const commands = {
    start: `${program('server')} ${configuration} --daemonize yes`,
    stop: `${program('cli')} -s ${socket} shutdown save`,
  };
  const service = {
    stop: async () => void (await tryRun('sh', ['-c', commands.stop])),
    start: async () => {
      await runProgram('sh', ['-c', commands.start]);
      await untilAnswers({ url });
    },
  };
  const placeOf = (run: string) => ({
    ...{ vault, snapshot, programs, dataDirectory, run, signal, service, source: { url } },
    layout: { ...LAYOUT, isAppendOnly: true },
  });
  let runs = 0;
  const killed = async (action: 'restore' | 'rollback', run: string, at: { line?: number; rename?: number }) => {
    const asked = { what: 'in place', action, directory: dataDirectory, run, service: commands, at } as const;
    assert.ok(await dying(setting, asked), `not killed: ${action} at ${JSON.stringify(at)}`);
  };
  const isAfter = async (what: string) => assert.deepEqual(await contentAt(url), after, what);
  try {
    for (const [number, at] of (isFull ? POINTS : FEW).entries()) {
      for (const goesOn of isFull ? [true, false] : [number % 2 === 0]) {
        const run = `restore-${++runs}`;
        const what = `${JSON.stringify(at)}, ${goesOn ? 'on' : 'back'}`;
        await killed('restore', run, at);
        if (goesOn) {
          await restoreInPlace(placeOf(run));
          assert.deepEqual(await contentAt(url), before, what);
        }
        await rollbackInPlace(placeOf(run));
        await isAfter(what);
      }
    }
    for (const at of isFull ? BACK : BACK.slice(2, 3)) {
      const run = `restore-${++runs}`;
      await restoreInPlace(placeOf(run));
      await killed('rollback', run, at);
      await rollbackInPlace(placeOf(run));
      await isAfter(`rolled back from ${JSON.stringify(at)}`);
    }
  } finally {
    // It is no child of ours.
    await service.stop();
  }
});

test('a capture of append-only files that is killed while it reads, or before it lets go, leaves everything to the next one', async (t) => {
  const server = await testRedis(t, { settings: ['appendonly yes', 'auto-aof-rewrite-percentage 0'] });
  const { vault, made } = await redisSetting(t);
  const { dataDirectory, programs, url } = server;
  const place = { dataDirectory, appendDirectory: 'appendonlydir', appendFile: 'appendonly.aof' };
  const take = (number: number) =>
    captureAof({
      ...{ vault, place, signal, server: { source: { url }, programs } },
      request: { snapshotId: snapshotId(number), component: CACHE, host: 'db1' },
    });
  const dies = (number: number, at: { isReading?: true; isLettingGo?: true }) =>
    dying({ made, server }, { what: 'capture', action: 'restore', directory: dataDirectory, run: 'none', number, at });
  const rewrite = async () => {
    await server.cli('BGREWRITEAOF');
    await waitFor('the rewrite to end', async () =>
      /aof_rewrite_in_progress:0/.test(await server.cli('INFO', 'persistence')),
    );
  };
  await server.cli('SET', 'a', '1');
  await take(1);
  await server.cli('SET', 'b', '1');
  await keepNow(place);
  await rewrite();
  await server.cli('SET', 'c', '1');
  const kept = () => readdir(path.join(dataDirectory, '.holdfast', 'aof'));
  assert.ok(await dies(2, { isReading: true }));
  assert.equal((await kept()).length, 2);
  assert.ok(await dies(2, { isLettingGo: true }));
  assert.equal((await kept()).length, 2);
  // What was committed is found by the next attempt; what was not let go is by the next capture, and taken once more.
  const [second, third] = [await take(2), await take(3)];
  assert.equal((await kept()).length, 1);
  for (const { engine } of [second, third]) {
    const { sets, lost } = engine as unknown as AofDetails;
    assert.deepEqual([sets.every(({ follows }) => follows), lost], [true, undefined]);
  }
  const directory = path.join(await temporaryDirectory(t), 'beside');
  const beside = { vault, snapshot: third, run: 'restore-00000001', directory, programs, signal };
  await restoreBeside({ ...beside, start: false });
  const tools = await findTools({ flavour: 'redis', version: '7.0.0' }, { programs });
  const content = await withThrowaway({ tools, directory, signal }, ({ connection }) => contentOf(connection));
  assert.deepEqual(
    content.slice(0, -1).map((line) => line.split('"')[1]),
    ['a', 'b', 'c'],
  );
  // The RDB of another attempt is another one: a server that has loaded the one before does not stand for it.
  const started = async () => {
    const { server: made } = await restoreBeside({ ...beside, start: true });
    if (made) t.after(() => stopByPid(made.identity).then(() => undefined));
    return made;
  };
  const [first, next] = [await started(), await started()];
  assert.ok(first && next && first.identity.pid !== next.identity.pid);
  assert.deepEqual(
    (await serversIn(directory)).map(({ pid }) => pid),
    [next.identity.pid],
  );
  await undoBeside(directory, beside.run);
  assert.equal(await isAlive(next.identity.pid, next.identity.startTime), false);
});
