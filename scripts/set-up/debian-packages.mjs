// The few system libraries and tools that must come from the distribution: installed as root, named otherwise.
import { access } from 'node:fs/promises';
import { SetUpError, say } from './report.mjs';
import { run, tail, which } from './run.mjs';

/** Which package holds a shared library that the fetched PostgreSQL links to. */
const packageOfLibrary = new Map([
  ['libxml2.so.2', 'libxml2'],
  ['libzstd.so.1', 'libzstd1'],
  ['liblz4.so.1', 'liblz4-1'],
  ['libgssapi_krb5.so.2', 'libgssapi-krb5-2'],
  ['libssl.so.3', 'libssl3'],
  ['libcrypto.so.3', 'libssl3'],
  ['libz.so.1', 'zlib1g'],
]);

/** @param {string[]} packages @param {string} reason what is missing, for the message */
export async function installPackages(packages, reason) {
  const command = `apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  const apt = await which('apt-get');
  if (!apt || process.getuid() !== 0)
    throw new SetUpError(reason, apt ? `sudo ${command}` : `install ${packages.join(', ')}`);
  say('packages', `${reason}; running ${command}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run(apt, ['update', '-q'], { env, timeoutMs: 300_000 });
  const installed = await run(apt, command.split(' ').slice(1), { env, timeoutMs: 900_000 });
  if (!installed.ok) throw new SetUpError(`${reason}, and apt-get failed:\n${tail(installed)}`, command);
}

/** The tools that hold locks and tie a child's life to its parent's, zstd, git, and the time zones PostgreSQL reads. @param {'quickstart' | 'test'} purpose */
export async function ensureSystemTools(purpose) {
  const missing = [];
  for (const tool of ['flock', 'setpriv']) if (!(await which(tool))) missing.push(tool);
  if (missing.length > 0) await installPackages(['util-linux'], `${missing.join(' and ')} not found on PATH`);
  // What rescue.mjs uses where Node has no zstd of its own.
  if (!(await which('zstd'))) await installPackages(['zstd'], 'zstd not found on PATH');
  // Keeps the history of configuration; without its recommended packages, which serve people.
  if (!(await which('git'))) await installPackages(['git', 'ca-certificates'], 'git not found on PATH');
  const zones = await access('/usr/share/zoneinfo/UTC').then(
    () => true,
    () => false,
  );
  if (!zones) await installPackages(['tzdata'], 'the time zone database /usr/share/zoneinfo is missing');
  if (purpose !== 'test') return;
  // The eye that compares trees, and what rescue.mjs gives attributes back with.
  if (!(await which('rsync'))) await installPackages(['rsync'], 'rsync not found on PATH');
  if (!(await which('setfattr'))) await installPackages(['attr'], 'setfattr not found on PATH');
}

/** @param {string} program a dynamically linked program that must be able to start */
export async function ensureLibraries(program) {
  const linked = await run('ldd', [program]);
  const missing = [...linked.stdout.matchAll(/^\s*(\S+) => not found/gm)].map((match) => match[1]);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((library) => packageOfLibrary.get(library) ?? library))];
  await installPackages(packages, `'${program}' needs ${missing.join(', ')}`);
}
