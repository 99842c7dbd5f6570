// Finds the real programs that the set-up brought to this machine.

import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fail } from '../errors/index.ts';

export interface PostgresPrograms {
  /** Directory of `postgres`, `initdb`, `psql` and the others. */
  readonly bindir: string;
  readonly version: string;
}

/** The content of components.json, which `npm run setup` writes. */
export interface Components {
  readonly temporal: { readonly path: string; readonly version: string };
  readonly weed: { readonly path: string; readonly version: string };
  /** By major version. */
  readonly postgres: Readonly<Record<string, PostgresPrograms>>;
}

const hint = "run 'npm run setup' in the directory of Holdfast";

/** The same rule as in scripts/set-up/cache.mjs, which must work before anything here can be read. */
function cacheDirectory(): string {
  if (process.env.HOLDFAST_CACHE) return path.resolve(process.env.HOLDFAST_CACHE);
  if (process.getuid?.() === 0) return '/var/cache/holdfast';
  return path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'holdfast');
}

/** Throws `PROGRAM_MISSING` when the set-up has not run. */
export async function findComponents(): Promise<Components> {
  const file = path.join(cacheDirectory(), 'components.json');
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    return fail('PROGRAM_MISSING', `the components of the sandbox are not set up: '${file}' cannot be read`, {
      hint,
      cause,
    });
  }
}

/** Programs of one major, by default the newest there is. Throws `PROGRAM_MISSING`. */
export async function findPostgres(major?: number): Promise<PostgresPrograms & { readonly major: number }> {
  const { postgres } = await findComponents();
  const majors = Object.keys(postgres).map(Number);
  const chosen = major ?? Math.max(...majors);
  const programs = postgres[chosen];
  if (programs === undefined) {
    fail('PROGRAM_MISSING', `PostgreSQL ${chosen} is not set up, only ${majors.join(', ')}`, {
      hint: majors.length === 0 ? hint : `for example \`--postgres ${Math.max(...majors)}\``,
    });
  }
  return { ...programs, major: chosen };
}
