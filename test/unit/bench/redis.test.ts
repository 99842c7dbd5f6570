// The Redis bench on a small server of its own: Holdfast's driver and the peers do the work, and what is restored wrongly is no result.

import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { ensurePeers } from '../../../bench/lib/peers.ts';
import { bgsave, bgsaveUnchecked } from '../../../bench/redis/contenders/bgsave.ts';
import { holdfastBy } from '../../../bench/redis/contenders/holdfast.ts';
import { redisCli, redisCliUnchecked } from '../../../bench/redis/contenders/redis-cli.ts';
import { digestByCopy, digestOf, requireSameDigest } from '../../../bench/redis/digest.ts';
import { loadKeys } from '../../../bench/redis/load.ts';
import { findPrograms } from '../../../bench/redis/programs.ts';
import { type RoundsSetup, runRound } from '../../../bench/redis/rounds.ts';
import { BenchRedis } from '../../../bench/redis/server.ts';
import { run } from '../../../src/process/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const SCALE = 0.001;

test('everybody captures, and restores to a server that answers with the same data; a key less is seen, and no server stays', async (t) => {
  const work = await temporaryDirectory(t);
  const server = await BenchRedis.start(await findPrograms('redis8'), path.join(work, 'server'));
  try {
    const { memoryBytes, keys } = await loadKeys(server, '1', SCALE);
    assert.ok(keys > 1000, `${keys} keys`);
    const digest = await digestOf(server);
    const driver = [process.execPath, path.resolve('bench/redis/holdfast/drive.ts')];
    const peers = ensurePeers();
    const contenders = [
      holdfastBy(driver, '1', server),
      holdfastBy(driver, '1', server, { name: 'holdfast_bgsave', way: 'bgsave', works: ['capture'] }),
      redisCli(peers, server),
      redisCliUnchecked(peers, server),
      bgsave(peers, server),
      bgsaveUnchecked(peers, server),
    ];
    const setup: RoundsSetup = { server, peers, contenders, work, memoryBytes, digest, say: () => undefined };
    const done: string[] = [];
    const sockets: string[] = [];
    await runRound(setup, 'round', async ({ contender, place }, what) => {
      const { argv, env } = contender.command(what, place);
      await run(argv[0] as string, argv.slice(1), { env, cwd: '/' });
      done.push(`${what} ${contender.name}`);
      if (what === 'restore') sockets.push(await contender.restored(place));
    });
    assert.deepEqual(done, [
      ...contenders.map(({ name }) => `capture ${name}`),
      ...['holdfast', 'redis_cli', 'redis_cli_unchecked'].map((name) => `restore ${name}`),
    ]);
    assert.equal(sockets.length, 3);
    for (const socket of sockets) await assert.rejects(access(socket));
    await server.cli('DEL', 'views:7');
    const lacking = await digestByCopy(server, server.socket, path.join(work, 'judge'));
    assert.equal(lacking, await digestOf(server));
    const refused = { code: 'CHECK_FAILED', message: new RegExp(`: ${keys - 1} keys, \\w+, expected ${keys} keys, `) };
    assert.throws(() => requireSameDigest(digest, lacking, 'the driver'), refused);
  } finally {
    await server.remove();
  }
});
