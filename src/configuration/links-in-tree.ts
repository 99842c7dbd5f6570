// Where a symbolic link of a capture leads, by what was captured alone: the host may have something else there by now.

import type { TreeEntry } from '../vault/index.ts';

/** As many as the kernel follows (path_resolution(7)). */
const MOST_LINKS = 40;

export class LinksInTree {
  readonly #targets = new Map<string, string>();

  constructor(entries: Iterable<TreeEntry>) {
    for (const { type, path, linkTarget } of entries) {
      if (type === 'symlink' && linkTarget !== undefined) this.#targets.set(path, linkTarget);
    }
  }

  /** A path as the tree has it, whether anything of it was captured or not. Undefined where links lead in a circle. */
  placeOf(path: string): string | undefined {
    const left = path.split('/').reverse();
    const place: string[] = [];
    for (let followed = 0; left.length > 0; ) {
      const part = left.pop() ?? '';
      if (part === '..') place.pop();
      if (part === '' || part === '.' || part === '..') continue;
      place.push(part);
      const target = this.#targets.get(place.join('/'));
      if (target === undefined) continue;
      if (++followed > MOST_LINKS) return undefined;
      if (target.startsWith('/')) place.length = 0;
      else place.pop();
      left.push(...target.split('/').reverse());
    }
    return place.join('/');
  }
}
