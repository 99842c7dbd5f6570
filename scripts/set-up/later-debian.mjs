// Fetches programs of a chosen Debian suite into a folder of the cache, with that suite's own C library: nothing is installed, and nothing starts by itself.
import { access, mkdir, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cacheDirectory } from './cache.mjs';
import { SetUpError } from './report.mjs';
import { run, tail } from './run.mjs';

/**
 * @typedef {object} Wanted
 * @property {string} folder in the cache
 * @property {string[]} suites the first one that has the wanted versions is taken
 * @property {Record<string, string>} packages how each one's version begins
 * @property {Record<string, { ask?: string[], version: string }>} programs in `usr/bin`: how each tells its version, and how that begins; one without `ask` cannot tell
 */

/** Debian's own keys, where its releases keep them. */
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Where this machine gets Debian from, by its own configuration: a mirror here, a proxy there. */
async function debianArchive() {
  const format = '$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)';
  const listed = await run('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']);
  const lines = listed.stdout.split('\n').map((line) => line.split('|'));
  const found = lines.find(
    ([origin, label, component]) => origin === 'Debian' && label === origin && component === 'main',
  );
  if (found) return found[3];
  throw new SetUpError("apt knows no archive of Debian's main component, or has no lists yet", 'apt-get update');
}

/** apt with sources, lists and a package state of its own; nothing counts as installed, so a download brings all that is needed. */
async function privateApt(folder, suite) {
  const apt = path.join(folder, 'apt');
  for (const part of ['state/lists/partial', 'cache/archives/partial', 'empty']) {
    await mkdir(path.join(apt, part), { recursive: true });
  }
  await writeFile(path.join(apt, 'status'), '');
  const hasKeyring = await access(keyring).then(
    () => true,
    () => false,
  );
  const signedBy = hasKeyring ? `[signed-by=${keyring}] ` : '';
  await writeFile(path.join(apt, 'sources.list'), `deb ${signedBy}${await debianArchive()} ${suite} main\n`);
  const settings = {
    'Dir::State': path.join(apt, 'state'),
    'Dir::State::status': path.join(apt, 'status'),
    'Dir::Cache': path.join(apt, 'cache'),
    'Dir::Etc::sourcelist': path.join(apt, 'sources.list'),
    'Dir::Etc::sourceparts': path.join(apt, 'empty'),
    'Dir::Etc::preferencesparts': path.join(apt, 'empty'),
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
  };
  const options = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  // The system's hooks after an update or a download are about the system's lists, not about ours.
  for (const hook of ['Update::Post-Invoke', 'Update::Post-Invoke-Success']) options.push('-o', `APT::${hook}::=true`);
  return {
    archives: path.join(apt, 'cache', 'archives'),
    run: (program, args) => run(program, [...options, ...args], { timeoutMs: 900_000 }),
  };
}

async function mustRun(command, args, execute = run) {
  const result = await execute(command, args);
  if (!result.ok) {
    throw new SetUpError(
      `'${[command, ...args].join(' ')}' failed:\n${tail(result)}`,
      'try again when the archive answers',
    );
  }
  return result.stdout;
}

async function candidates(apt, packages) {
  const versions = {};
  for (const name of Object.keys(packages)) {
    const { stdout } = await apt.run('apt-cache', ['policy', name]);
    versions[name] = /Candidate: (?:\d+:)?(\S+)/.exec(stdout)?.[1] ?? '(none)';
  }
  return versions;
}

/** Suites move on: when none has what is wanted any more, the error names what they have. */
async function chooseSuite(root, { suites, packages }, note) {
  const seen = [];
  for (const suite of suites) {
    note(`reading the lists of ${suite}`);
    const apt = await privateApt(root, suite);
    await mustRun('apt-get', ['update', '-q'], apt.run);
    const versions = await candidates(apt, packages);
    if (Object.entries(packages).every(([name, version]) => versions[name].startsWith(version))) return { apt, suite };
    seen.push({ suite, versions });
  }
  const text = seen.map(({ suite, versions }) => `${suite}: ${JSON.stringify(versions)}`).join('; ');
  throw new SetUpError(
    `no suite of Debian has ${JSON.stringify(packages)} any more (${text})`,
    'change what is wanted to what the suites have',
  );
}

/** Folders of libraries, and the loader in one of them: before everything moved to /usr, some packages had theirs in /lib. */
async function findLoader(root) {
  const folders = [];
  for (const libraries of [path.join(root, 'usr', 'lib'), path.join(root, 'lib')]) {
    const names = await readdir(libraries).catch(() => []);
    folders.push(...names.filter((name) => name.endsWith('-linux-gnu')).map((name) => path.join(libraries, name)));
  }
  for (const folder of folders) {
    const loader = (await readdir(folder)).find((file) => /^ld-linux.*\.so\.\d+$/.test(file));
    if (loader) return { libraries: folders.join(':'), loader: path.join(folder, loader) };
  }
  throw new SetUpError(`'${root}' has no loader`, `rm -r ${root}`);
}

/** RPATH, not RUNPATH: it holds for the libraries' own libraries too. patchelf itself runs before anything is patched. Several names may be one file. */
async function patch(root, programs) {
  const { libraries, loader } = await findLoader(root);
  const patchelf = ['--library-path', libraries, path.join(root, 'usr/bin/patchelf')];
  const files = await Promise.all(programs.map((name) => realpath(path.join(root, 'usr/bin', name))));
  for (const program of new Set(files)) {
    const args = ['--force-rpath', '--set-rpath', libraries, '--set-interpreter', loader, program];
    await mustRun(loader, [...patchelf, ...args]);
  }
}

async function cached({ folder, programs }) {
  const root = path.join(cacheDirectory(), folder);
  const found = {};
  for (const [name, { ask, version }] of Object.entries(programs)) {
    const program = path.join(root, 'usr/bin', name);
    if (ask === undefined) continue;
    const answer = await run(program, ask, { timeoutMs: 60_000 });
    const said = answer.ok ? /\d+\.\d+(\.\d+)?/.exec(answer.stdout)?.[0] : undefined;
    if (!said?.startsWith(version)) return undefined;
    found[name] = { argv: [program], env: {}, version: said, source: 'cache' };
  }
  return found;
}

/**
 * The programs name their loader by its absolute path, so they are made where they stay; they start only once patched.
 * @param {Wanted} wanted
 * @param {(text: string) => void} note
 * @returns {Promise<Record<string, { argv: string[], env: object, version: string, source: string }>>} by program
 */
export async function ensureFromDebian(wanted, note) {
  const found = await cached(wanted);
  if (found) return found;
  const packages = Object.keys(wanted.packages);
  const programs = Object.keys(wanted.programs);
  const root = path.join(cacheDirectory(), wanted.folder);
  await rm(root, { recursive: true, force: true });
  await mkdir(root, { recursive: true });
  const { apt, suite } = await chooseSuite(root, wanted, note);
  note(`fetching ${packages.join(' and ')} with their libraries from ${suite}`);
  const install = ['install', '--download-only', '--yes', '-q', '--no-install-recommends'];
  await mustRun('apt-get', [...install, ...packages, 'patchelf'], apt.run);
  for (const file of (await readdir(apt.archives)).filter((name) => name.endsWith('.deb'))) {
    await mustRun('dpkg', ['-x', path.join(apt.archives, file), root]);
  }
  await rm(path.join(root, 'apt'), { recursive: true });
  await patch(root, programs);
  const made = await cached(wanted);
  const [first] = programs;
  if (!made) throw new SetUpError(`what ${suite} has does not start on this machine`, `${root}/usr/bin/${first}`);
  for (const program of Object.values(made)) program.source = `Debian ${suite}`;
  return made;
}
