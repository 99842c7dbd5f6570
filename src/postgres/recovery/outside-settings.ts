// Settings files of the snapshot that lay outside of the data directory: they come back where production is gone and nothing stands in their place.

import { lstat, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { configurationPrefix } from '../backup/outside-configuration.ts';
import { exists, makeDirectory, type Owner, writeDurably } from './durable-files.ts';

export interface OutsideSettings {
  readonly restored: readonly string[];
  /** In words, with where each file is instead. */
  readonly warnings: readonly string[];
}

/** Every captured file, by its path on the source. */
async function capturedFiles(dataDirectory: string): Promise<readonly string[]> {
  const root = path.join(dataDirectory, configurationPrefix);
  if (!(await exists(root))) return [];
  const found = await readdir(root, { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => `/${path.relative(root, path.join(entry.parentPath, entry.name))}`)
    .sort();
}

/** Never replaces a file that is there. One that cannot be written is a warning: the data does not wait for it. Idempotent. */
export async function restoreOutsideSettings(
  dataDirectory: string,
  owner: Owner | undefined,
): Promise<OutsideSettings> {
  const restored: string[] = [];
  const warnings: string[] = [];
  for (const file of await capturedFiles(dataDirectory)) {
    const captured = path.join(dataDirectory, configurationPrefix, file);
    try {
      if (await exists(file)) continue;
      await makeParents(path.dirname(file), owner);
      await writeDurably(file, await readFile(captured), (await lstat(captured)).mode & 0o777, owner);
      restored.push(file);
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code ?? String(error);
      warnings.push(`the settings file '${file}' could not be put back (${reason}): it is in '${captured}'`);
    }
  }
  return { restored, warnings };
}

/** Those that are missing become the server's; none that is there is changed. */
async function makeParents(directory: string, owner: Owner | undefined): Promise<void> {
  if (await exists(directory)) return;
  await makeParents(path.dirname(directory), owner);
  await makeDirectory(directory, 0o755, owner);
}

/** Production has its own. */
export async function dropOutsideSettings(dataDirectory: string): Promise<void> {
  await rm(path.join(dataDirectory, path.dirname(configurationPrefix)), { recursive: true, force: true });
}
