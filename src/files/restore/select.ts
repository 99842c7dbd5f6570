// Which entries of a tree are wanted: paths with all that is below them, and patterns.

import ignore, { type Ignore } from 'ignore';
import { fail } from '../../errors/index.ts';
import type { SnapshotReader, TreeEntry } from '../../vault/index.ts';

export interface Selection {
  /** Absolute paths; each takes what is below it along. */
  readonly paths?: readonly string[];
  /** In the syntax of gitignore, of whole paths: what one of them matches is taken, with what is below. */
  readonly patterns?: readonly string[];
}

export class Selector {
  readonly #paths: readonly string[];
  readonly #patterns: Ignore | undefined;
  readonly isAll: boolean;

  constructor({ paths = [], patterns = [] }: Selection) {
    this.#paths = paths.map((path) => treePath(path));
    if (patterns.length > 0) this.#patterns = ignore({ ignorecase: false }).add([...patterns]);
    this.isAll = paths.length === 0 && patterns.length === 0;
  }

  takes({ path, type }: Pick<TreeEntry, 'path' | 'type'>): boolean {
    if (this.isAll) return true;
    if (this.#paths.some((wanted) => path === wanted || path.startsWith(`${wanted}/`))) return true;
    return this.#patterns?.ignores(type === 'directory' ? `${path}/` : path) ?? false;
  }
}

/** As entries name it. */
export function treePath(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  if (!trimmed.startsWith('/')) {
    fail('USAGE', `'${path}' is no absolute path`, {
      hint: 'name it as it is on the host, such as /srv/uploads/a.png',
    });
  }
  return trimmed.slice(1);
}

/** Files that wanted hard links lead to and that are not wanted themselves: the first wanted name of each becomes the file. */
export async function leadersToMove(
  reader: SnapshotReader,
  takes: (entry: Pick<TreeEntry, 'path' | 'type'>) => boolean,
): Promise<ReadonlyMap<string, string>> {
  const moved = new Map<string, string>();
  for await (const entry of reader.entries()) {
    const { type, linkTarget } = entry;
    if (type !== 'hardlink' || linkTarget === undefined || !takes(entry)) continue;
    const isWanted = takes({ path: linkTarget, type: 'file' });
    if (!isWanted && !moved.has(linkTarget)) moved.set(linkTarget, entry.path);
  }
  return moved;
}
