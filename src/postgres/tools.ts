// Finds the PostgreSQL programs of exactly the server's major version, and proves the version by asking them.

import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fail } from '../errors/index.ts';
import { findProgram, run } from '../process/index.ts';

export interface PostgresTools {
  readonly major: number;
  /** Absolute directory of `postgres`, `pg_ctl`, `initdb`, `pg_waldump` and the others. */
  readonly binDirectory: string;
  /** As `postgres --version` says, for example `17.11`. */
  readonly version: string;
}

export interface FindToolsOptions {
  /** Directory whose `components.json` lists what set-up prepared; default as in `npm run setup`. */
  readonly cacheDirectory?: string;
}

/**
 * Throws `TOOL_VERSION` when there are no programs of this major: those of another one cannot read its data, whatever they print.
 */
export async function findTools(major: number, options: FindToolsOptions = {}): Promise<PostgresTools> {
  const seen: string[] = [];
  for (const directory of await candidates(major, options)) {
    const version = await versionOf(directory);
    if (version === undefined) continue;
    if (Number(version.split(/[.a-z]/)[0]) === major) return { major, binDirectory: directory, version };
    seen.push(`${version} in '${directory}'`);
  }
  const found = seen.length === 0 ? 'none were found' : `found ${seen.join(', ')}`;
  return fail('TOOL_VERSION', `the programs of PostgreSQL ${major} are not installed on this host: ${found}`, {
    hint: `run: apt-get install postgresql-${major}`,
    details: { major },
  });
}

async function candidates(major: number, options: FindToolsOptions): Promise<string[]> {
  const cached = await fromComponents(major, options.cacheDirectory ?? cacheDirectory());
  const configured = await fromPgConfig();
  const usual = [`/usr/lib/postgresql/${major}/bin`, `/usr/pgsql-${major}/bin`];
  return [...new Set([...cached, ...usual, ...configured])];
}

async function fromComponents(major: number, directory: string): Promise<string[]> {
  const text = await readFile(path.join(directory, 'components.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return [];
  try {
    const bindir: unknown = JSON.parse(text)?.postgres?.[String(major)]?.bindir;
    return typeof bindir === 'string' ? [bindir] : [];
  } catch {
    return [];
  }
}

function cacheDirectory(): string {
  if (process.env.HOLDFAST_CACHE) return path.resolve(process.env.HOLDFAST_CACHE);
  if (process.getuid?.() === 0) return '/var/cache/holdfast';
  return path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'holdfast');
}

async function fromPgConfig(): Promise<string[]> {
  const program = await findProgram('pg_config').catch(() => undefined);
  if (program === undefined) return [];
  const result = await run(program, ['--bindir'], { deadlineMs: 10_000 }).catch(() => undefined);
  return result === undefined ? [] : [result.stdout.trim()];
}

async function versionOf(directory: string): Promise<string | undefined> {
  const result = await run(path.join(directory, 'postgres'), ['--version'], { deadlineMs: 30_000 }).catch(
    () => undefined,
  );
  return result === undefined ? undefined : /^postgres \(PostgreSQL\) (\S+)/.exec(result.stdout)?.[1];
}
