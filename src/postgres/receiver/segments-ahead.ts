// Whole segments on their way to one copy: while one is stored, those behind it are read and sealed already. They are still stored in their order.

import type { SealedLog } from '../../vault/types.ts';
import type { Stretch } from './route.ts';

export interface SegmentsAheadParts {
  readonly segmentSizeBytes: number;
  /** Segments sealed in front of the one that is stored. */
  readonly most: number;
  readonly seal: (stretch: Stretch, from: bigint) => Promise<SealedLog>;
  /** Whether the segment that begins there is here as a whole, and will stay one. */
  readonly isWhole: (stretch: Stretch, from: bigint) => boolean;
}

export class SegmentsAhead {
  private readonly parts: SegmentsAheadParts;
  private stretch: Stretch | undefined;
  private readonly begun = new Map<bigint, Promise<SealedLog>>();

  constructor(parts: SegmentsAheadParts) {
    this.parts = parts;
  }

  /** The segment that begins at `from`. */
  take(stretch: Stretch, from: bigint): Promise<SealedLog> {
    if (stretch !== this.stretch) this.clear();
    this.stretch = stretch;
    const { segmentSizeBytes, most, isWhole } = this.parts;
    const wanted = this.begin(stretch, from);
    for (let number = 1; number <= most; number += 1) {
      const next = from + BigInt(number * segmentSizeBytes);
      if (!isWhole(stretch, next)) break;
      void this.begin(stretch, next);
    }
    this.begun.delete(from);
    return wanted;
  }

  /** What was begun is for nothing. */
  clear(): void {
    this.begun.clear();
  }

  private begin(stretch: Stretch, from: bigint): Promise<SealedLog> {
    const known = this.begun.get(from);
    if (known !== undefined) return known;
    const sealing = this.parts.seal(stretch, from);
    sealing.catch(() => undefined); // told when it is taken
    this.begun.set(from, sealing);
    return sealing;
  }
}
