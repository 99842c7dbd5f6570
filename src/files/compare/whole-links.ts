// Hard links as the files that they are: whoever compares or describes one name wants to know what is in it.

import type { TreeEntry } from '../../vault/index.ts';
import type { EntrySource } from '../restore/select.ts';

export interface WholeEntry extends TreeEntry {
  /** Path of the first name of the same file, where this is another one. */
  readonly sameAs?: string;
}

/** In their order. Reads the tree twice; what has several names is in memory once. Throws what the vault says. */
export async function* wholeEntries(
  source: EntrySource,
  takes: (path: string) => boolean = () => true,
): AsyncGenerator<WholeEntry> {
  const leaders = new Map<string, TreeEntry | undefined>();
  for await (const { type, path, linkTarget } of source.entries()) {
    if (type === 'hardlink' && linkTarget !== undefined && takes(path)) leaders.set(linkTarget, undefined);
  }
  for await (const entry of source.entries()) {
    if (leaders.has(entry.path)) leaders.set(entry.path, withoutChunks(entry));
    if (!takes(entry.path)) continue;
    const leader = entry.type === 'hardlink' ? leaders.get(entry.linkTarget ?? '') : undefined;
    yield leader ? { ...leader, path: entry.path, sameAs: leader.path } : entry;
  }
}

export function withoutChunks({ chunks: _, pieces: __, ...entry }: TreeEntry): TreeEntry {
  return entry;
}
