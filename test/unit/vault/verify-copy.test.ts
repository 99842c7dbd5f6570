// A copy is judged by what it holds itself: no other copy stands in for it.

import assert from 'node:assert/strict';
import { readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { COMPONENT, request, seededBytes, TO, takeSnapshot, testVault } from '../../support/vault.ts';
import { verify } from '../../support/verify.ts';

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

  it('is good when it is a tree of files without a file, as a drained spool is', async () => {
    await using test = await testVault({ copies: ['local'], policy: { copies: 1, offsite: 0 } });
    const { id } = await takeSnapshot(test.vault, {}, 1, { kind: 'files' });
    await test.vault.verifyCopy(COMPONENT, id, 'local');
    const { copies } = await verify(test.vault, 'decrypted');
    assert.equal(copies[0]?.snapshots[0]?.state, 'good');
  });

  it('is damaged when it is a database without a file, or holds nothing', async () => {
    await using test = await testVault({ copies: ['local'], policy: { copies: 1, offsite: 0 } });
    const { id } = await takeSnapshot(test.vault, {});
    const writer = await test.vault.writeSnapshot(request(2, { kind: 'files' }));
    const empty = await writer.commit({ to: TO, state: 'clean', engine: {} });
    for (const [each, words] of [
      [id, 'no file'],
      [empty.id, 'nothing'],
    ] as const) {
      await assert.rejects(test.vault.verifyCopy(COMPONENT, each, 'local'), {
        code: 'OBJECT_DAMAGED',
        message: `snapshot '${each}' on 'local' holds ${words}`,
      });
    }
    const { copies } = await verify(test.vault, 'decrypted');
    assert.deepEqual(
      copies[0]?.snapshots.map(({ state }) => state),
      ['damaged', 'damaged'],
    );
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
