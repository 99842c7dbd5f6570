// Whether a restored tree is the original: names, bytes, modes, times of files.

import { createHash, hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fail } from '../../src/errors/index.ts';
import { run } from '../../src/process/index.ts';
import { interrupted } from './interrupt.ts';

/** Files read at once, each whole unless it is large. */
const AT_ONCE = 16;
const LARGE_BYTES = 2 ** 20;

/** One line a file or directory, sorted. */
async function describeTree(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const lines: string[] = [];
  let next = 0;
  const describe = async () => {
    for (let entry = entries[next++]; entry !== undefined; entry = entries[next++]) {
      const full = path.join(entry.parentPath, entry.name);
      const name = path.relative(root, full);
      if (!entry.isFile()) lines.push(`${name} ${entry.isDirectory() ? 'directory' : 'other'}`);
      else {
        const { mode, mtimeMs, size } = await lstat(full);
        const mtime = Math.floor(mtimeMs / 1000);
        lines.push(`${name} ${(mode & 0o7777).toString(8)} ${mtime} ${size} ${await digestOf(full, size)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, describe));
  return lines.sort();
}

async function digestOf(file: string, sizeBytes: number): Promise<string> {
  if (sizeBytes <= LARGE_BYTES) return hash('sha256', await readFile(file), 'hex');
  const digest = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: LARGE_BYTES }), digest);
  return digest.digest('hex');
}

/** Throws `CHECK_FAILED`, with the first difference: a restore that is not the original is no result, however fast. */
export async function requireSameTree(expectedRoot: string, actualRoot: string): Promise<void> {
  const [expected, actual] = [await describeTree(expectedRoot), await describeTree(actualRoot)];
  if (expected.length === 0) fail('CHECK_FAILED', `'${expectedRoot}' is empty: nothing was compared`);
  const length = Math.max(expected.length, actual.length);
  for (let line = 0; line < length; line++) {
    if (expected[line] === actual[line]) continue;
    fail('CHECK_FAILED', `'${actualRoot}' is not the original: '${actual[line]}', expected '${expected[line]}'`);
  }
}

const forget = `
import os, sys
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        path = os.path.join(folder, name)
        if not os.path.isfile(path) or os.path.islink(path): continue
        handle = os.open(path, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)
`;

/** Takes the files out of the page cache: trees of earlier rounds would fill the memory, and whoever comes later would pay for making room. */
export async function forgetTree(python: string, root: string): Promise<void> {
  await run('sync', [], { signal: interrupted });
  await run(python, ['-c', forget, root], { signal: interrupted });
}

/** Bytes of all files below `root`: what a copy holds. */
export async function sizeOfTree(root: string): Promise<number> {
  let sizeBytes = 0;
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) sizeBytes += (await lstat(path.join(entry.parentPath, entry.name))).size;
  }
  return sizeBytes;
}
