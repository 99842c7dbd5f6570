// The launcher keeps compiled code where only its user could have written it: beside the code, or else in the user's own directory, or nowhere.

import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, readdir, realpath, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { run } from '../../../src/process/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const launcher = path.join(import.meta.dirname, '..', '..', '..', 'bin', 'holdfast');

/** A package whose program says where compiled code is kept. */
async function packageIn(t: TestContext) {
  const directory = await realpath(await temporaryDirectory(t));
  const [root, home] = [path.join(directory, 'package'), path.join(directory, 'home')];
  for (const each of ['bin', 'dist/src/cli']) await mkdir(path.join(root, each), { recursive: true });
  await mkdir(home, { mode: 0o700 });
  await copyFile(launcher, path.join(root, 'bin/holdfast'));
  await writeFile(path.join(root, 'package.json'), '{ "type": "module" }');
  const program =
    "import { getCompileCacheDir } from 'node:module';\nconsole.log(getCompileCacheDir() ?? 'nowhere');\n";
  await writeFile(path.join(root, 'dist/src/cli/main.js'), program);
  const env = { HOME: home, PATH: path.dirname(process.execPath) };
  const answer = async () =>
    (await run(process.execPath, [path.join(root, 'bin/holdfast')], { env, cwd: '/' })).stdout.trim();
  return { root, home, answer };
}

test('beside the code, where that may be written', async (t) => {
  const { root, home, answer } = await packageIn(t);
  await mkdir(path.join(root, 'node_modules'));
  assert.ok((await answer()).startsWith(path.join(root, 'node_modules/.cache/compiled/')));
  assert.deepEqual(await readdir(home), []);
});

test('else in the directory of the user, unless others may write there', async (t) => {
  const { root, home, answer } = await packageIn(t);
  // Not even root makes a directory below a file.
  await writeFile(path.join(root, 'node_modules'), '');
  assert.ok((await answer()).startsWith(path.join(home, '.cache/holdfast/compiled/')));
  await chmod(home, 0o777);
  assert.equal(await answer(), 'nowhere');
  await chmod(home, 0o700);
  assert.ok((await answer()).startsWith(home));
});
