// The files of a dump from the vault onto this host's disk: the list first, then the rows of what is wanted of it.

import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../../errors/index.ts';
import type { SnapshotOnCopies, TreeEntry, Vault } from '../../../vault/types.ts';
import type { PostgresTools } from '../../tools.ts';
import { isLargeObjects, isTableData, readLinkedToc, rowsFile } from '../archive-toc.ts';
import type { DumpedDatabase, LogicalDetails } from '../types.ts';
import { type Selection, selectEntries, type Wanted } from './select-entries.ts';

const LIST = 'toc.dat';

export interface OpenedDump {
  readonly selection: Selection;
  readonly globals: string;
  /** Of the rows that are wanted and are not fetched yet. */
  readonly files: readonly TreeEntry[];
  readonly bytes: number;
}

/** Fetches list and globals below `directory`, and tells what else is wanted. */
export async function openDump(
  { vault, snapshot, from }: { readonly vault: Vault; readonly snapshot: SnapshotOnCopies; readonly from?: string },
  database: DumpedDatabase,
  wanted: Wanted,
  place: { readonly directory: string; readonly tools: PostgresTools; readonly signal: AbortSignal },
): Promise<OpenedDump> {
  const { directory, tools, signal } = place;
  const { globals } = snapshot.engine as LogicalDetails;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const reader = await vault.openSnapshot(snapshot.id, from);
  try {
    const entries = new Map<string, TreeEntry>();
    for await (const entry of reader.entries()) if (entry.type === 'file') entries.set(entry.path, entry);
    const first = [path.posix.join(database.path, LIST), globals.path];
    const files = first.map((name) => ({
      entry: entries.get(name) ?? fail('OBJECT_DAMAGED', `the dump has no '${name}'`),
    }));
    await reader.restoreFiles(files, { directory, signal });
    const selection = selectEntries(await readLinkedToc(tools, path.join(directory, database.path), signal), wanted);
    const rest = [...entries.values()].filter((entry) => isWanted(entry, database, selection));
    const bytes = rest.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const text = await readFile(path.join(directory, globals.path), 'utf8');
    return { selection, globals: text, files: rest, bytes };
  } finally {
    reader.close();
  }
}

function isWanted({ path: name }: TreeEntry, database: DumpedDatabase, { entries }: Selection): boolean {
  if (path.posix.dirname(name) !== database.path || path.posix.basename(name) === LIST) return false;
  const file = path.posix.basename(name);
  if (file.startsWith('blob')) return entries.some(isLargeObjects);
  return entries.some((entry) => isTableData(entry) && rowsFile(entry) === file);
}

export async function fetchFiles(
  { vault, snapshot, from }: { readonly vault: Vault; readonly snapshot: SnapshotOnCopies; readonly from?: string },
  files: readonly TreeEntry[],
  {
    directory,
    signal,
    onProgress,
  }: { readonly directory: string; readonly signal: AbortSignal; readonly onProgress?: (bytes: number) => void },
): Promise<void> {
  const reader = await vault.openSnapshot(snapshot.id, from);
  try {
    const progress =
      onProgress === undefined ? {} : { onProgress: ({ bytes }: { bytes: number }) => onProgress(bytes) };
    await reader.restoreFiles(
      files.map((entry) => ({ entry })),
      { directory, signal, ...progress },
    );
  } finally {
    reader.close();
  }
}
