// Paths and patterns of a configuration as the roots that are there.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { expandPaths } from '../../../src/configuration/paths.ts';
import { placesOf } from '../../../src/configuration/places.ts';

describe('paths of a configuration', () => {
  let base: string;
  const at = (...names: string[]) => join(base, ...names);

  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'holdfast-paths-'));
    for (const folder of ['15/main', '17/main', '17/.hidden', 'real']) await mkdir(at(folder), { recursive: true });
    for (const file of ['15/main/pg.conf', '17/main/pg.conf', '17/.hidden/pg.conf', '17/main/x(1).conf', 'real/file']) {
      await writeFile(at(file), '');
    }
    await symlink(at('real/file'), at('link-to-file'));
    await symlink(at('real'), at('link-to-directory'));
    await symlink(at('nowhere'), at('dangling'));
  });
  after(() => rm(base, { recursive: true, force: true }));

  it('are patterns as a shell reads them', async () => {
    const roots = async (...patterns: string[]) =>
      (await expandPaths(patterns)).roots.map((root) => root.slice(base.length + 1));
    assert.deepEqual(await roots(at('*/main/*.conf')), ['15/main/pg.conf', '17/main/pg.conf', '17/main/x(1).conf']);
    assert.deepEqual(await roots(at('1[!5]/main/p?.conf')), ['17/main/pg.conf']);
    assert.deepEqual(await roots(at('17/*/pg.conf')), ['17/main/pg.conf']);
    assert.deepEqual(await roots(at('17/.*/pg.conf')), ['17/.hidden/pg.conf']);
    assert.deepEqual(await roots(at('17/main/x(*).conf')), ['17/main/x(1).conf']);
  });

  it('that lie in another one are captured with that', async () => {
    assert.deepEqual((await expandPaths([at('17'), at('17/main/pg.conf'), at('*/main/pg.conf')])).roots, [
      at('17'),
      at('15/main/pg.conf'),
    ]);
  });

  it('that are links to files stand for these, and those that lead nowhere are missing', async () => {
    const { roots, missing } = await expandPaths([at('link-to-file'), at('link-to-directory'), at('dangling')]);
    assert.deepEqual(roots, [at('real/file'), at('link-to-directory')]);
    assert.deepEqual(missing, [at('dangling')]);
  });

  it('are told when they are not there, and refused when none is', async () => {
    const { missing, unmatched } = await expandPaths([at('15'), at('gone'), at('*.none')]);
    assert.deepEqual([missing, unmatched], [[at('gone')], [at('*.none')]]);
    await assert.rejects(expandPaths([at('gone'), at('*.none')]), { code: 'FILES_ROOT' });
  });

  it('are given back in themselves, or in the directories of single files', async () => {
    assert.deepEqual(
      [...(await placesOf([at('17/main/pg.conf'), at('15')])).places].sort(),
      [base, at('15'), at('17/main')].sort(),
    );
  });
});
