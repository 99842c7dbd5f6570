// One durable barrier for everything that was written below a directory: syncfs(2).

import { type FileHandle, open } from 'node:fs/promises';
import { platform, release } from 'node:os';
import { fail } from '../../errors/index.ts';
import { syncFileSystemOf } from '../../system/index.ts';

/** Since then syncfs reports writes that failed before it was called (syncfs(2), "Versions"). */
const TELLS_FAILURES_SINCE = [5, 8] as const;

/** Whether a sync of the file system tells as much as a sync of each file would. */
export function canSyncFileSystem(system = platform(), kernel = release()): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  const [sinceMajor, sinceMinor] = TELLS_FAILURES_SINCE;
  return system === 'linux' && (major > sinceMajor || (major === sinceMajor && minor >= sinceMinor));
}

/** Written between one sync and the next. */
const STRETCH_BYTES = 256 * 1024 * 1024;

/**
 * Syncs along the way: the disk begins while there is still more to write, and the last sync has little left to wait for. What one of them
 * says is remembered, because a handle is told of a failed write once.
 */
export class SyncAlong {
  readonly #place: FileHandle;
  readonly #directory: string;
  #underWay: Promise<void> | undefined;
  #failure: { readonly cause: unknown } | undefined;
  #bytes = 0;

  private constructor(place: FileHandle, directory: string) {
    this.#place = place;
    this.#directory = directory;
  }

  /** Opened before anything is written: it is told of every write that fails from then on, also when another sync hears of it first. */
  static async open(directory: string): Promise<SyncAlong> {
    return new SyncAlong(await open(directory), directory);
  }

  wrote(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < STRETCH_BYTES || this.#underWay) return;
    this.#bytes = 0;
    this.#underWay = this.#sync()
      .catch((cause: unknown) => {
        this.#failure ??= { cause };
      })
      .finally(() => {
        this.#underWay = undefined;
      });
  }

  /** The last sync. Throws what any of them threw: `NO_SPACE`, `TARGET_UNFIT`. */
  async finish(): Promise<void> {
    await this.#underWay;
    if (this.#failure) throw this.#failure.cause;
    await this.#sync();
  }

  /** No sync is under way any more. */
  async close(): Promise<void> {
    await this.#underWay;
    await this.#place.close();
  }

  async #sync(): Promise<void> {
    try {
      await syncFileSystemOf(this.#place.fd);
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      // Room is found for some bytes only when they go to the disk.
      if (code === 'ENOSPC' || code === 'EDQUOT') fail('NO_SPACE', `no room in '${this.#directory}'`, { cause });
      fail('TARGET_UNFIT', `not everything in '${this.#directory}' has reached the disk: ${message}`, {
        hint: 'check the disk and the log of the kernel',
        cause,
      });
    }
  }
}
