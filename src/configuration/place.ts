// Where the configuration engine keeps things on its host: the repository, its lock, what the last run saw, and what a run works with.

import { chmod, mkdir, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { syncDirectory } from '../system/index.ts';

export interface Place {
  readonly directory: string;
  readonly lock: string;
  readonly repository: string;
  readonly markerKey: string;
  /** Entries as the newest snapshot has them, for drift. */
  readonly seen: string;
  /** How the last push ended. */
  readonly push: string;
}

const WORK = 'work-';

/** `name` is that of the component: its characters are fit for a file system. */
export function placeOf(stateDirectory: string, name: string): Place {
  const directory = path.join(stateDirectory, 'configuration', name);
  const of = (file: string) => path.join(directory, file);
  return {
    directory,
    lock: of('lock'),
    repository: of('repository.git'),
    markerKey: of('marker.key'),
    seen: of('seen.jsonl'),
    push: of('push.json'),
  };
}

/** Nobody else may look in, also where somebody made it for us. */
export async function preparePlace({ directory }: Place): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
}

/** A directory of this run alone, gone when `work` has ended; what killed runs left is removed first. The lock must be held. */
export async function inWorkDirectory<T>(place: Place, work: (directory: string) => Promise<T>): Promise<T> {
  for (const name of await readdir(place.directory)) {
    if (name.startsWith(WORK)) await rm(path.join(place.directory, name), { recursive: true, force: true });
  }
  const directory = await mkdtemp(path.join(place.directory, WORK));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Whole or as it was before. */
export async function replaceFile(file: string, content: string | Uint8Array): Promise<void> {
  const partial = `${file}.part`;
  const handle = await open(partial, 'w', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(partial, file);
  await syncDirectory(path.dirname(file));
}
