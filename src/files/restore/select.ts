// Which entries of a tree are wanted: paths with all that is below them, patterns, or everything below one directory.

import ignore, { type Ignore } from 'ignore';
import { shownTyped } from '../../domain/path-text.ts';
import { fail } from '../../errors/index.ts';
import type { SnapshotReader, TreeEntry } from '../../vault/index.ts';

export interface Selection {
  /** Absolute paths; each takes what is below it along. */
  readonly paths?: readonly string[];
  /** In the syntax of gitignore, of whole paths: what one of them matches is taken, with what is below. */
  readonly patterns?: readonly string[];
}

export type EntrySource = Pick<SnapshotReader, 'entries'>;
type Named = Pick<TreeEntry, 'path' | 'type'>;

export class Selector {
  readonly #paths: readonly string[];
  readonly #patterns: Ignore | undefined;

  constructor({ paths = [], patterns = [] }: Selection) {
    this.#paths = paths.map((path) => treePath(path));
    if (patterns.length > 0) this.#patterns = ignore({ ignorecase: false }).add([...patterns]);
  }

  get isAll(): boolean {
    return this.#paths.length === 0 && this.#patterns === undefined;
  }

  takes({ path, type }: Named): boolean {
    if (this.isAll) return true;
    if (this.#paths.some((wanted) => isWithin(path, wanted))) return true;
    return this.#patterns?.ignores(type === 'directory' ? `${path}/` : path) ?? false;
  }
}

/** `path` is `top` or below it; everything is below the empty one. */
export function isWithin(path: string, top: string): boolean {
  return top === '' || path === top || path.startsWith(`${top}/`);
}

/** As entries name it. Throws `USAGE` for a path that is not absolute. */
export function treePath(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  if (!path.startsWith('/')) {
    fail('USAGE', `'${shownTyped(path)}' is no absolute path`, {
      hint: 'name it as it is on the host, such as /srv/uploads/a.png',
    });
  }
  return trimmed.slice(1);
}

/**
 * The wanted entries in their order, and in front of them the directories that they are in. A hard link to a file that is not wanted becomes that file, and further links to it links to the first: what is
 * wanted stands by itself. `onOther` gets each that is not wanted, once.
 */
export async function* wantedEntries(
  source: EntrySource,
  takes: (entry: Named) => boolean,
  onOther?: (entry: Named) => void,
): AsyncGenerator<TreeEntry> {
  const leaders = await leadersToReplace(source, takes);
  const files = new Map<string, TreeEntry>();
  const replaced = new Map<string, string>();
  const way: TreeEntry[] = [];
  for await (const entry of source.entries()) {
    if (leaders.has(entry.path)) files.set(entry.path, entry);
    while (way.length > 0 && !isWithin(entry.path, (way.at(-1) as TreeEntry).path)) way.pop();
    if (!takes(entry)) {
      onOther?.(entry);
      if (entry.type === 'directory') way.push(entry);
      continue;
    }
    yield* way.splice(0);
    const leader = entry.type === 'hardlink' ? files.get(entry.linkTarget ?? '') : undefined;
    if (!leader) {
      yield entry;
      continue;
    }
    const first = replaced.get(leader.path);
    if (first === undefined) replaced.set(leader.path, entry.path);
    yield first === undefined ? { ...leader, path: entry.path } : { ...entry, linkTarget: first };
  }
}

async function leadersToReplace(source: EntrySource, takes: (entry: Named) => boolean): Promise<ReadonlySet<string>> {
  const leaders = new Set<string>();
  for await (const { path, type, linkTarget } of source.entries()) {
    if (type !== 'hardlink' || linkTarget === undefined || !takes({ path, type })) continue;
    if (!takes({ path: linkTarget, type: 'file' })) leaders.add(linkTarget);
  }
  return leaders;
}
