// The bandwidth limit: token buckets that all streams of a process share, counted in bytes, in the order of asking.

import { setTimeout as sleep } from 'node:timers/promises';

export interface BandwidthClock {
  /** Monotonic. */
  nowMs(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** What an idle bucket saves up: enough to make up for timers that are late, too little to be seen as a burst. */
export const BURST_MS = 250;
const LARGEST_PIECE_BYTES = 64 * 1024;
const SMALLEST_PIECE_BYTES = 4 * 1024;
/** With so many streams at once, each still moves a piece every second. */
const STREAMS = 64;

const realClock: BandwidthClock = {
  nowMs: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
};

export class TokenBucket {
  readonly bytesPerSecond: number;
  readonly #clock: BandwidthClock;
  /** When everything that was granted so far has been paid for. */
  #paidAtMs: number;

  constructor(bytesPerSecond: number, clock: BandwidthClock = realClock) {
    this.bytesPerSecond = bytesPerSecond;
    this.#clock = clock;
    this.#paidAtMs = clock.nowMs() - BURST_MS;
  }

  /**
   * Resolves when `bytes` may move: never more than `bytesPerSecond × (t + BURST_MS)` and one piece are granted within any time t. Rejects
   * when the signal fires; what was asked for stays paid.
   */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const nowMs = this.#clock.nowMs();
    const startMs = Math.max(this.#paidAtMs, nowMs - BURST_MS);
    this.#paidAtMs = startMs + (bytes * 1000) / this.bytesPerSecond;
    if (startMs > nowMs) await this.#clock.sleep(startMs - nowMs, signal);
  }
}

/** Moving `bytes`; waiting for them does not count against the deadline of a call. */
export type Pace = (bytes: number) => Promise<void>;

/** Several limits at once: that of the host and that of a copy. */
export class Bandwidth {
  readonly #buckets: readonly TokenBucket[];
  readonly pieceBytes: number;

  constructor(buckets: readonly TokenBucket[]) {
    this.#buckets = buckets;
    const slowest = Math.min(...buckets.map(({ bytesPerSecond }) => bytesPerSecond));
    const even = Math.floor(slowest / STREAMS);
    this.pieceBytes = Math.max(SMALLEST_PIECE_BYTES, Math.min(LARGEST_PIECE_BYTES, even));
  }

  async take(bytes: number, signal: AbortSignal): Promise<void> {
    for (let left = bytes; left > 0; left -= this.pieceBytes) {
      const piece = Math.min(left, this.pieceBytes);
      await Promise.all(this.#buckets.map((bucket) => bucket.take(piece, signal)));
    }
  }
}

/** The same bytes in pieces, each when it may move. */
export async function* paced(bytes: Uint8Array, pieceBytes: number, pace: Pace): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes);
    await pace(piece.length);
    yield piece;
  }
}
