// The launcher keeps compiled code where only its user could have written it: beside the code, or else in the user's own directory, or nowhere.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, readdir, realpath, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
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

test('by another Node, too, a word has the bytes that were typed', async (t) => {
  const { root } = await packageIn(t);
  await mkdir(path.join(root, 'node_modules/.bin'), { recursive: true });
  const pinned = path.join(root, 'node_modules/.bin/node');
  await writeFile(pinned, `#!/bin/sh\nexec '${process.execPath}' "$@"\n`, { mode: 0o755 });
  const program = "process.stdout.write((await import('node:fs')).readFileSync('/proc/self/cmdline'));\n";
  await writeFile(path.join(root, 'dist/src/cli/main.js'), program);
  const isOld =
    "process.env.SEEN ?? Object.defineProperty(process, 'versions', { value: { node: '20.1.0' } }); process.env.SEEN = 1";
  const words = ['plain', `caf\\351 'x'\\n`, '', 'a\\\\b%s'].map((word) => `"$(printf '%b.' ${quoted(word)})"`);
  const typed = words.map((word, at) => `w${at}=${word}`).join('; ');
  const script = `${typed}; exec '${process.execPath}' "$@" ${words.map((_, at) => `"\${w${at}%.}"`).join(' ')}`;
  const args = ['-c', script, 'sh', '--import', `data:text/javascript,${isOld}`, path.join(root, 'bin/holdfast')];
  const { stdout } = await promisify(execFile)('/bin/sh', args, { encoding: 'latin1' });
  assert.deepEqual(stdout.split('\0').slice(-5), ['plain', "caf\xe9 'x'\n", '', 'a\\b%s', '']);
});

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
