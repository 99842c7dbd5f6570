// Plans of restores of Redis on their own host, beside the vault's record of them: a restore is undone, and a server stopped, while no store answers.

import { mkdir, open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { type Configuration, stateDirectoryOf } from '../../config/index.ts';
import type { RedisPlan } from '../domain/redis-restore.ts';
import { syncDirectory } from '../system/index.ts';

interface Here {
  readonly configuration: Configuration;
  readonly host: string;
}

/** The same plan again is fine. */
export async function keepRedisPlan(here: Here, plan: RedisPlan): Promise<void> {
  const file = fileOf(here, plan.run);
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(`${file}.part`, 'w', 0o600);
  try {
    await handle.writeFile(JSON.stringify(plan));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.part`, file);
  await syncDirectory(path.dirname(file));
}

/** Undefined where there is none. */
export async function keptRedisPlan(here: Here, run: string): Promise<RedisPlan | undefined> {
  try {
    return JSON.parse(await readFile(fileOf(here, run), 'utf8')) as RedisPlan;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function fileOf({ configuration, host }: Here, run: string): string {
  return path.join(stateDirectoryOf(configuration, host), 'redis-plans', `${path.basename(run)}.json`);
}
