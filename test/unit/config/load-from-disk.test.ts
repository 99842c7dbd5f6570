// A file on disk: where it is looked for, and what is warned of once it is there.

import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { loadConfiguration } from '../../../config/index.ts';
import { isHoldfastError } from '../../../src/errors/index.ts';
import { minimal } from '../../support/configuration.ts';

describe('a file on disk', () => {
  let directory: string;
  const own = (name: string) => path.join(directory, name);
  before(async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), 'holdfast-config-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  test('is found by its path or by the variable, and missed with a hint', async () => {
    await writeFile(own('a.yaml'), minimal);
    assert.equal((await loadConfiguration(own('a.yaml'))).configuration.path, own('a.yaml'));
    const before = process.env.HOLDFAST_CONFIG;
    process.env.HOLDFAST_CONFIG = own('a.yaml');
    try {
      assert.equal((await loadConfiguration()).configuration.name, 'acme');
    } finally {
      if (before === undefined) delete process.env.HOLDFAST_CONFIG;
      else process.env.HOLDFAST_CONFIG = before;
    }
    await assert.rejects(
      loadConfiguration(own('none.yaml')),
      (error) => isHoldfastError(error, 'CONFIG_NOT_FOUND') && /ENOENT/.test(error.message),
    );
    await assert.rejects(
      loadConfiguration(directory),
      (error) => isHoldfastError(error, 'CONFIG_NOT_FOUND') && /EISDIR/.test(error.message),
    );
  });

  test('warns of what is allowed but not careful', async () => {
    await writeFile(own('vault.key'), 'x\n');
    await chmod(own('vault.key'), 0o644);
    await writeFile(own('b.yaml'), minimal);
    const { warnings } = await loadConfiguration(own('b.yaml'));
    for (const expected of [
      /^3-2-1: 1 copy is configured, 2 are wanted beside production$/,
      /^3-2-1: all copies are on the same kind of medium/,
      /^3-2-1: no copy has 'offsite: true'/,
      /one key only/,
      /chmod 600/,
      /no schedule/,
      /only be restored beside/,
    ]) {
      assert.ok(
        warnings.some((warning) => expected.test(warning)),
        `${expected}\n${warnings.join('\n')}`,
      );
    }
  });

  test('that ships as the example has no problem and no warning', async () => {
    const example = path.resolve(import.meta.dirname, '..', '..', '..', 'config', 'holdfast.example.yaml');
    assert.deepEqual((await loadConfiguration(example)).warnings, []);
  });
});
