// Whether a dump in the directory format is whole: its list can be read, every file that the list needs is there and ends as it must.

import { open, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../errors/index.ts';
import { eachOf } from '../recovery/parallel.ts';
import type { PostgresTools } from '../tools.ts';
import { isLargeObjects, isTableData, largeObjectList, readToc, rowsFile, type TocEntry } from './archive-toc.ts';

export interface DumpFile {
  readonly name: string;
  readonly sizeBytes: number;
}

export interface VerifiedDump {
  readonly entries: readonly TocEntry[];
  readonly files: readonly DumpFile[];
  readonly tables: number;
  readonly largeObjects: number;
  readonly largeObjectBytes: number;
}

const LIST_FILE = 'toc.dat';
/** How pg_dump ends the rows of every table: the mark of COPY on a line of its own, and empty lines (pg_dump.c, dumpTableData_copy). */
const END_OF_ROWS = /(^|\n)\\\.\n+$/;
const END_BYTES = 16;
const AT_ONCE = 16;

/** Throws `BACKUP_INVALID` with the file that is missing, cut off, or not on the list. */
export async function verifyDump(tools: PostgresTools, directory: string, signal: AbortSignal): Promise<VerifiedDump> {
  const entries = await readToc(tools, directory, signal);
  const files = await readFiles(directory);
  const sizes = new Map(files.map(({ name, sizeBytes }) => [name, sizeBytes]));
  const sizeOf = (name: string, what: string) =>
    sizes.get(name) ?? fail('BACKUP_INVALID', `'${name}' is not in the dump: it holds ${what}`);
  const expected = new Set([LIST_FILE]);
  sizeOf(LIST_FILE, 'the list');
  const tables = entries.filter(isTableData);
  await eachOf(tables, AT_ONCE, async (entry) => {
    const name = rowsFile(entry);
    const sizeBytes = sizeOf(name, `the rows of ${entry.rest}`);
    if (!END_OF_ROWS.test(await lastBytes(path.join(directory, name), sizeBytes))) {
      fail('BACKUP_INVALID', `'${name}', the rows of ${entry.rest}, is cut off`);
    }
    expected.add(name);
  });
  let largeObjects = 0;
  let largeObjectBytes = 0;
  for (const list of new Set(entries.filter(isLargeObjects).map((entry) => largeObjectList(entry, tools.major)))) {
    sizeOf(list, 'the names of large objects');
    expected.add(list);
    for (const name of await readLargeObjectList(path.join(directory, list))) {
      largeObjectBytes += sizeOf(name, 'a large object');
      largeObjects += 1;
      expected.add(name);
    }
  }
  const surplus = files.find(({ name }) => !expected.has(name));
  if (surplus !== undefined) fail('BACKUP_INVALID', `'${surplus.name}' is in the dump and nothing on its list`);
  return { entries, files, tables: tables.length, largeObjects, largeObjectBytes };
}

async function readFiles(directory: string): Promise<readonly DumpFile[]> {
  const names = (await readdir(directory)).sort();
  return await Promise.all(
    names.map(async (name) => ({ name, sizeBytes: (await stat(path.join(directory, name))).size })),
  );
}

async function lastBytes(file: string, sizeBytes: number): Promise<string> {
  const handle = await open(file);
  try {
    const length = Math.min(END_BYTES, sizeBytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, sizeBytes - length);
    return buffer.subarray(0, bytesRead).toString('latin1');
  } finally {
    await handle.close();
  }
}

/** Lines of `<oid> <file>`. */
async function readLargeObjectList(file: string): Promise<readonly string[]> {
  const text = await readFile(file, 'latin1');
  if (text !== '' && !text.endsWith('\n')) fail('BACKUP_INVALID', `'${path.basename(file)}' is cut off`);
  return text.split('\n').flatMap((line) => {
    if (line === '') return [];
    const [, name] = /^\d+ (blob_\d+\.dat)$/.exec(line) ?? [];
    return name ?? fail('BACKUP_INVALID', `'${path.basename(file)}' has a line that is not understood`);
  });
}
