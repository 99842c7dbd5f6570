// Whole segments on their way to one copy: while one is stored, those behind it are read and sealed already. They are still stored in their order.

import type { Stretch } from './route.ts';

export interface SegmentsAheadParts<Piece> {
  readonly segmentSizeBytes: number;
  /** Segments sealed in front of the one that is stored. */
  readonly most: number;
  readonly seal: (stretch: Stretch, from: bigint) => Promise<Piece>;
  /** One that nobody waits for yet; `undefined`: there is no memory for it now. */
  readonly sealAhead: (stretch: Stretch, from: bigint) => Promise<Piece> | undefined;
  /** Whether the segment that begins there is here as a whole, and will stay one. */
  readonly isWhole: (stretch: Stretch, from: bigint) => boolean;
  /** It was sealed for nothing. */
  readonly drop: (piece: Piece) => void;
}

export class SegmentsAhead<Piece> {
  private readonly parts: SegmentsAheadParts<Piece>;
  private stretch: Stretch | undefined;
  private readonly begun = new Map<bigint, Promise<Piece>>();

  constructor(parts: SegmentsAheadParts<Piece>) {
    this.parts = parts;
  }

  /** The segment that begins at `from`. */
  take(stretch: Stretch, from: bigint): Promise<Piece> {
    if (stretch !== this.stretch) this.clear();
    this.stretch = stretch;
    const { segmentSizeBytes, most, isWhole, seal, sealAhead } = this.parts;
    const wanted = this.begun.get(from) ?? seal(stretch, from);
    this.begun.delete(from);
    for (let number = 1; number <= most; number += 1) {
      const next = from + BigInt(number * segmentSizeBytes);
      if (this.begun.has(next)) continue;
      const sealing = isWhole(stretch, next) ? sealAhead(stretch, next) : undefined;
      if (sealing === undefined) break;
      sealing.catch(() => undefined); // told when it is taken
      this.begun.set(next, sealing);
    }
    return wanted;
  }

  /** What was begun is for nothing. */
  clear(): void {
    for (const sealing of this.begun.values()) sealing.then(this.parts.drop, () => undefined);
    this.begun.clear();
  }
}
