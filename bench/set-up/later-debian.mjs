// Fetches programs of a later Debian suite into a folder of the cache, with that suite's own C library, so that the system stays as it is.
import { access, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cacheDirectory } from '../../scripts/set-up/cache.mjs';
import { SetUpError } from '../../scripts/set-up/report.mjs';
import { run, tail } from '../../scripts/set-up/run.mjs';

/** The first suite that has the wanted versions is taken. */
const suites = ['forky', 'trixie', 'sid'];
const wanted = { restic: '0.19.1', pgbackrest: '2.60' };
const folderName = 'bench-debian';
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

async function candidates(apt) {
  const versions = {};
  for (const name of Object.keys(wanted)) {
    const { stdout } = await apt.run('apt-cache', ['policy', name]);
    versions[name] = /Candidate: (\S+)/.exec(stdout)?.[1] ?? '(none)';
  }
  return versions;
}

/** These suites move on: when none has what is wanted any more, the error names what they have. */
async function chooseSuite(folder, note) {
  const seen = [];
  for (const suite of suites) {
    note(`reading the lists of ${suite}`);
    const apt = await privateApt(folder, suite);
    await mustRun('apt-get', ['update', '-q'], apt.run);
    const versions = await candidates(apt);
    if (Object.entries(wanted).every(([name, version]) => versions[name].startsWith(version))) return { apt, suite };
    seen.push({ suite, versions });
  }
  const text = seen.map(({ suite, versions }) => `${suite}: ${JSON.stringify(versions)}`).join('; ');
  throw new SetUpError(
    `no suite of Debian has ${JSON.stringify(wanted)} any more (${text})`,
    "change 'wanted' in bench/set-up/later-debian.mjs to what the suites have",
  );
}

async function findLoader(root) {
  const libraries = path.join(root, 'usr', 'lib');
  for (const name of await readdir(libraries)) {
    if (!name.endsWith('-linux-gnu')) continue;
    const loader = (await readdir(path.join(libraries, name))).find((file) => /^ld-linux.*\.so\.\d+$/.test(file));
    if (loader) return { folder: path.join(libraries, name), loader: path.join(libraries, name, loader) };
  }
  throw new SetUpError(`'${libraries}' has no loader`, `rm -r ${root}`);
}

/** RPATH, not RUNPATH: it holds for the libraries' own libraries too. patchelf itself runs before anything is patched. */
async function patch(root) {
  const { folder, loader } = await findLoader(root);
  const patchelf = ['--library-path', folder, path.join(root, 'usr/bin/patchelf')];
  for (const name of Object.keys(wanted)) {
    const program = path.join(root, 'usr/bin', name);
    const args = ['--force-rpath', '--set-rpath', folder, '--set-interpreter', loader, program];
    await mustRun(loader, [...patchelf, ...args]);
  }
}

async function cached() {
  const root = path.join(cacheDirectory(), folderName);
  const programs = {};
  for (const [name, version] of Object.entries(wanted)) {
    const program = path.join(root, 'usr/bin', name);
    const answer = await run(program, ['version'], { timeoutMs: 60_000 });
    const found = answer.ok ? /\d+\.\d+(\.\d+)?/.exec(answer.stdout)?.[0] : undefined;
    if (!found?.startsWith(version)) return undefined;
    programs[name] = { argv: [program], env: {}, version: found, source: 'cache' };
  }
  return programs;
}

/**
 * The programs name their loader by its absolute path, so they are made where they stay; they start only once patched.
 * @param {(text: string) => void} note
 */
export async function ensureLaterDebian(note) {
  const found = await cached();
  if (found) return found;
  const root = path.join(cacheDirectory(), folderName);
  await rm(root, { recursive: true, force: true });
  await mkdir(root, { recursive: true });
  const { apt, suite } = await chooseSuite(root, note);
  note(`fetching ${Object.keys(wanted).join(' and ')} with their libraries from ${suite}`);
  const install = ['install', '--download-only', '--yes', '-q', '--no-install-recommends'];
  await mustRun('apt-get', [...install, ...Object.keys(wanted), 'patchelf'], apt.run);
  for (const file of (await readdir(apt.archives)).filter((name) => name.endsWith('.deb'))) {
    await mustRun('dpkg', ['-x', path.join(apt.archives, file), root]);
  }
  await rm(path.join(root, 'apt'), { recursive: true });
  await patch(root);
  const made = await cached();
  if (!made) throw new SetUpError(`what ${suite} has does not start on this machine`, `${root}/usr/bin/restic version`);
  for (const program of Object.values(made)) program.source = `Debian ${suite}`;
  return made;
}
