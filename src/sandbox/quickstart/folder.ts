// What the quickstart knows of a folder outside of Holdfast: the SHA-256 of every file in it.

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** By path below the folder. */
export type Sums = ReadonlyMap<string, string>;

export async function sumsOf(folder: string): Promise<Sums> {
  const sums = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    const name = path.relative(folder, file);
    if (!entry.isFile() || name.startsWith('.holdfast/')) continue;
    sums.set(
      name,
      createHash('sha256')
        .update(await readFile(file))
        .digest('hex'),
    );
  }
  return sums;
}

/** Names that are in only one of the two, or not the same in both. */
export function differing(one: Sums, other: Sums): string[] {
  return [...new Set([...one.keys(), ...other.keys()])].filter((name) => one.get(name) !== other.get(name));
}
