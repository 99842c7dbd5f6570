// Rules that join two places of a configuration: names that must exist, a policy that the copies can keep, choices of one of several.

import { closest } from '../src/domain/closest.ts';
import { parseDuration } from '../src/domain/duration.ts';
import { slotName } from '../src/domain/ids.ts';
import { parseSchedule, schedulePeriodSeconds } from '../src/domain/schedule.ts';

export interface CrossProblem {
  readonly path: readonly PropertyKey[];
  /** A whole sentence, or `expected …` behind the value. */
  readonly message: string;
  readonly about: 'value' | 'key';
}

type Tree = Readonly<Record<string, unknown>>;

/** Keys of the file that hold components. */
const kinds = ['database', 'redis', 'files', 'configuration'] as const;

/** Works on the file as it is, also when other places are wrong, so that all problems are told at once. */
export function crossCheck(file: unknown): CrossProblem[] {
  const root = tree(file);
  return [
    ...checkSitesAndHosts(root),
    ...checkKeys(root),
    ...checkCopies(root),
    ...checkCommit(root),
    ...checkDatabases(root),
    ...checkRedis(root),
    ...checkFiles(root),
    ...checkHostConfigurations(root),
    ...checkVerify(root),
    ...checkProtected(root),
  ];
}

function tree(value: unknown): Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Tree) : {};
}

function entries(value: unknown): [string, Tree][] {
  return Object.entries(tree(value)).map(([name, content]) => [name, tree(content)]);
}

function checkReference(path: readonly PropertyKey[], value: unknown, known: unknown, what: string): CrossProblem[] {
  const names = Object.keys(tree(known));
  if (typeof value !== 'string' || names.length === 0 || names.includes(value)) return [];
  const suggestion = names.length > 1 ? closest(value, names) : undefined;
  const list = names.map((name) => `'${name}'`).join(', ');
  const end = suggestion === undefined ? `${list}` : `${list}; did you mean '${suggestion}'?`;
  return [{ path, about: 'value', message: `expected one of the ${what}: ${end}` }];
}

function checkSitesAndHosts(root: Tree): CrossProblem[] {
  const vault = tree(root.vault);
  return [
    ...entries(root.hosts).flatMap(([name, host]) =>
      checkReference(['hosts', name, 'site'], host.site, root.sites, 'sites'),
    ),
    ...entries(vault.copies).flatMap(([name, copy]) =>
      checkReference(['vault', 'copies', name, 'site'], copy.site, root.sites, 'sites'),
    ),
    ...kinds.flatMap((kind) =>
      entries(root[kind]).flatMap(([name, component]) =>
        checkReference([kind, name, 'host'], component.host, root.hosts, 'hosts'),
      ),
    ),
  ];
}

function checkOneOf(path: readonly PropertyKey[], content: Tree, choices: readonly string[]): CrossProblem[] {
  const chosen = choices.filter((choice) => content[choice] !== undefined);
  if (chosen.length === 1) return [];
  const list = choices.map((choice) => `'${choice}'`).join(', ');
  const seen = chosen.length === 0 ? 'none' : chosen.map((choice) => `'${choice}'`).join(' and ');
  return [{ path, about: 'key', message: `expected exactly one of ${list}, got ${seen}` }];
}

function checkKeys(root: Tree): CrossProblem[] {
  const keys = tree(root.vault).keys;
  if (!Array.isArray(keys)) return [];
  const problems: CrossProblem[] = [];
  const seen = new Set<unknown>();
  for (const [index, key] of keys.map(tree).entries()) {
    const path = ['vault', 'keys', index];
    problems.push(...checkOneOf(path, key, ['file', 'passphrase', 'kms']), ...checkPair([...path, 'kms'], key.kms));
    if (key.name !== undefined && seen.has(key.name)) {
      problems.push({ path: [...path, 'name'], about: 'value', message: 'expected a name that no other key has' });
    }
    seen.add(key.name);
  }
  return problems;
}

function checkPair(path: readonly PropertyKey[], credentials: unknown): CrossProblem[] {
  const { accessKeyId, secretAccessKey } = tree(credentials);
  if ((accessKeyId === undefined) === (secretAccessKey === undefined)) return [];
  return [{ path, about: 'key', message: "expected 'accessKeyId' and 'secretAccessKey' together, or neither" }];
}

function checkS3(path: readonly PropertyKey[], s3: Tree): CrossProblem[] {
  const problems = checkPair(path, s3);
  const problem = (key: string, message: string) => problems.push({ path: [...path, key], about: 'key', message });
  if ((s3.lock === undefined) !== (s3.lockFor === undefined)) {
    problem(s3.lock === undefined ? 'lockFor' : 'lock', "expected 'lock' and 'lockFor' together, or neither");
  }
  if (s3.kmsKeyId !== undefined && s3.sse !== 'aws:kms') problem('kmsKeyId', "expected 'sse: aws:kms' beside it");
  if (s3.credentials === undefined) return problems;
  const { write, restore } = tree(s3.credentials);
  if (write === undefined && restore === undefined) problem('credentials', "expected at least 'write' or 'restore'");
  if (s3.accessKeyId !== undefined || s3.secretAccessKey !== undefined) {
    problem('credentials', "expected either these or 'accessKeyId' and 'secretAccessKey', which serve for everything");
  }
  return problems;
}

function checkCopies(root: Tree): CrossProblem[] {
  const problems: CrossProblem[] = [];
  const places = new Map<string, string>();
  for (const [name, copy] of entries(tree(root.vault).copies)) {
    const path = ['vault', 'copies', name];
    problems.push(...checkOneOf(path, copy, ['file', 's3']), ...checkS3([...path, 's3'], tree(copy.s3)));
    const s3 = tree(copy.s3);
    const place =
      copy.s3 === undefined ? String(copy.file) : JSON.stringify([s3.endpoint, s3.region, s3.bucket, s3.prefix]);
    const other = places.get(place);
    if (other !== undefined && (copy.s3 ?? copy.file) !== undefined) {
      problems.push({
        path,
        about: 'key',
        message: `expected a place of its own, but copy '${other}' is the same place`,
      });
    }
    places.set(place, name);
  }
  return problems;
}

function checkCommit(root: Tree): CrossProblem[] {
  const vault = tree(root.vault);
  const { copies, offsite } = tree(vault.commit);
  const all = entries(vault.copies);
  const away = all.filter(([, copy]) => copy.offsite === true).length;
  const problems: CrossProblem[] = [];
  const problem = (key: string, message: string) =>
    problems.push({ path: ['vault', 'commit', key], about: 'value', message });
  if (typeof copies === 'number' && all.length > 0 && copies > all.length) {
    problem('copies', `expected at most ${all.length}, because only so many copies are configured`);
  }
  if (typeof offsite === 'number' && all.length > 0 && offsite > away) {
    problem('offsite', `expected at most ${away}, because only so many copies have 'offsite: true'`);
  } else if (typeof offsite === 'number' && typeof copies === 'number' && offsite > copies) {
    problem('offsite', `expected at most ${copies}: they are counted among 'copies'`);
  }
  return problems;
}

function checkDatabases(root: Tree): CrossProblem[] {
  const problems: CrossProblem[] = [];
  const slots = new Map<string, string>();
  for (const [name, database] of entries(root.database)) {
    const path = ['database', name];
    if (database.service !== undefined) {
      const service = tree(database.service);
      problems.push(...checkOneOf([...path, 'service'], service, ['pgCtl', 'systemd', 'commands']));
    }
    if (database.dataDirectory === undefined && tree(database.service).pgCtl !== undefined) {
      problems.push({ path: [...path, 'service'], about: 'key', message: "expected 'dataDirectory' beside 'pgCtl'" });
    }
    const slot = slotName(String(root.name), name);
    const other = slots.get(slot);
    if (other !== undefined) {
      const message = `expected a name whose first letters differ from '${other}': both would use the replication slot '${slot}'`;
      problems.push({ path, about: 'key', message });
    }
    slots.set(slot, name);
    problems.push(...checkObjective(path, database));
  }
  return problems;
}

function checkRedis(root: Tree): CrossProblem[] {
  return entries(root.redis).flatMap(([name, { service, dataDirectory, backup }]) => {
    const isAlone = tree(backup).aof !== undefined && dataDirectory === undefined;
    const message = "expected 'dataDirectory' in the component: append-only files are captured from it";
    const aof = isAlone ? [{ path: ['redis', name, 'backup', 'aof'], about: 'key' as const, message }] : [];
    if (service === undefined) return aof;
    const path = ['redis', name, 'service'];
    const alone = { path, about: 'key' as const, message: "expected 'dataDirectory' beside 'service'" };
    return [
      ...aof,
      ...checkOneOf(path, tree(service), ['systemd', 'commands']),
      ...(dataDirectory === undefined ? [alone] : []),
    ];
  });
}

function checkFiles(root: Tree): CrossProblem[] {
  return entries(root.files).flatMap(([name, files]) => {
    const path = ['files', name];
    const { before, after } = tree(files.hooks);
    const isIdle = files.hooks !== undefined && before === undefined && after === undefined;
    const hooks = isIdle
      ? [{ path: [...path, 'hooks'], about: 'key' as const, message: "expected 'before', 'after' or both" }]
      : [];
    return [
      ...checkRoots([...path, 'roots'], files.roots),
      ...hooks,
      ...checkPull([...path, 'pull'], files),
      ...checkMirror([...path, 'mirror'], files),
    ];
  });
}

/** Else it would be late before its next run. What either cannot be read as is told elsewhere. */
function behindOf({ schedule, behind }: Tree): string | undefined {
  if (typeof schedule !== 'string' || typeof behind !== 'string') return undefined;
  try {
    if (parseDuration(behind) > schedulePeriodSeconds(parseSchedule(schedule))) return undefined;
  } catch {
    return undefined;
  }
  return `expected longer than 'schedule' needs from one run to the next ('${schedule}')`;
}

function checkPull(path: readonly PropertyKey[], { pull, roots }: Tree): CrossProblem[] {
  if (pull === undefined || !Array.isArray(roots)) return [];
  const at = roots.findIndex((root) => typeof root === 'string' && /^\/+$/.test(root));
  if (at < 0) return [];
  const message =
    'expected directories below the root of the other host: its devices and its own state cannot be pulled';
  return [{ path: [...path.slice(0, -1), 'roots', at], about: 'value', message }];
}

function checkMirror(path: readonly PropertyKey[], files: Tree): CrossProblem[] {
  if (files.mirror === undefined) return [];
  const mirror = tree(files.mirror);
  const problems: CrossProblem[] = [];
  if (files.pull !== undefined) {
    problems.push({
      path,
      about: 'key',
      message: "expected 'pull' or 'mirror', not both: what is pulled lies here already",
    });
  }
  const needs = ['keyFile', 'knownHosts'];
  if (mirror.ssh !== undefined) {
    const missing = needs.filter((key) => mirror[key] === undefined);
    if (missing.length > 0) {
      const list = missing.map((key) => `'${key}'`).join(' and ');
      problems.push({ path, about: 'key', message: `expected ${list} beside 'ssh'` });
    }
  } else {
    for (const key of [...needs, 'port', 'rsync'].filter((each) => mirror[each] !== undefined)) {
      problems.push({
        path: [...path, key],
        about: 'key',
        message: "expected 'ssh' beside it: it is for a host that is reached over SSH",
      });
    }
  }
  const late = behindOf(mirror);
  if (late !== undefined) problems.push({ path: [...path, 'behind'], about: 'value', message: late });
  const { directory } = mirror;
  const inside = Array.isArray(files.roots) && files.roots.some((root) => overlaps(root, directory));
  if (mirror.ssh === undefined && inside) {
    problems.push({
      path: [...path, 'directory'],
      about: 'value',
      message: 'expected a directory that is in no root, and has none in it',
    });
  }
  return problems;
}

function overlaps(root: unknown, directory: unknown): boolean {
  if (typeof root !== 'string' || typeof directory !== 'string') return false;
  const [one, other] = [root, directory].map((each) => `${each.replace(/\/+$/, '')}/`) as [string, string];
  return one.startsWith(other) || other.startsWith(one);
}

function checkHostConfigurations(root: Tree): CrossProblem[] {
  return entries(root.configuration).flatMap(([name, settings]) => {
    const path = ['configuration', name];
    const commands = entries(settings.commands).flatMap(([key, command]) =>
      checkOneOf([...path, 'commands', key], command, ['run', 'shell']),
    );
    const remote = tree(tree(settings.git).remote);
    const keepsIt =
      typeof remote.url !== 'string' ||
      /^(?:https:\/\/|http:\/\/(?:127(?:\.\d+){3}|localhost|\[::1\])[:/])/.test(remote.url);
    if (remote.password === undefined || keepsIt) return commands;
    const message = "expected an address that begins with 'https://': no other remote asks for a password";
    return [...commands, { path: [...path, 'git', 'remote', 'password'], about: 'key' as const, message }];
  });
}

/** What lies in two roots would be captured twice. */
function checkRoots(path: readonly PropertyKey[], roots: unknown): CrossProblem[] {
  const all = Array.isArray(roots) ? roots.filter((root) => typeof root === 'string') : [];
  const folders = all.map((root) => `${root.replace(/\/+$/, '')}/`);
  return folders.flatMap((folder, index) => {
    const outer = folders.findIndex(
      (other, at) => at !== index && folder.startsWith(other) && (folder !== other || at < index),
    );
    if (outer < 0) return [];
    const message = `expected a path that is not in another root, but '${all[outer]}' has it`;
    return [{ path: [...path, index], about: 'value' as const, message }];
  });
}

/** A directory keeps no checksums beside the bytes: nothing in it would ever be verified. */
function checkVerify(root: Tree): CrossProblem[] {
  if (tree(root.verify).level !== 'attested') return [];
  const names = entries(tree(root.vault).copies).flatMap(([name, { file }]) =>
    file === undefined ? [] : [`'${name}'`],
  );
  if (names.length === 0) return [];
  const message = `expected 'hashed' or 'decrypted', because ${names.join(', ')}, in a directory, attests nothing`;
  return [{ path: ['verify', 'level'], about: 'value', message }];
}

function checkProtected(root: Tree): CrossProblem[] {
  if (kinds.some((kind) => root[kind] !== undefined)) return [];
  const list = kinds.map((kind) => `'${kind}'`).join(', ');
  return [{ path: [], about: 'key', message: `expected something to protect: at least one of ${list}` }];
}

function checkObjective(path: readonly PropertyKey[], database: Tree): CrossProblem[] {
  const [within, rpo] = [seconds(tree(database.log).within ?? '15min'), seconds(tree(database.objective).rpo)];
  if (within === undefined || rpo === undefined || within <= rpo) return [];
  const message = `expected at least the ${String(tree(database.log).within ?? '15min')} of 'log.within': what is not shipped can be lost`;
  return [{ path: [...path, 'objective', 'rpo'], about: 'value', message }];
}

function seconds(value: unknown): number | undefined {
  try {
    return typeof value === 'string' ? parseDuration(value) : undefined;
  } catch {
    return undefined;
  }
}
