// Looks at the place of a restore before anything is touched: is it free, is it ours, is there room, can the server run there.

import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { fail, HoldfastError } from '../../errors/index.ts';
import { findUser, tryRun } from '../../process/index.ts';
import type { PhysicalDetails, RestorePlan } from '../types.ts';
import { readDirectoryIdentity } from './control-data.ts';
import { exists, ifAbsent, lstatIfThere, readIfThere } from './durable-files.ts';
import { isExchanged, mountedBelow, staysInPlace } from './own-place.ts';
import { markerFile } from './paths.ts';
import { findPostmaster } from './postmaster.ts';

/** Beside production: the directory must be absent or empty, in a parent that is there and reachable. Throws `TARGET_UNFIT`. */
export async function inspectBeside(dataDirectory: string, runAs: string | undefined): Promise<void> {
  const unfit = (what: string, hint: string) => fail('TARGET_UNFIT', `'${dataDirectory}' ${what}`, { hint });
  if (!path.isAbsolute(dataDirectory)) unfit('is not an absolute path', 'give the whole path');
  const there = await lstatIfThere(dataDirectory);
  if (there !== undefined && !there.isDirectory()) unfit('is not a directory', 'choose another one');
  if (there !== undefined && staysInPlace(dataDirectory)) unfit('is a mount point', 'choose a directory in it');
  const content = there === undefined ? [] : await readdir(dataDirectory);
  if (content.length > 0) unfit('is not empty', 'choose a directory that does not exist yet; nothing was touched');
  await inspectParent(dataDirectory, runAs);
}

/**
 * Replaying the making of a tablespace uses its place on this host as it is. Throws `TARGET_UNFIT` when the production cluster
 * of the same host has one that the base backup does not know: replay would write into production's files.
 */
export async function inspectTablespaces(
  productionDirectory: string | undefined,
  details: PhysicalDetails,
): Promise<void> {
  if (productionDirectory === undefined) return;
  const known = new Set(details.tablespaces.map(({ oid }) => String(oid)));
  const oids = await readdir(path.join(productionDirectory, 'pg_tblspc')).catch(ifAbsent([]));
  const stranger = oids.find((oid) => /^\d+$/.test(oid) && !known.has(oid));
  if (stranger === undefined) return;
  fail('TARGET_UNFIT', `tablespace ${stranger} of '${productionDirectory}' was made after the base backup`, {
    hint: 'recover on another host, or to a moment after a newer base backup: replay would write into its files',
  });
}

/** The production directory of a restore in place; `undefined` when there is none any more. Throws `TARGET_UNFIT`, `DATABASE_IDENTITY`. */
export async function inspectProduction(
  dataDirectory: string,
  runAs: string | undefined,
): Promise<RestorePlan['production']> {
  const unfit = (what: string, hint: string) => fail('TARGET_UNFIT', `'${dataDirectory}' ${what}`, { hint });
  if (!path.isAbsolute(dataDirectory)) unfit('is not an absolute path', 'change `dataDirectory` in the configuration');
  await inspectParent(dataDirectory, runAs);
  const there = await lstatIfThere(dataDirectory);
  if (there === undefined) return undefined;
  const beside = 'restore with `--beside DIR` and move the data by hand';
  const real = await stat(dataDirectory).catch(ifAbsent(undefined));
  if (real === undefined) unfit('is a link that leads nowhere', 'is its file system mounted?');
  if (!real?.isDirectory()) unfit('is not a directory', 'check `dataDirectory` in the configuration');
  const mounted = mountedBelow(dataDirectory);
  if (mounted !== undefined) unfit(`has '${mounted}' mounted in it, which cannot be renamed`, beside);
  if (await exists(path.join(dataDirectory, 'patroni.dynamic.json'))) {
    unfit('belongs to Patroni, which would undo the restore', `pause and leave the Patroni cluster, or ${beside}`);
  }
  if (!(await readdir(dataDirectory)).some(isExchanged)) return undefined;
  const identity = await readDirectoryIdentity(dataDirectory);
  if (identity === undefined)
    return unfit('is not empty and holds no cluster', 'check `dataDirectory` in the configuration');
  const running = (await findPostmaster(dataDirectory)) !== undefined;
  if (await exists(path.join(dataDirectory, 'standby.signal'))) {
    unfit('is a standby', 'restore where the primary is, or remove the standby first');
  }
  return { systemId: identity.systemId, timeline: identity.timeline, dataDirectory, running };
}

/** An earlier restore in place that waits for a person's word: it must be ended before the next one. */
export async function unconfirmedRestore(dataDirectory: string): Promise<HoldfastError | undefined> {
  const marker = path.join(dataDirectory, markerFile);
  if (!(await exists(marker))) return undefined;
  const run = await runOfMarker(marker);
  const message = `'${dataDirectory}' holds a restore that was neither confirmed nor rolled back: ${run}`;
  return new HoldfastError('JOURNAL_STATE', message, {
    hint: `\`holdfast rollback ${run}\` brings the data of before it back, \`holdfast confirm ${run}\` removes that data for good; another moment can be looked at meanwhile with \`--beside DIR\``,
  });
}

async function inspectParent(dataDirectory: string, runAs: string | undefined): Promise<void> {
  const parent = path.dirname(dataDirectory);
  const there = await stat(parent).catch(ifAbsent(undefined));
  if (there === undefined || !there.isDirectory()) {
    fail('TARGET_UNFIT', `'${parent}' is not a directory`, { hint: 'make it first, or choose another place' });
  }
  if (runAs === undefined) {
    if (process.getuid?.() === 0) {
      fail('TARGET_UNFIT', 'a server for recovery cannot run as root', {
        hint: 'name its user with `runAs` under `hosts` in the configuration',
      });
    }
    return;
  }
  await findUser(runAs);
  const reach = await tryRun('test', ['-x', parent], { runAs });
  if (reach.exitCode !== 0) {
    fail('TARGET_UNFIT', `user '${runAs}' cannot reach '${parent}'`, {
      hint: `let it pass: chmod o+x on '${parent}' and the directories above`,
    });
  }
}

/** Throws `TARGET_UNFIT` when the cluster's locale is not installed here: its databases could not be opened. */
export async function inspectLocale({ locale }: PhysicalDetails): Promise<void> {
  const wanted = [locale.collate, locale.ctype].map(normalLocale).filter((name) => !alwaysThere.has(name));
  if (wanted.length === 0) return;
  const answer = await tryRun('locale', ['-a'], { deadlineMs: 30_000 });
  const installed = new Set(answer.stdout.split('\n').map(normalLocale));
  const missing = wanted.find((name) => !installed.has(name));
  if (missing !== undefined) {
    fail('TARGET_UNFIT', `the locale '${locale.collate}' of the cluster is not installed on this host`, {
      hint: `install it, for example: localedef -i ${locale.collate.split('.')[0]} -f UTF-8 ${locale.collate}`,
    });
  }
}

const alwaysThere = new Set(['c', 'posix', 'c.utf8', '']);

function normalLocale(name: string): string {
  return name.trim().toLowerCase().replace('utf-8', 'utf8');
}

/**
 * Libraries that do nothing by themselves: no scheduler, no worker that connects or writes. Everything else that the source
 * preloads stays out of a recovered server.
 */
const harmlessLibraries = new Set(['pg_stat_statements', 'auto_explain', 'pgaudit', 'pg_hint_plan', 'plpgsql_check']);

export async function harmlessPreloads(
  libraries: readonly string[],
  binDirectory: string,
): Promise<{ readonly kept: readonly string[]; readonly left: readonly string[] }> {
  const kept: string[] = [];
  for (const library of libraries) {
    if (harmlessLibraries.has(library) && (await isInstalled(library, binDirectory))) kept.push(library);
  }
  return { kept, left: libraries.filter((library) => !kept.includes(library)) };
}

async function isInstalled(library: string, binDirectory: string): Promise<boolean> {
  const answer = await tryRun(path.join(binDirectory, 'pg_config'), ['--pkglibdir']).catch(() => undefined);
  const directories = [
    answer?.stdout.trim(),
    path.join(binDirectory, '../lib'),
    path.join(binDirectory, '../lib/postgresql'),
  ];
  for (const directory of directories) {
    if (directory && (await exists(path.join(directory, `${library}.so`)))) return true;
  }
  return false;
}

/** What a settings file of the production cluster tells about who else manages it. */
export async function managedBy(dataDirectory: string): Promise<string | undefined> {
  const files = ['postgresql.conf', 'postgresql.auto.conf'].map((file) => readIfThere(path.join(dataDirectory, file)));
  const text = (await Promise.all(files)).join('\n');
  return /^\s*shared_preload_libraries\s*=.*\brepmgr\b/m.test(text) ? 'repmgr' : undefined;
}

/** `RUN` for a marker that nobody can read. */
async function runOfMarker(file: string): Promise<string> {
  try {
    const { run } = JSON.parse((await readIfThere(file)) ?? '') as { run?: unknown };
    return typeof run === 'string' ? run : 'RUN';
  } catch {
    return 'RUN';
  }
}
