// A file on disk: where it is looked for, and what is warned of once it is there.

import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { loadConfiguration } from '../../../config/index.ts';
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
    await assert.rejects(loadConfiguration(own('none.yaml')), {
      code: 'CONFIG_NOT_FOUND',
      message: `there is no configuration file '${own('none.yaml')}'`,
      hint: /name one with `-c FILE`/,
    });
    await assert.rejects(loadConfiguration(own('a.yml')), { hint: `did you mean '${own('a.yaml')}'?` });
    await assert.rejects(loadConfiguration(path.join(own('a.yaml'), 'below')), /there is no configuration file/);
  });

  test('is not a directory, whose own file is named where there is one', async () => {
    const expected = `'${directory}' is a directory, expected a configuration file`;
    await assert.rejects(loadConfiguration(directory), {
      code: 'CONFIG_NOT_FOUND',
      message: expected,
      hint: "there is no 'holdfast.yaml' in it; name a file with `-c`",
    });
    await writeFile(own('holdfast.yaml'), minimal);
    await assert.rejects(loadConfiguration(directory), {
      message: expected,
      hint: `name the file: \`-c ${own('holdfast.yaml')}\``,
    });
  });

  test('that this user may not read is told as that', async () => {
    await writeFile(own('locked.yaml'), minimal);
    await chmod(own('locked.yaml'), 0);
    await chmod(directory, 0o755);
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65534);
    try {
      await assert.rejects(loadConfiguration(own('locked.yaml')), {
        code: 'CONFIG_NOT_FOUND',
        message: new RegExp(`may not read the configuration '${own('locked.yaml')}'`),
        hint: /ls -l/,
      });
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
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
