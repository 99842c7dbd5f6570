// The room that giving back files takes, file system by file system, beside what is free on each.

import { stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { SpaceSummary } from '../../domain/plan-summary.ts';
import { bytesText } from '../../domain/size.ts';
import { HoldfastError } from '../../errors/index.ts';

const notThere = new Set(['ENOENT', 'ENOTDIR']);

interface Place {
  /** The first that was named of it. */
  readonly directory: string;
  readonly availableBytes: number;
  neededBytes: number;
  sparseBytes: number;
}

export class Room {
  readonly #places = new Map<number, Place>();

  /** In `directory`, which need not be there yet. `sparseBytes` are those of files with holes, of which nobody knows how much is holes: they are only warned of. */
  async need(directory: string, neededBytes: number, sparseBytes = 0): Promise<void> {
    const { device, availableBytes } = await fileSystemOf(directory);
    const place = this.#places.get(device) ?? { directory, availableBytes, neededBytes: 0, sparseBytes: 0 };
    place.neededBytes += neededBytes;
    place.sparseBytes += sparseBytes;
    this.#places.set(device, place);
  }

  get space(): SpaceSummary {
    const [first, ...others] = [...this.#places.values()].map(
      ({ sparseBytes: _, directory, neededBytes, availableBytes }) => ({ directory, neededBytes, availableBytes }),
    );
    const { neededBytes = 0, availableBytes = 0 } = first ?? {};
    return { neededBytes, availableBytes, ...(others.length > 0 && { elsewhere: others }) };
  }

  get blockers(): HoldfastError[] {
    return [...this.#places.values()]
      .filter(({ neededBytes, availableBytes }) => neededBytes > availableBytes)
      .map(({ directory, neededBytes, availableBytes }) => {
        const message = `${bytesText(neededBytes)} are needed for '${directory}', ${bytesText(availableBytes)} are free`;
        return new HoldfastError('NO_SPACE', message);
      });
  }

  get warnings(): string[] {
    return [...this.#places.values()]
      .filter(({ neededBytes, sparseBytes, availableBytes }) => neededBytes + sparseBytes > availableBytes)
      .filter(({ sparseBytes }) => sparseBytes > 0)
      .map(
        ({ directory, sparseBytes, availableBytes }) =>
          `files with holes are ${bytesText(sparseBytes)} long and not counted in what is needed; ${bytesText(availableBytes)} are free for '${directory}'`,
      );
  }
}

/** That the place is on, or will be. */
async function fileSystemOf(place: string): Promise<{ device: number; availableBytes: number }> {
  for (let at = path.resolve(place); ; at = path.dirname(at)) {
    try {
      const { dev } = await stat(at);
      const { bavail, bsize } = await statfs(at);
      return { device: dev, availableBytes: bavail * bsize };
    } catch (error) {
      if (!notThere.has((error as NodeJS.ErrnoException).code ?? '') || at === '/') throw error;
    }
  }
}
