// Files that are withheld whatever is in them: by their names, and what is the same file, or the same content, under another name.

import ignore, { type Ignore } from 'ignore';
import type { TreeEntry } from '../vault/index.ts';
import type { Why } from './looked-texts.ts';
import { SECRET_NAMES } from './secret-names.ts';

interface NamedFile {
  readonly path: string;
  /** What it is a name of, by a hard link too; absent for what is no file. */
  readonly file: TreeEntry | undefined;
  /** Of a symbolic link: the path that it stands for. */
  readonly leadsTo?: string;
}

/** Shorter ones are alike by chance: an empty file, a single number. */
const TELLING_BYTES = 8;

export class WithheldNames {
  readonly #askedFor: Ignore;
  readonly #secretNames = ignore({ ignorecase: true }).add([...SECRET_NAMES]);
  readonly #paths = new Set<string>();
  /** Files and directories that a link with such a name leads to: a mounted secret is two links away from its name. */
  readonly #places = new Set<string>();
  readonly #contents: Set<string>;

  /** `withhold`: of the user, in the syntax of gitignore. `contents`: SHA-256 of files that are secret under whatever name. */
  constructor(withhold: readonly string[], contents: readonly string[] = []) {
    this.#askedFor = ignore({ ignorecase: false }).add([...withhold]);
    this.#contents = new Set(contents);
  }

  /** All names of a capture, before anything is asked of one. */
  noteAll(names: readonly NamedFile[]): void {
    for (const { path, leadsTo } of names) {
      const isSecret = leadsTo && (this.#byName(path) !== undefined || this.#byName(`${path}/`) !== undefined);
      if (isSecret) this.#places.add(leadsTo);
    }
    for (const { path, file } of names) {
      if (!file || (this.#byName(path) === undefined && !this.#isLedTo(path))) continue;
      this.#paths.add(file.path);
      if (file.sha256 !== undefined && file.sizeBytes >= TELLING_BYTES) this.#contents.add(file.sha256);
    }
  }

  reasonFor(path: string, file: TreeEntry): Why | undefined {
    const isSame = this.#paths.has(file.path) || this.#contents.has(file.sha256 ?? '');
    return this.#byName(path) ?? (isSame ? 'same content as one that is withheld' : undefined);
  }

  /** Or any of the directories that it is in. */
  #isLedTo(path: string): boolean {
    if (this.#places.size === 0) return false;
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      if (this.#places.has(path.slice(0, end))) return true;
    }
    return false;
  }

  #byName(path: string): Why | undefined {
    if (this.#askedFor.ignores(path)) return 'asked for';
    return this.#secretNames.ignores(path) ? 'name of a secret file' : undefined;
  }
}
