// What a snapshot can say of a path that is not in it: only what its roots and rules take in, and what could be read, was really not there.

import type { WhyAbsent } from '../../domain/files-history.ts';
import { isWithin, treePath } from '../restore/select.ts';
import { PathRules, type ScanRules } from '../scan/rules.ts';
import type { Told } from '../types.ts';

export interface CoverageParts {
  /** Absolute. */
  readonly roots: readonly string[];
  readonly rules: ScanRules;
  /** Paths, without the slash in front, that could not be looked at. */
  readonly unseen: Told<string>;
}

export class Coverage {
  readonly #roots: readonly string[];
  readonly #rules: PathRules;
  readonly #unseen: Told<string>;

  constructor({ roots, rules, unseen }: CoverageParts) {
    this.#roots = roots.map((root) => treePath(root));
    this.#rules = new PathRules(rules.exclude);
    this.#unseen = unseen;
  }

  /** More could not be read than is named: of no path is it known that it was not there. */
  get isVague(): boolean {
    return this.#unseen.count > this.#unseen.first.length;
  }

  /** `path` is not in the tree. */
  whyAbsent(path: string): WhyAbsent {
    const root = this.#roots.find((each) => isWithin(path, each));
    if (root === undefined) return 'not captured';
    if (this.#isLeftOut(path, root)) return 'left out';
    if (this.isVague || this.#unseen.first.some((unseen) => isWithin(path, unseen))) return 'not read';
    return 'absent';
  }

  /** What is in a directory that is left out is not looked at. */
  #isLeftOut(path: string, root: string): boolean {
    const below = root === '' ? path : path.slice(root.length + 1);
    const names = below === '' ? [] : below.split('/');
    return names.some((_, at) => {
      const part = names.slice(0, at + 1).join('/');
      return (
        this.#rules.leavesOut(part, at + 1 < names.length) ||
        (at + 1 === names.length && this.#rules.leavesOut(part, true))
      );
    });
  }
}
