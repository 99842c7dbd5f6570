// What the last run saw of the host's files, kept beside the repository, so that drift is told without the vault.

import { readFile } from 'node:fs/promises';
import type { SnapshotId, TreeEntry } from '../vault/index.ts';
import { type Place, replaceFile } from './place.ts';

export type SeenEntry = Omit<TreeEntry, 'chunks' | 'pieces' | 'chunking'>;

/** Only ever a help: what it says is of one snapshot, and it is made again from that when it is gone. */
export async function writeSeen(place: Place, id: SnapshotId, entries: readonly TreeEntry[]): Promise<void> {
  const lines = entries.map(({ chunks: _, pieces: __, chunking: ___, ...entry }) => JSON.stringify(entry));
  await replaceFile(place.seen, `${[JSON.stringify({ snapshot: id }), ...lines].join('\n')}\n`);
}

/** Undefined when there is none of this snapshot, or it is not whole. */
export async function readSeen({ seen }: Place, id: SnapshotId): Promise<SeenEntry[] | undefined> {
  const text = await readFile(seen, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    const [head = '{}', ...lines] = text.split('\n').slice(0, -1);
    if ((JSON.parse(head) as { snapshot?: string }).snapshot !== id) return undefined;
    return lines.map((line) => JSON.parse(line) as SeenEntry);
  } catch {
    return undefined;
  }
}
