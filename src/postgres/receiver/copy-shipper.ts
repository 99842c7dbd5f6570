// Brings the log to one copy, piece after piece in order, at the copy's own pace.

import type { Logger } from 'pino';
import { segmentName } from '../../domain/lsn.ts';
import { unixMicros } from '../../domain/moment.ts';
import { fail, type HoldfastError, isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import type { LogCopy, SealedLog, TimeMark } from '../../vault/types.ts';
import { fillGap } from './fill-gap.ts';
import { type Holdings, readHoldings } from './holdings.ts';
import type { Intake } from './intake.ts';
import type { LogMemory } from './log-memory.ts';
import { Nap } from './nap.ts';
import { type Piece, type PieceParts, sealAhead, sealPiece, storePiece } from './piece.ts';
import { comparePositions, type LogPosition, type Stretch } from './route.ts';
import { SegmentsAhead } from './segments-ahead.ts';
import type { ForeignLog } from './types.ts';
import { segmentFloor } from './wal-stream.ts';

export interface ShipperContext {
  readonly log: LogCopy;
  readonly logger: Logger;
  readonly flushEveryMs: number;
  readonly flushBytes: number;
  readonly markEveryMs: number;
  readonly intake: Intake;
  /** Shared with everybody who ships log in this process. */
  readonly memory: LogMemory;
  /** Other copies, to fill a gap that the spool no longer covers. */
  readonly others: readonly LogCopy[];
  /** What made an earlier receiver fail. */
  readonly foreign: ForeignLog | undefined;
  /** History files by timeline, known so far; one that a copy has already is compared with the server's. */
  readonly histories: ReadonlyMap<number, string>;
  readonly newestMark: (timeline: number, at: bigint) => TimeMark | undefined;
  /** The cursor moved, or was found. */
  onMoved(): void;
  onTrouble(error: HoldfastError | undefined): void;
  /** The copy holds other log than ours under the same name: nobody may go on. */
  onAlarm(error: HoldfastError): void;
}

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;
/** Of plain log that is sealed in front of the segment that is being stored. */
const AHEAD_BYTES = 32 * 1024 ** 2;

export class CopyShipper {
  private readonly context: ShipperContext;
  private position: LogPosition | undefined;
  private trouble: HoldfastError | undefined;
  private readonly ending = new AbortController();
  private readonly nap = new Nap();
  private wakeable = true;
  private woken = false;
  private shippedAtMs = 0;
  private markedMicros = 0n;
  private readonly storedHistories = new Set<number>();
  /** Whether extents of the segment that will be closed next may lie there, of whatever attempt. */
  private mayHaveExtents = true;
  private readonly pieces: PieceParts;
  private readonly ahead: SegmentsAhead<Piece>;
  private readonly running: Promise<void>;

  /** `found`: what a listing made just before said; without it the copy is asked until it answers. */
  constructor(context: ShipperContext, found: Holdings | undefined, fallback: LogPosition) {
    this.context = context;
    const { segmentSizeBytes } = context.intake;
    const { log, intake, memory, newestMark } = context;
    this.pieces = { log, intake, memory, newestMark, signal: this.ending.signal };
    const whole = (from: bigint) => ({ from, to: from + BigInt(segmentSizeBytes) });
    this.ahead = new SegmentsAhead<Piece>({
      ...{ segmentSizeBytes, most: Math.floor(AHEAD_BYTES / segmentSizeBytes) },
      seal: (stretch, from) => sealPiece(this.pieces, 'segment', stretch, whole(from)),
      sealAhead: (stretch, from) => sealAhead(this.pieces, stretch, whole(from)),
      isWhole: (stretch, from) => this.isWhole(stretch, from),
      drop: ({ room }) => room.release(true),
    });
    this.running = this.run(found, fallback);
  }

  get name(): string {
    return this.context.log.copy;
  }

  get cursor(): LogPosition | undefined {
    return this.position;
  }

  get error(): HoldfastError | undefined {
    return this.trouble;
  }

  /** Something came that may be worth sending. */
  wake(): void {
    this.woken = true;
    if (this.wakeable || this.stopped) this.nap.wake();
  }

  async stop(): Promise<void> {
    this.ending.abort();
    this.wake();
    await this.running;
  }

  private get stopped(): boolean {
    return this.ending.signal.aborted;
  }

  private async run(found: Holdings | undefined, fallback: LogPosition): Promise<void> {
    let holdings = found;
    let retryMs = FIRST_RETRY_MS;
    while (!this.stopped) {
      try {
        if (this.position === undefined) {
          holdings ??= await readHoldings(this.context.log);
          await this.locate(holdings, fallback);
        }
        const waitMs = await this.step();
        if (this.trouble !== undefined) this.setTrouble(undefined);
        retryMs = FIRST_RETRY_MS;
        if (waitMs > 0) await this.sleep(waitMs, true);
      } catch (cause) {
        const error = toHoldfastError(cause);
        holdings = undefined;
        this.ahead.clear();
        if (isHoldfastError(error, 'OBJECT_EXISTS')) return this.raiseAlarm(error);
        if (isHoldfastError(error, 'CANCELLED') && this.stopped) return;
        this.setTrouble(error);
        await this.sleep(retryMs, false);
        retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
      }
    }
    this.ahead.clear();
  }

  private async locate(holdings: Holdings, fallback: LogPosition): Promise<void> {
    await this.requireOurs(holdings);
    await this.dropLeftovers(holdings);
    this.position = this.context.intake.route.cursorOf(holdings.stretches) ?? fallback;
    this.context.onMoved();
  }

  /** What made an earlier receiver fail: to go on behind it would bury it. */
  private async requireOurs({ objects }: Holdings): Promise<void> {
    const { foreign, log } = this.context;
    const object = foreign?.copy === log.copy ? objects.find(({ key }) => key === foreign.key) : undefined;
    if (foreign === undefined || object === undefined) return;
    const { sha256: stored } = await log.readHeader(object);
    const { copy, key, sha256, message } = foreign;
    if (stored === sha256) fail('OBJECT_EXISTS', message, { details: { copy, key, stored } });
  }

  /** A crash between closing a segment and dropping its extents left both. */
  private async dropLeftovers({ objects }: Holdings): Promise<void> {
    const closed = new Set(objects.filter(({ kind }) => kind === 'segment').map(({ segment }) => segment));
    const leftovers = new Set(
      objects.filter((o) => o.kind === 'extent' && closed.has(o.segment)).map((o) => o.segment),
    );
    for (const segment of leftovers) await this.context.log.dropExtents(segment);
  }

  /** Does the next thing there is to do; resolves with how long nothing will have to be done. */
  private async step(): Promise<number> {
    const { intake, flushBytes, flushEveryMs, markEveryMs } = this.context;
    this.woken = false;
    const position = this.position!;
    const stretch = intake.route.stretchOf(position);
    if (stretch === undefined) return markEveryMs;
    if (stretch.end !== undefined && position.at >= stretch.end.at) return await this.leave(position);
    await this.storeHistories(position.timeline);
    const segmentStart = segmentFloor(position.at, intake.segmentSizeBytes);
    const segmentEnd = segmentStart + BigInt(intake.segmentSizeBytes);
    const known = intake.knownEnd(stretch);
    const start = stretch.from > segmentStart ? stretch.from : segmentStart;
    if (!this.isAtHand(stretch, start, position.at)) return await this.fillFromOthers(position, stretch);
    const end = stretch.end !== undefined && stretch.end.at < segmentEnd ? stretch.end.at : segmentEnd;
    // Only whole segments are closed: a timeline that was left may go on (a rollback), and its segment is then another one. What ends
    // early stays in its extents.
    if (end === segmentEnd && known! >= end && start === segmentStart) {
      await this.close(stretch, segmentStart, end);
      return 0;
    }
    const cut = known! < end ? known! : end;
    const pending = Number(cut - position.at);
    const dueInMs = this.shippedAtMs + flushEveryMs - performance.now();
    if (pending > 0 && (pending >= flushBytes || dueInMs <= 0)) {
      await this.extend(stretch, position.at, cut);
      return 0;
    }
    if (pending <= 0) await this.mark(position);
    return pending > 0 ? Math.max(1, dueInMs) : markEveryMs;
  }

  /** The stretch is over for this copy: the next one begins. */
  private async leave(position: LogPosition): Promise<number> {
    const { intake, markEveryMs } = this.context;
    const next = intake.route.settle(position);
    if (comparePositions(next, position) === 0) return markEveryMs;
    this.ahead.clear();
    this.move(next);
    return 0;
  }

  /** Whether this process received the stretch around `at` from `start` on. */
  private isAtHand(stretch: Stretch, start: bigint, at: bigint): boolean {
    const { intake } = this.context;
    const known = intake.knownEnd(stretch);
    if (known === undefined || !intake.covers(stretch, start)) return false;
    // At the very end of what was received there is nothing to read, and nothing missing.
    return known <= at ? intake.isReceiving(stretch) : intake.spool.has(stretch.timeline, at, at + 1n);
  }

  private async close(stretch: Stretch, from: bigint, to: bigint): Promise<void> {
    await storePiece(await this.ahead.take(stretch, from), async (sealed) => {
      await this.context.log.put(sealed);
      this.shipped({ timeline: stretch.timeline, at: to }, sealed);
      await this.dropExtents(stretch, from, sealed);
    });
  }

  private async dropExtents({ timeline }: Stretch, from: bigint, sealed: SealedLog): Promise<void> {
    const { log, intake, logger } = this.context;
    const size = intake.segmentSizeBytes;
    const segment = segmentName(timeline, from / BigInt(size), size);
    try {
      if (this.mayHaveExtents) await log.dropExtents(segment, sealed);
      this.mayHaveExtents = false;
    } catch (error) {
      if (isHoldfastError(error, 'OBJECT_EXISTS')) throw error;
      logger.warn({ copy: log.copy, segment, error }, 'extents stay until the next start');
    }
  }

  private async extend(stretch: Stretch, from: bigint, to: bigint): Promise<void> {
    await storePiece(await sealPiece(this.pieces, 'extent', stretch, { from, to }), async (sealed) => {
      this.mayHaveExtents = true;
      await this.context.log.put(sealed);
      this.shipped({ timeline: stretch.timeline, at: to }, sealed);
    });
  }

  private isWhole(stretch: Stretch, from: bigint): boolean {
    const { intake } = this.context;
    const to = from + BigInt(intake.segmentSizeBytes);
    const known = intake.knownEnd(stretch);
    if (known === undefined || known < to || (stretch.end !== undefined && stretch.end.at < to)) return false;
    return this.isAtHand(stretch, from, from);
  }

  /** An idle server's clock, so that the copy says until when nothing happened. */
  private async mark({ timeline, at }: LogPosition): Promise<void> {
    const mark = this.context.newestMark(timeline, at);
    if (mark === undefined) return;
    const micros = unixMicros(mark.time);
    if (micros - this.markedMicros < BigInt(this.context.markEveryMs) * 1000n) return;
    await this.context.log.putMark(timeline, mark);
    this.markedMicros = micros;
  }

  /** What this process did not receive, or no longer has in the spool, comes from another copy. */
  private async fillFromOthers(position: LogPosition, stretch: Stretch): Promise<number> {
    const { others, log, intake, memory } = this.context;
    this.ahead.clear();
    this.mayHaveExtents = true;
    const { segmentSizeBytes } = intake;
    const end = await fillGap(log, others, position, { segmentSizeBytes, memory, signal: this.ending.signal });
    this.shipped({ timeline: position.timeline, at: stretch.end && end > stretch.end.at ? stretch.end.at : end });
    return 0;
  }

  private async storeHistories(timeline: number): Promise<void> {
    for (const [id, text] of this.context.histories) {
      if (id > timeline || this.storedHistories.has(id)) continue;
      await this.context.log.putHistory(id, text);
      this.storedHistories.add(id);
    }
  }

  private shipped(position: LogPosition, piece?: SealedLog): void {
    this.shippedAtMs = performance.now();
    const mark = piece?.header.mark;
    if (mark !== undefined) this.markedMicros = unixMicros(mark.time);
    this.move(position);
  }

  private move(position: LogPosition): void {
    this.position = position;
    this.context.onMoved();
  }

  private setTrouble(error: HoldfastError | undefined): void {
    const isNew = this.trouble?.code !== error?.code;
    this.trouble = error;
    if (isNew) this.context.onTrouble(error);
  }

  private raiseAlarm(error: HoldfastError): void {
    this.trouble = error;
    this.context.onAlarm(error);
  }

  private async sleep(limitMs: number, wakeable: boolean): Promise<void> {
    if (this.stopped || (wakeable && this.woken)) return;
    this.context.memory.rest();
    this.wakeable = wakeable;
    await this.nap.sleep(limitMs);
  }
}
