// A copy is judged by what it holds itself: no other copy stands in for it.

import assert from 'node:assert/strict';
import { readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { COMPONENT, seededBytes, takeSnapshot, testVault } from '../../support/vault.ts';

const files = { 'base/1/1259': seededBytes('relation', 400_000), PG_VERSION: Buffer.from('17\n') };

async function broken(find: RegExp, harm: (file: string) => Promise<void>) {
  const test = await testVault({ copies: ['local', 'eu'], policy: { copies: 2, offsite: 1 } });
  const { id } = await takeSnapshot(test.vault, files);
  const names = await readdir(test.path('eu'), { recursive: true });
  const name = names.find((each) => find.test(each)) ?? assert.fail(`nothing like ${find} in ${names.join(' ')}`);
  await harm(join(test.path('eu'), name));
  return { id, vault: await test.reopen(), [Symbol.asyncDispose]: () => test[Symbol.asyncDispose]() };
}

const pack = /packs\/..\/[0-9a-f]{64}$/;
const manifest = /snapshots\/.*[0-9a-f]{8}$/;

describe('one copy of a snapshot', () => {
  it('is good when it holds everything itself', async () => {
    await using test = await broken(manifest, async () => {});
    for (const copy of ['local', 'eu']) await test.vault.verifyCopy(COMPONENT, test.id, copy);
  });

  const harms = {
    'has lost a pack': [pack, (file: string) => rm(file), 'OBJECT_MISSING'],
    'has a pack that was cut': [pack, (file: string) => truncate(file, 100), 'OBJECT_MISSING'],
    'has lost its manifest': [manifest, (file: string) => rm(file), 'OBJECT_MISSING'],
    'has other bytes as manifest': [
      manifest,
      (file: string) => writeFile(file, seededBytes('x', 900)),
      'OBJECT_DAMAGED',
    ],
  } as const;
  for (const [name, [find, harm, code]] of Object.entries(harms)) {
    it(`is not good when it ${name}, though the other copy is whole`, async () => {
      await using test = await broken(find, harm);
      await test.vault.verifyCopy(COMPONENT, test.id, 'local');
      await assert.rejects(test.vault.verifyCopy(COMPONENT, test.id, 'eu'), { code });
    });
  }
});
