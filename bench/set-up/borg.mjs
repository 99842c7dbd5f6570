// Fetches borg from the Python package index and compiles it into a folder of the cache.
import { access, readdir } from 'node:fs/promises';
import path from 'node:path';
import { cacheDirectory, install } from '../../scripts/set-up/cache.mjs';
import { installPackages } from '../../scripts/set-up/debian-packages.mjs';
import { SetUpError } from '../../scripts/set-up/report.mjs';
import { run, tail, which } from '../../scripts/set-up/run.mjs';

const pinnedVersion = '1.4.5';
const folderName = `borg-${pinnedVersion}`;

/** A header that each package brings: what borg's C parts are compiled against. */
const packageOfHeader = {
  'sys/acl.h': 'libacl1-dev',
  'openssl/evp.h': 'libssl-dev',
  'lz4.h': 'liblz4-dev',
  'zstd.h': 'libzstd-dev',
  'xxhash.h': 'libxxhash-dev',
};

async function ensureHeaders() {
  const folders = ['/usr/include', ...(await readdir('/usr/include')).map((name) => `/usr/include/${name}`)];
  const missing = [];
  for (const [header, debian] of Object.entries(packageOfHeader)) {
    const found = await Promise.any(folders.map((folder) => access(path.join(folder, header)))).then(
      () => true,
      () => false,
    );
    if (!found) missing.push(debian);
  }
  if (!(await which('gcc'))) missing.push('gcc', 'libc6-dev');
  if (!(await which('pkg-config'))) missing.push('pkg-config');
  if (missing.length > 0) await installPackages(missing, `borg is compiled with ${missing.join(', ')}`);
}

async function cached(python) {
  const env = { PYTHONPATH: path.join(cacheDirectory(), folderName) };
  const argv = [...python.argv, '-m', 'borg'];
  const answer = await run(argv[0], [...argv.slice(1), '--version'], { env: { ...process.env, ...env } });
  const version = answer.ok ? /\d+\.\d+\.\d+/.exec(answer.stdout)?.[0] : undefined;
  return version === pinnedVersion ? { argv, env, version, source: 'cache' } : undefined;
}

/** @param {{ argv: string[] }} python @param {(text: string) => void} note */
export async function ensureBorg(python, note) {
  const found = await cached(python);
  if (found) return found;
  await ensureHeaders();
  note(`compiling borg ${pinnedVersion}, some minutes`);
  await install(folderName, async (folder) => {
    const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', folder];
    const requirement = `borgbackup==${pinnedVersion}`;
    const made = await run(python.argv[0], [...args, requirement], { timeoutMs: 1_800_000 });
    const command = [python.argv[0], ...args.slice(0, -1), 'DIRECTORY', requirement].join(' ');
    if (!made.ok) throw new SetUpError(`borg ${pinnedVersion} could not be made:\n${tail(made)}`, command);
  });
  const fetched = await cached(python);
  if (fetched) return { ...fetched, source: 'compiled' };
  throw new SetUpError(`borg ${pinnedVersion} does not start on this machine`, `${python.argv[0]} -m borg --version`);
}
