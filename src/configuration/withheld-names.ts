// Files that are withheld whatever is in them: by their names, and what is the same file, or the same content, under another name.

import ignore, { type Ignore } from 'ignore';
import type { TreeEntry } from '../vault/index.ts';
import type { Why } from './looked-texts.ts';
import { SECRET_NAMES } from './secret-names.ts';

interface NamedFile {
  readonly path: string;
  /** What it is a name of, by a hard link too; absent for what is no file. */
  readonly file: TreeEntry | undefined;
}

/** Shorter ones are alike by chance: an empty file, a single number. */
const TELLING_BYTES = 8;

export class WithheldNames {
  readonly #askedFor: Ignore;
  readonly #secretNames = ignore({ ignorecase: true }).add([...SECRET_NAMES]);
  readonly #paths = new Set<string>();
  readonly #contents = new Set<string>();

  /** `withhold`: of the user, in the syntax of gitignore. */
  constructor(withhold: readonly string[]) {
    this.#askedFor = ignore({ ignorecase: false }).add([...withhold]);
  }

  /** All names of a capture, before anything is asked of one. */
  noteAll(names: readonly NamedFile[]): void {
    for (const { path, file } of names) {
      if (!file || this.#byName(path) === undefined) continue;
      this.#paths.add(file.path);
      if (file.sha256 !== undefined && file.sizeBytes >= TELLING_BYTES) this.#contents.add(file.sha256);
    }
  }

  reasonFor(path: string, file: TreeEntry): Why | undefined {
    const isSame = this.#paths.has(file.path) || this.#contents.has(file.sha256 ?? '');
    return this.#byName(path) ?? (isSame ? 'same content as one that is withheld' : undefined);
  }

  #byName(path: string): Why | undefined {
    if (this.#askedFor.ignores(path)) return 'asked for';
    return this.#secretNames.ignores(path) ? 'name of a secret file' : undefined;
  }
}
