// What would be free again without the files that only we keep: each once, however many second names of ours it has.

import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';

export interface OwnFile {
  readonly bytes: number;
  /** Each with a name of it; there is no other. */
  readonly directories: readonly string[];
}

/** Of all directories below which we give second names: a file that the server discarded may stand in two sets, and in one that is set aside. */
export async function ownFiles(directories: readonly string[]): Promise<readonly OwnFile[]> {
  const found = new Map<string, { links: number; bytes: number; directories: string[] }>();
  for (const directory of directories) {
    for (const name of await readdir(directory)) {
      const { dev, ino, nlink, blocks } = await stat(path.join(directory, name));
      const file = found.get(`${dev}-${ino}`) ?? { links: nlink, bytes: blocks * 512, directories: [] };
      file.directories.push(directory);
      found.set(`${dev}-${ino}`, file);
    }
  }
  return [...found.values()].filter((file) => file.links === file.directories.length);
}

export function bytesOf(files: readonly OwnFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
