// Brings node_modules to what package-lock.json says, and finds the pinned Node in it.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { SetUpError } from './report.mjs';
import { run, tail } from './run.mjs';

async function readLock(file) {
  try {
    return JSON.parse(await readFile(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** True when every package npm would install here is there, in the locked version. */
async function matchesLock(root) {
  const wanted = await readLock(path.join(root, 'package-lock.json'));
  const present = await readLock(path.join(root, 'node_modules', '.package-lock.json'));
  if (!wanted || !present) return false;
  return Object.entries(wanted).every(([name, locked]) => {
    if (name === '') return true;
    const installed = present[name];
    // npm leaves out what is made for another platform; such packages are marked optional.
    if (!installed) return locked.optional === true;
    return installed.version === locked.version && installed.integrity === locked.integrity;
  });
}

/** @param {string} root the repository @param {(text: string) => void} note @returns {Promise<string>} what was done */
export async function ensureNodeModules(root, note) {
  if (await matchesLock(root)) return 'match package-lock.json';
  note('running npm ci');
  const installed = await run('npm', ['ci', '--no-fund', '--no-audit'], { cwd: root, timeoutMs: 900_000 });
  if (!installed.ok) throw new SetUpError(`npm ci failed:\n${tail(installed)}`, `cd ${root} && npm ci`);
  return 'installed by npm ci';
}

/** @param {string} root @returns {Promise<{ path: string, version: string }>} the pinned Node, proved to start */
export async function findPinnedNode(root) {
  const node = path.join(root, 'node_modules', '.bin', 'node');
  const answer = await run(node, ['--version']);
  if (answer.ok) return { path: node, version: answer.stdout.trim().replace(/^v/, '') };
  throw new SetUpError(
    `the pinned Node does not start from '${node}' (it comes as an optional dependency for Linux with glibc, x64 or arm64)`,
    `cd ${root} && rm -rf node_modules && npm ci --include=optional`,
  );
}
