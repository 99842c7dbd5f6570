// The keeper of append-only files: what changes while it looks is looked at again at once.

import assert from 'node:assert/strict';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { keptSets, runKeeper } from '../../../src/redis/aof/keeper.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const NAMES = { appendDirectory: 'appendonlydir', appendFile: 'appendonly.aof' };

async function appendOnly(t: TestContext) {
  const place = { dataDirectory: await temporaryDirectory(t), ...NAMES };
  const at = (name: string) => path.join(place.dataDirectory, NAMES.appendDirectory, name);
  await mkdir(at(''));
  /** As the server does it: the list takes the place of the one before in one step. */
  const rewrite = async (sequence: number) => {
    const base = `appendonly.aof.${sequence}.base.rdb`;
    await writeFile(at(base), 'base');
    await writeFile(at('temp'), `file ${base} seq ${sequence} type b\n`);
    await rename(at('temp'), at('appendonly.aof.manifest'));
  };
  await rewrite(1);
  return { place, rewrite };
}

test('a rewrite that comes after the look and before its end is kept, without a look by the clock', {
  timeout: 120_000,
}, async (t) => {
  const { place, rewrite } = await appendOnly(t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const stop = new AbortController();
  const troubles: unknown[] = [];
  const again = Promise.withResolvers<void>();
  let looks = 0;
  const afterLook = async () => {
    looks += 1;
    if (looks === 1) await rewrite(2);
    else again.resolve();
  };
  const keeper = runKeeper(place, { signal: stop.signal, onTrouble: (error) => void troubles.push(error), afterLook });
  await again.promise;
  stop.abort();
  await keeper;
  assert.deepEqual(troubles, []);
  const kept = (await keptSets(place)).map(({ base }) => base.sequence);
  assert.deepEqual(kept.sort(), [1, 2]);
});
