// A new key file in the place of an old one: made beside it, put in its place in one step, the old one kept until nothing needs it.

import { chown, link, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncDirectory } from '../system/index.ts';
import { generateKeyFile, readKeyFile, unfitFor } from './key-file.ts';

/**
 * At every instant there is a whole key file under the path, and every secret that a slot may still need under some name: `PATH.new` before
 * the exchange, `PATH.old-<time>` after it. The next attempt finds by these names how far the last one came.
 */
export class KeyFileRotation {
  /** Where the new secret lies now. */
  secretPath: string;
  /** Whether an earlier attempt had begun. */
  readonly resumed: boolean;
  readonly #path: string;
  #old: string[];

  private constructor(path: string, secretPath: string, old: string[], resumed: boolean) {
    this.#path = path;
    this.secretPath = secretPath;
    this.#old = old;
    this.resumed = resumed;
  }

  /** Whether the last rotation of this key file ended somewhere in between, or waits for a copy. */
  static async isUnderWay(path: string): Promise<boolean> {
    const found = await lookAround(path);
    return found.hasStaged || found.old.length > 0;
  }

  /** Makes the new key file beside the old one, or takes up what an earlier attempt left. Throws `TARGET_UNFIT`. */
  static async begin(path: string): Promise<KeyFileRotation> {
    const { real, staged, hasStaged, old } = await lookAround(path);
    const resumed = hasStaged || old.length > 0;
    if (!resumed) await generateKeyFile(staged);
    const isExchanged = !hasStaged && old.length > 0;
    return new KeyFileRotation(real, isExchanged ? real : staged, old, resumed);
  }

  /** Old key files that are kept. */
  get old(): readonly string[] {
    return this.#old;
  }

  /** Puts the new file in the place of the old one, which is kept as `PATH.old-<time>`. */
  async exchange(): Promise<void> {
    if (this.secretPath === this.#path) return;
    try {
      const present = await stat(this.#path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
        return undefined;
      });
      if (present) {
        await chown(this.secretPath, present.uid, present.gid);
        await this.#keep();
      }
      await rename(this.secretPath, this.#path);
      await syncDirectory(dirname(this.#path));
    } catch (cause) {
      unfitFor(this.#path, cause);
    }
    this.secretPath = this.#path;
  }

  /** When no slot object needs the old secrets any more. */
  async forgetOld(): Promise<void> {
    for (const file of this.#old) await rm(file, { force: true });
    await syncDirectory(dirname(this.#path));
    this.#old = [];
  }

  async #keep(): Promise<void> {
    const current = await readKeyFile(this.#path);
    for (const file of this.#old) if ((await readKeyFile(file)).equals(current)) return;
    const time = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
    const kept = `${this.#path}.old-${time}Z`;
    await link(this.#path, kept);
    this.#old.push(kept);
    await syncDirectory(dirname(this.#path));
  }
}

/** The files stand where the key file really is, also when the configuration names a link to it. */
async function lookAround(path: string) {
  const real = await realpath(path).catch(() => path);
  const staged = `${real}.new`;
  const names: string[] = await readdir(dirname(real)).catch(() => []);
  const prefix = `${basename(real)}.old-`;
  const old = names.filter((name) => name.startsWith(prefix) && /^\d{8}T\d{6}Z$/.test(name.slice(prefix.length)));
  const hasStaged = names.includes(basename(staged));
  return { real, staged, hasStaged, old: old.sort().map((name) => join(dirname(real), name)) };
}
