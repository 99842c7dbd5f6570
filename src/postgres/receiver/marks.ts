// Time marks from the server's clock: until when everything that was committed lies before a position.

import { lsnFrom } from '../../domain/lsn.ts';
import { momentFromPostgresMicros } from '../../domain/moment.ts';
import type { TimeMark } from '../../vault/types.ts';

interface Sample {
  readonly timeline: number;
  readonly at: bigint;
  readonly timeMicros: bigint;
}

/**
 * A transaction takes its time before its record is in the log, and an asynchronous commit is flushed up to three times
 * `wal_writer_delay` (10 s at most, 200 ms by default) later. So a clock is paired with the position that was received this much later.
 */
const SETTLE_MICROS = 1_000_000n;
const KEPT = 4096;

export class Marks {
  private pending: bigint | undefined;
  private samples: Sample[] = [];

  /** The server's clock, when everything that it had sent up to `at` was here. */
  note(timeline: number, at: bigint, clockMicros: bigint): void {
    if (this.pending !== undefined && clockMicros - this.pending < SETTLE_MICROS) return;
    if (this.pending !== undefined) {
      const last = this.samples.at(-1);
      // On an idle server only the newest clock for a position says anything.
      if (last?.at === at && last.timeline === timeline) this.samples.pop();
      this.samples.push({ timeline, at, timeMicros: this.pending });
      if (this.samples.length > KEPT) this.samples = this.samples.filter((_, index) => index % 2 === 1);
    }
    this.pending = clockMicros;
  }

  /** A clock from before a pause says nothing about what comes after it. */
  interrupt(): void {
    this.pending = undefined;
  }

  /** The newest mark at or before a position. */
  newest(timeline: number, at: bigint): TimeMark | undefined {
    const sample = this.samples.findLast((each) => each.timeline === timeline && each.at <= at);
    return sample === undefined
      ? undefined
      : { time: momentFromPostgresMicros(sample.timeMicros), lsn: lsnFrom(sample.at) };
  }
}
