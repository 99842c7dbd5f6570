// Remembers the transaction ends and restore points of the newest log, so that any stretch of it can be described for its object's header.

import { type Lsn, lsnFrom, lsnValue } from '../../domain/lsn.ts';
import { type Moment, momentFromPostgresMicros, postgresMicros } from '../../domain/moment.ts';
import type { CommitPoint, LogHeader, RestorePointMark } from '../../vault/types.ts';
import type { WalEvent } from './record-data.ts';
import { createWalWalker } from './walker.ts';

export type LogFacts = Pick<LogHeader, 'first' | 'last' | 'maxTime' | 'restorePoints'>;

export interface LogIndex {
  /** The walker's `onEvent`. */
  add(event: WalEvent): void;
  /** Facts about the records that start in `[from, to)`; `maxTime` is the latest time up to `to`, those before `from` included. */
  describe(from: Lsn, to: Lsn): LogFacts;
  /** Forgets what starts before `lsn`, less the latest time. */
  forget(lsn: Lsn): void;
}

/** `carriedMaxTime`: the latest time of the log in front of what will be added, from the header of the object before. */
export function createLogIndex(carriedMaxTime?: Moment): LogIndex {
  return new Index(carriedMaxTime);
}

/** Columns instead of objects: a busy segment holds some 100,000 transactions. Offsets are relative to the first event. */
class Index implements LogIndex {
  private base: bigint | undefined;
  private starts = new Float64Array(1024);
  private times = new Float64Array(1024);
  /** Latest time of all up to and including this one. */
  private maxima = new Float64Array(1024);
  private size = 0;
  private carried: number;
  private restorePoints: { readonly start: bigint; readonly mark: RestorePointMark }[] = [];

  constructor(carriedMaxTime: Moment | undefined) {
    this.carried = carriedMaxTime === undefined ? Number.NEGATIVE_INFINITY : Number(postgresMicros(carriedMaxTime));
  }

  add(event: WalEvent): void {
    if (event.type === 'restore point') {
      const time = momentFromPostgresMicros(event.timeMicros);
      const mark = { name: event.name, lsn: lsnFrom(event.lsn), endLsn: lsnFrom(event.endLsn), time };
      this.restorePoints.push({ start: event.lsn, mark });
    }
    if (event.type !== 'transaction') return;
    if (this.size === this.starts.length) this.grow();
    this.base ??= event.lsn;
    const time = Number(event.timeMicros);
    this.starts[this.size] = Number(event.lsn - this.base);
    this.times[this.size] = time;
    this.maxima[this.size] = Math.max(time, this.size === 0 ? this.carried : this.maxima[this.size - 1]!);
    this.size += 1;
  }

  describe(from: Lsn, to: Lsn): LogFacts {
    const [low, high] = [this.firstAtOrAfter(lsnValue(from)), this.firstAtOrAfter(lsnValue(to))];
    const max = high === 0 ? this.carried : this.maxima[high - 1]!;
    const restorePoints = this.restorePoints
      .filter(({ start }) => start >= lsnValue(from) && start < lsnValue(to))
      .map(({ mark }) => mark);
    return {
      ...(high > low ? { first: this.point(low), last: this.point(high - 1) } : {}),
      ...(max === Number.NEGATIVE_INFINITY ? {} : { maxTime: momentFromPostgresMicros(BigInt(max)) }),
      restorePoints,
    };
  }

  forget(lsn: Lsn): void {
    const cut = this.firstAtOrAfter(lsnValue(lsn));
    if (cut > 0) {
      this.carried = this.maxima[cut - 1]!;
      for (const column of [this.starts, this.times, this.maxima]) column.copyWithin(0, cut, this.size);
      this.size -= cut;
    }
    this.restorePoints = this.restorePoints.filter(({ start }) => start >= lsnValue(lsn));
  }

  private point(index: number): CommitPoint {
    const lsn = lsnFrom(this.base! + BigInt(this.starts[index]!));
    return { lsn, time: momentFromPostgresMicros(BigInt(this.times[index]!)) };
  }

  private firstAtOrAfter(position: bigint): number {
    if (this.base === undefined) return 0;
    const offset = Number(position - this.base);
    let [low, high] = [0, this.size];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.starts[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private grow(): void {
    const bigger = (column: Float64Array<ArrayBuffer>) => {
      const next = new Float64Array(column.length * 2);
      next.set(column);
      return next;
    };
    this.starts = bigger(this.starts);
    this.times = bigger(this.times);
    this.maxima = bigger(this.maxima);
  }
}

export interface DescribeLogRequest {
  /** A segment's start. */
  readonly startLsn: Lsn;
  readonly segmentSizeBytes: number;
  readonly timeline?: number;
  readonly bytes: Uint8Array;
  /** What the object describes, inside `bytes`; default all of them. */
  readonly fromLsn?: Lsn;
  readonly toLsn?: Lsn;
  readonly carriedMaxTime?: Moment;
}

/** The facts of a stretch of log at hand, for whoever has the bytes and no running walker. */
export function describeLog(request: DescribeLogRequest): LogFacts {
  const index = createLogIndex(request.carriedMaxTime);
  const walker = createWalWalker({
    startLsn: request.startLsn,
    segmentSizeBytes: request.segmentSizeBytes,
    ...(request.timeline === undefined ? {} : { timelineHint: request.timeline }),
    onEvent: (event) => index.add(event),
  });
  walker.feed(request.bytes);
  return index.describe(request.fromLsn ?? request.startLsn, request.toLsn ?? walker.position);
}
