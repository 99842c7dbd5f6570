// The servers that can be measured, as the set-up of the tests has fetched them, and their programs.

import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fail } from '../../src/errors/index.ts';

export const serverKinds = ['redis7', 'redis8', 'valkey'] as const;
export type ServerKind = (typeof serverKinds)[number];

export interface Programs {
  readonly bindir: string;
  readonly flavour: 'redis' | 'valkey';
  readonly version: string;
}

/** Throws `PROGRAM_MISSING` when the set-up has not run. */
export async function findPrograms(kind: ServerKind): Promise<Programs> {
  const file = path.join(cacheDirectory(), 'test-components.json');
  const text = await readFile(file, 'utf8').catch(() => '{}');
  const { redis } = JSON.parse(text) as { redis?: Readonly<Record<string, Programs>> };
  return (
    redis?.[kind] ??
    fail('PROGRAM_MISSING', `'${file}' knows no ${kind}`, { hint: "run 'npm run setup' in the directory of Holdfast" })
  );
}

/** The same rule as in scripts/set-up/cache.mjs. */
function cacheDirectory(): string {
  if (process.env.HOLDFAST_CACHE) return path.resolve(process.env.HOLDFAST_CACHE);
  if (process.getuid?.() === 0) return '/var/cache/holdfast';
  return path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'holdfast');
}
