// Which names below a root are left out: patterns in the syntax of gitignore, sizes, directories of caches, our own.

import ignore, { type Ignore } from 'ignore';

/** Plain data: it travels to the thread that scans. */
export interface ScanRules {
  /** Lines of a gitignore file, relative to each root; `!` brings back what an earlier line left out, below a directory that is in. */
  readonly exclude: readonly string[];
  /** Whether mounts inside of a root are left out. */
  readonly oneFileSystem: boolean;
  /** Whether what lies beside a valid `CACHEDIR.TAG` is left out (Cache Directory Tagging Specification). */
  readonly cacheTags: boolean;
  /** Larger files are left out. */
  readonly largestBytes?: number;
}

/** Of Holdfast: what a restore in place keeps until it is confirmed. In a root, and deeper in it where another component has one there. */
export const OWN_DIRECTORY = '.holdfast';

export const CACHE_TAG = 'CACHEDIR.TAG';
export const CACHE_SIGNATURE = 'Signature: 8a477f597d28d172789f06886806bc55';

export class PathRules {
  readonly #patterns: Ignore | undefined;

  constructor(exclude: readonly string[]) {
    if (exclude.length > 0) this.#patterns = ignore({ ignorecase: false }).add([...exclude]);
  }

  /** `path` below its root; asked for a directory before anything in it, and for nothing in one that is left out. */
  leavesOut(path: string, isDirectory: boolean): boolean {
    if (path === OWN_DIRECTORY || (isDirectory && path.endsWith(`/${OWN_DIRECTORY}`))) return true;
    return this.#patterns?.ignores(isDirectory ? `${path}/` : path) ?? false;
  }
}

/** Why a name is left out that `PathRules` leave out. */
export function whyLeftOut(path: string): 'excluded' | 'of Holdfast' {
  return path.split('/').includes(OWN_DIRECTORY) ? 'of Holdfast' : 'excluded';
}
