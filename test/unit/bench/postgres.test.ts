// The PostgreSQL bench on a small server of its own: Holdfast's driver does the work, and what is restored wrongly is no result.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { holdfastBy } from '../../../bench/postgres/contenders/holdfast.ts';
import { digestOf, requireSameDigest } from '../../../bench/postgres/digest.ts';
import { loadDatabase } from '../../../bench/postgres/load.ts';
import { backUpAndRestore, inRepositories, type RoundsSetup } from '../../../bench/postgres/rounds.ts';
import { BenchServer, withClient } from '../../../bench/postgres/server.ts';
import { run } from '../../../src/process/index.ts';
import { freePort } from '../../support/scratch-postgres.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const SCALE = 0.001;

test('the driver backs up, restores to a server that answers, and verifies; a row less is seen', async (t) => {
  const work = await temporaryDirectory(t);
  const server = await BenchServer.make(path.join(work, 'server'), 18, await freePort(), 'python3');
  try {
    const { sizeBytes } = await loadDatabase(server, '1', SCALE);
    await requireThatDigestsTell(server);
    const driver = [process.execPath, path.resolve('bench/postgres/holdfast/drive.ts')];
    const contenders = [holdfastBy(driver, '1', server)];
    const setup = { server, contenders, work, scale: SCALE, sizeBytes, say: () => undefined };
    const done: string[] = [];
    await inRepositories(setup as unknown as RoundsSetup, 'round', async (all) => {
      await backUpAndRestore(setup as unknown as RoundsSetup, all, async ({ contender, place }, what) => {
        const { argv, env } = contender.command(what, place);
        await run(argv[0] as string, argv.slice(1), { env, cwd: '/' });
        if (what === 'restore') await requireThatALostRowIsSeen((await contender.restored(place)).environment);
        done.push(what);
      });
    });
    assert.deepEqual(done, ['full', 'incremental', 'restore', 'verify', 'decrypt']);
  } finally {
    await server.stop();
  }
});

async function requireThatALostRowIsSeen(restored: Readonly<Record<string, string>>): Promise<void> {
  await withClient(restored, async (client) => {
    const whole = await digestOf(client);
    await client.query('begin');
    await client.query('delete from document where id = 8');
    const lacking = await digestOf(client);
    await client.query('rollback');
    const refused = { code: 'CHECK_FAILED', message: /'document' has 1749 rows.* expected 1750 rows/ };
    assert.throws(() => requireSameDigest(whole, lacking, 'the driver'), refused);
  });
}

async function requireThatDigestsTell(server: BenchServer): Promise<void> {
  await withClient(server.environment, async (client) => {
    const before = await digestOf(client);
    assert.deepEqual(await digestOf(client), before);
    await client.query('update document set attributes = attributes || \'{"read":null}\' where id = 7');
    const after = await digestOf(client);
    assert.notEqual(after.document, before.document);
    assert.deepEqual({ ...after, document: '' }, { ...before, document: '' });
  });
}
