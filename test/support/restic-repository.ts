// The same days kept by restic, as a measure of how many bytes they are worth.

import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensurePeers } from '../../bench/lib/peers.ts';
import { run } from '../../src/process/index.ts';
import { filesOf, type Taken } from './long-estate.ts';

export class ResticRepository {
  readonly version: string;
  readonly #directory: string;
  readonly #argv: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  readonly #written = new Map<string, number>();

  private constructor(directory: string) {
    const { restic } = ensurePeers();
    this.version = restic.version;
    this.#directory = directory;
    this.#argv = restic.argv;
    const repository = { RESTIC_REPOSITORY: join(directory, 'repository'), RESTIC_PASSWORD: 'the same days' };
    this.#env = { ...restic.env, ...repository, RESTIC_CACHE_DIR: join(directory, 'cache'), TZ: 'UTC' };
  }

  /** `directory` belongs to it. */
  static async make(directory: string): Promise<ResticRepository> {
    const made = new ResticRepository(directory);
    await mkdir(join(directory, 'data', 'base'), { recursive: true });
    await made.#restic('init');
    return made;
  }

  /** The files of a snapshot, tagged with its class, as of its own time. */
  async backUp(taken: Taken): Promise<void> {
    for (const [index, [path, bytes]] of Object.entries(filesOf(taken)).entries()) {
      const version = taken.versions[index] ?? 0;
      if (this.#written.get(path) === version) continue;
      await writeFile(join(this.#directory, 'data', path), bytes);
      this.#written.set(path, version);
    }
    const time = taken.to.slice(0, 19).replace('T', ' ');
    const data = join(this.#directory, 'data');
    await this.#restic('backup', '--host', 'estate', '--tag', taken.class, '--time', time, data);
  }

  /** By age, class by class, and what nothing needs any more is removed. */
  async retain(days: Readonly<Record<string, number>>): Promise<void> {
    for (const [tag, kept] of Object.entries(days)) {
      await this.#restic('forget', '--tag', tag, '--keep-within', `${kept}d`);
    }
    await this.#restic('prune');
  }

  async bytes(): Promise<number> {
    const root = join(this.#directory, 'repository');
    const names = await readdir(root, { recursive: true });
    const sizes = await Promise.all(names.map(async (name) => stat(join(root, name))));
    return sizes.reduce((sum, each) => sum + (each.isFile() ? each.size : 0), 0);
  }

  async #restic(...args: string[]): Promise<void> {
    const [program = '', ...rest] = [...this.#argv, '--quiet', ...args];
    await run(program, rest, { env: this.#env, deadlineMs: 120_000 });
  }
}
