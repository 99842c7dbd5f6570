// Finds the SSH server that the tests pull files from: an installed one, or the distribution's package unpacked into the cache, so that nothing starts by itself.
import { access, readdir } from 'node:fs/promises';
import path from 'node:path';
import { cacheDirectory, install } from './cache.mjs';
import { SetUpError } from './report.mjs';
import { run, tail, which } from './run.mjs';

const folderName = 'openssh-server';
/** The second is a library that only the server needs. */
const packages = ['openssh-server', 'libwrap0'];
const installed = '/usr/sbin/sshd';

/** @param {string} program @param {string} libraries what LD_LIBRARY_PATH is for it */
async function versionOf(program, libraries) {
  const env = { ...process.env, LD_LIBRARY_PATH: libraries };
  const isThere = await access(program).then(
    () => true,
    () => false,
  );
  if (!isThere) return undefined;
  // Older ones know no option for it: the usage tells.
  const { stdout, stderr } = await run(program, ['-?'], { env, timeoutMs: 10_000 });
  return /OpenSSH_(\S+?)[, ]/.exec(`${stdout}${stderr}`)?.[1];
}

async function unpacked() {
  const folder = path.join(cacheDirectory(), folderName);
  const libraryFolder = path.join(folder, 'usr/lib');
  const triplets = await readdir(libraryFolder).catch(() => []);
  const libraries = triplets.map((name) => path.join(libraryFolder, name)).join(':');
  const program = path.join(folder, 'usr/sbin/sshd');
  const version = await versionOf(program, libraries);
  return version && { path: program, libraries, version, source: 'cache' };
}

async function fetched(note) {
  const remedy = `apt-get install -y --no-install-recommends openssh-server, or put sshd at ${installed}`;
  if (!(await which('apt-get')) || !(await which('dpkg')))
    throw new SetUpError('sshd not found, and no apt-get', remedy);
  note('unpacking the distribution’s package');
  await install(folderName, async (folder) => {
    const got = await fetchPackages(folder);
    if (!got.ok) throw new SetUpError(`openssh-server could not be fetched:\n${tail(got)}`, remedy);
    for (const name of await readdir(folder)) {
      if (!name.endsWith('.deb')) continue;
      const done = await run('dpkg', ['-x', path.join(folder, name), folder]);
      if (!done.ok) throw new SetUpError(`'${name}' could not be unpacked:\n${tail(done)}`, remedy);
    }
  });
  const result = await unpacked();
  return result && { ...result, source: 'distribution' };
}

/** The lists may never have been fetched on this machine. */
async function fetchPackages(folder) {
  const download = () => run('apt-get', ['download', ...packages], { cwd: folder, timeoutMs: 300_000 });
  const first = await download();
  if (first.ok || process.getuid() !== 0) return first;
  await run('apt-get', ['update', '-q'], { timeoutMs: 300_000 });
  return download();
}

/** @param {(text: string) => void} note @returns {Promise<{ path: string, libraries: string, version: string, source: string }>} */
export async function ensureSshd(note) {
  const version = await versionOf(installed, '');
  if (version) return { path: installed, libraries: '', version, source: 'installed' };
  const made = (await unpacked()) ?? (await fetched(note));
  if (made) return made;
  throw new SetUpError(
    'sshd was unpacked but does not start',
    `rm -r ${path.join(cacheDirectory(), folderName)}, and try again`,
  );
}
