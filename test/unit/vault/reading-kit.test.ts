// Every copy carries the format document and a reader, renewed by setup, and nothing trusts them.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createVault, readerSha256 } from '../../../src/vault/index.ts';
import { type TestVault, testVault } from '../../support/vault.ts';

const root = join(import.meta.dirname, '../../..');
const rescue = await readFile(join(root, 'src/rescue/rescue.mjs'));
const format = await readFile(join(root, 'docs/vault-format.md'));

async function assertKit(test: TestVault, copy: string): Promise<void> {
  assert.deepEqual(await readFile(join(test.path(copy), 'rescue.mjs')), rescue);
  assert.deepEqual(await readFile(join(test.path(copy), 'FORMAT.md')), format);
}

describe('the reading kit', () => {
  it('is put on each copy of a new vault', async () => {
    await using test = await testVault({ copies: ['local', 'eu'] });
    for (const copy of ['local', 'eu']) await assertKit(test, copy);
    assert.equal(await readerSha256(), createHash('sha256').update(rescue).digest('hex'));
  });

  it('is put again by setup when it differs or is gone, and opening the vault leaves it alone', async () => {
    await using test = await testVault();
    await writeFile(join(test.path('local'), 'rescue.mjs'), 'of another version');
    await rm(join(test.path('local'), 'FORMAT.md'));
    await test.reopen();
    assert.equal(await readFile(join(test.path('local'), 'rescue.mjs'), 'utf8'), 'of another version');
    await createVault(test.options);
    await assertKit(test, 'local');
  });

  it('is put on an adopted copy, and its files do not make a store one that holds something', async () => {
    await using test = await testVault({ copies: ['local', 'eu'] });
    for (const name of ['holdfast.json', 'keys']) await rm(join(test.path('eu'), name), { recursive: true });
    await writeFile(join(test.path('eu'), 'rescue.mjs'), 'of another version');
    assert.deepEqual((await readdir(test.path('eu'))).sort(), ['FORMAT.md', 'rescue.mjs']);
    const vault = await test.reopen();
    await vault.adoptCopy('eu');
    await assertKit(test, 'eu');
  });

  it('is not what a vault is recognised by', async () => {
    await using test = await testVault();
    await rm(join(test.path('local'), 'holdfast.json'));
    await assert.rejects(test.reopen(), { code: 'VAULT_MISSING' });
  });
});
