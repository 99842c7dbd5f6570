// Where the components are kept between runs and checkouts, and how two set-ups at once stay out of each other's way.
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { SetUpError, say } from './report.mjs';

/**
 * `HOLDFAST_CACHE`, else /var/cache/holdfast for root (the server's user must be able to reach the programs, and
 * /root is closed to it), else the user's own cache folder.
 */
export function cacheDirectory() {
  if (process.env.HOLDFAST_CACHE) return path.resolve(process.env.HOLDFAST_CACHE);
  if (process.getuid() === 0) return '/var/cache/holdfast';
  return path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'holdfast');
}

/** The record of what was found, which the sandbox and the tests read. */
export function componentsFile() {
  return path.join(cacheDirectory(), 'components.json');
}

export async function readComponents() {
  try {
    return JSON.parse(await readFile(componentsFile(), 'utf8'));
  } catch {
    return undefined;
  }
}

/** The record of the servers that only tests start; apart, so that a quickstart's set-up cannot forget them. */
export function testComponentsFile() {
  return path.join(cacheDirectory(), 'test-components.json');
}

/** @param {string} file @param {object} components */
export async function writeComponents(file, components) {
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(components, null, 2)}\n`, { mode: 0o644 });
  await rename(draft, file);
}

/**
 * Fills a folder of the cache in one step: what a killed set-up leaves behind is a `partial-` folder, never a
 * half-filled one under the real name.
 * @param {string} name
 * @param {(folder: string) => Promise<void>} fill
 */
export async function install(name, fill) {
  const target = path.join(cacheDirectory(), name);
  const draft = await mkdtemp(path.join(cacheDirectory(), 'partial-'));
  try {
    await chmod(draft, 0o755);
    await fill(draft);
    await rm(target, { recursive: true, force: true });
    await rename(draft, target);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return target;
}

/**
 * Waits until no other set-up uses the cache. The lock is held by a child that ends when its stdin does, so a
 * set-up that is killed leaves no lock behind.
 * @returns {Promise<() => void>} gives the lock back
 */
export async function lockCache() {
  const folder = cacheDirectory();
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const lock = spawn('flock', ['--no-fork', path.join(folder, 'set-up.lock'), 'sh', '-c', 'echo locked; cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const reminder = setTimeout(() => say('cache', 'another set-up is running, waiting for it'), 2_000);
  try {
    await new Promise((resolve, reject) => {
      lock.stdout.once('data', resolve);
      lock.once('error', reject);
      lock.once('exit', () => reject(new Error('flock ended early')));
    });
  } catch (error) {
    throw new SetUpError(`the cache '${folder}' cannot be locked: ${error.message}`, 'apt-get install util-linux');
  } finally {
    clearTimeout(reminder);
  }
  lock.unref();
  lock.stdout.destroy();
  return () => lock.stdin.destroy();
}
