// Fetches pinned wheels with pip, which checks their digests, and unpacks them; nothing is installed into the system.
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { cacheDirectory } from './cache.mjs';
import { installPackages } from './debian-packages.mjs';
import { SetUpError } from './report.mjs';
import { run, tail } from './run.mjs';

let pip;

/** The command line that runs pip: the system's, else one in an environment of our own. */
function findPip() {
  pip ??= (async () => {
    if ((await run('python3', ['-m', 'pip', '--version'])).ok) return ['python3', '-m', 'pip'];
    const own = path.join(cacheDirectory(), 'python');
    const inOwn = [path.join(own, 'bin', 'python3'), '-m', 'pip'];
    if ((await run(inOwn[0], ['-m', 'pip', '--version'])).ok) return inOwn;
    await rm(own, { recursive: true, force: true });
    if ((await run('python3', ['-m', 'venv', own])).ok) return inOwn;
    await installPackages(['python3', 'python3-pip'], 'pip for Python 3 is missing');
    return ['python3', '-m', 'pip'];
  })();
  return pip;
}

/**
 * @param {string[]} requirements as `name==version`
 * @param {string} download the folder that the wheels go into
 * @param {string[]} extra more options for pip; with `--no-deps` nothing is fetched but these
 */
export async function fetchWheels(requirements, download, extra) {
  const [program, ...prefix] = await findPip();
  const args = [...prefix, 'download', '--quiet', '--disable-pip-version-check', '--only-binary=:all:', ...extra];
  const fetched = await run(program, [...args, '-d', download, ...requirements], { timeoutMs: 600_000 });
  if (fetched.ok) return;
  const command = [program, ...args, '-d', '.', ...requirements].join(' ');
  throw new SetUpError(`pip could not fetch ${requirements.join(', ')}:\n${tail(fetched)}`, command);
}

/**
 * @param {string} requirement as `name==version`
 * @param {string} folder where the wheel's content goes, below `content/`
 * @param {string[]} [extra] more options for pip
 */
export async function unpackWheel(requirement, folder, extra = []) {
  const download = path.join(folder, 'download');
  await fetchWheels([requirement], download, ['--no-deps', ...extra]);
  const wheel = path.join(download, (await readdir(download)).find((name) => name.endsWith('.whl')) ?? '');
  const content = path.join(folder, 'content');
  await mkdir(content);
  const unpack = ['-m', 'zipfile', '-e', wheel, content];
  const unpacked = await run('python3', unpack);
  if (!unpacked.ok) {
    throw new SetUpError(
      `the wheel of ${requirement} cannot be unpacked:\n${tail(unpacked)}`,
      `python3 ${unpack.join(' ')}`,
    );
  }
  await rm(download, { recursive: true });
  return content;
}
