// Received log of this process: on disk in the spool, in the walker's understanding, and along the route.

import { lsnFrom, lsnValue } from '../../domain/lsn.ts';
import type { Moment } from '../../domain/moment.ts';
import { fail } from '../../errors/index.ts';
import { createLogIndex, createWalWalker, type LogFacts, type LogIndex, type WalWalker } from '../wal/index.ts';
import { comparePositions, type LogPosition, type Route, type Stretch } from './route.ts';
import type { Spool } from './spool.ts';

/** One stretch as it was received here, from a segment's start on. */
interface Understood {
  readonly stretch: Stretch;
  readonly from: bigint;
  readonly index: LogIndex;
  readonly walker: WalWalker;
}

export class Intake {
  readonly route: Route;
  readonly spool: Spool;
  readonly segmentSizeBytes: number;
  private readonly understood: Understood[] = [];

  constructor(route: Route, spool: Spool, segmentSizeBytes: number) {
    this.route = route;
    this.spool = spool;
    this.segmentSizeBytes = segmentSizeBytes;
  }

  /** Receiving begins at `at`, a segment's start, in the stretch there or in a new one. */
  begin(timeline: number, at: bigint, carriedMaxTime?: Moment): void {
    let stretch = this.route.stretchOf({ timeline, at });
    if (stretch === undefined || (stretch.end !== undefined && at >= stretch.end.at)) {
      stretch = { timeline, from: at };
      this.route.stretches.push(stretch);
    }
    const index = createLogIndex(carriedMaxTime);
    const walker = createWalWalker({
      startLsn: lsnFrom(at),
      segmentSizeBytes: this.segmentSizeBytes,
      timelineHint: timeline,
      onEvent: (event) => index.add(event),
    });
    this.understood.push({ stretch, from: at, index, walker });
  }

  get receiving(): { readonly timeline: number; readonly end: bigint } | undefined {
    const last = this.understood.at(-1);
    return last && { timeline: last.stretch.timeline, end: lsnValue(last.walker.position) };
  }

  /** After it threw nothing here is to be relied on: the log begins again from what the copies have. */
  async append(at: bigint, pieces: readonly Buffer[]): Promise<void> {
    const last = this.understood.at(-1);
    const end = last === undefined ? undefined : lsnValue(last.walker.position);
    if (last === undefined || at !== end) {
      return fail(
        'OBJECT_DAMAGED',
        `the server sent log from ${lsnFrom(at)} where ${end === undefined ? 'none' : lsnFrom(end)} was expected`,
      );
    }
    // Understood is only what can be read again: a copy gets its bytes from the spool.
    await this.spool.write(last.stretch.timeline, at, pieces);
    for (const bytes of pieces) last.walker.feed(bytes);
  }

  /** The stretch that is being received is over. Gives where it ends. */
  end(how: 'switch' | 'hole', switchAt?: bigint): bigint {
    const last = this.understood.at(-1) ?? fail('INTERNAL', 'no log is being received');
    const at = switchAt ?? lsnValue(last.walker.knownLsn);
    last.stretch.end = { at, how };
    return at;
  }

  /** Up to where the stretch's log is here and all its records known; `undefined` when it was not received by this process. */
  knownEnd(stretch: Stretch): bigint | undefined {
    const found = this.understood.findLast((each) => each.stretch === stretch);
    if (found === undefined) return undefined;
    // At its end a timeline may leave a record unfinished: it never becomes one.
    const isComplete = stretch.end !== undefined && lsnValue(found.walker.position) >= stretch.end.at;
    return isComplete ? stretch.end!.at : lsnValue(found.walker.knownLsn);
  }

  isReceiving(stretch: Stretch): boolean {
    return this.understood.at(-1)?.stretch === stretch;
  }

  /** Whether the stretch was received here from `from` or before on. */
  covers(stretch: Stretch, from: bigint): boolean {
    return this.understood.some((each) => each.stretch === stretch && each.from <= from);
  }

  /** Facts about a piece that lies whole in what was received; `undefined` otherwise. */
  describe(stretch: Stretch, from: bigint, to: bigint): LogFacts | undefined {
    const found = this.understood.findLast((each) => each.stretch === stretch && each.from <= from);
    return found?.index.describe(lsnFrom(from), lsnFrom(to));
  }

  /** Forgets what lies before the position of every reader. */
  async forget(before: LogPosition): Promise<void> {
    const isDone = (timeline: number, _start: bigint, end: bigint) =>
      comparePositions({ timeline, at: end }, before) <= 0;
    await this.spool.drop(isDone);
    const size = BigInt(this.segmentSizeBytes);
    for (const { stretch, index } of this.understood) {
      if (stretch.timeline === before.timeline) index.forget(lsnFrom(before.at - (before.at % size)));
    }
    while (this.understood.length > 1 && this.understood[0]!.stretch.timeline < before.timeline)
      this.understood.shift();
  }
}
