// One connection's life: the stream is opened where the intake ends, log comes in, positions go back, timelines are followed.

import { type Lsn, lsnFrom, lsnValue } from '../../domain/lsn.ts';
import { parseTimelineHistory } from '../../domain/timeline.ts';
import { fail, isHoldfastError } from '../../errors/index.ts';
import type { ReplicationConnection } from '../connection/index.ts';
import { positionOf } from './beginning.ts';
import { GoingDown } from './going-down.ts';
import type { Ledger } from './ledger.ts';
import { Nap } from './nap.ts';
import type { LogPosition } from './route.ts';
import type { ServerView } from './server-view.ts';
import type { KeepingSlot, SlotGuard } from './slot-guard.ts';
import type { ReceiverEvent, ReceiverOptions } from './types.ts';
import { readTimelineHistory, type StreamMessage, type StreamPosition, segmentFloor, WalStream } from './wal-stream.ts';

const STATUS_EVERY_MS = 1_000;
const ANSWER_AGAIN_MS = 250;
const LOOK_FOR_ROOM_MS = 1_000;
const DEFAULT_SPOOL_BYTES = 4 * 1024 ** 3;

export interface SessionParts {
  readonly options: ReceiverOptions;
  readonly connection: ReplicationConnection;
  readonly server: ServerView;
  readonly ledger: Ledger;
  readonly guard: SlotGuard;
  /** Throws why the receiver has failed. */
  readonly check: () => void;
  /** Somebody wants the connection to end. */
  readonly isEnding: () => boolean;
  readonly emit: (event: ReceiverEvent) => void;
}

export class Session {
  private readonly parts: SessionParts;
  private stream: WalStream | undefined;
  /** The slot knows at least this: reporting less would move it back. */
  private floor: LogPosition | undefined;
  private readonly room = new Nap();
  private readonly goingDown = new GoingDown();
  /** The last report. */
  private told: (StreamPosition & { readonly atMs: number }) | undefined;

  constructor(parts: SessionParts) {
    this.parts = parts;
  }

  /** Starts streaming where the intake ends; a slot that is gone is made again, and what the server no longer has becomes a named hole. */
  async open(): Promise<void> {
    const { guard, ledger, server } = this.parts;
    const slot = await guard.require();
    await guard.skipRemoved(ledger, positionOf(server.history, slot.restartLsn));
    await this.startAtIntake(slot);
  }

  /** Until the connection ends, which always throws. */
  async receive(): Promise<never> {
    const { ledger, check } = this.parts;
    const beat = setInterval(() => this.report(true), STATUS_EVERY_MS);
    try {
      this.report(true);
      for (;;) {
        const message = await this.nextMessage();
        if (message.type === 'log') {
          await this.makeRoom();
          await this.intake.append(message.at, message.pieces);
          this.noteClock(message.clockMicros);
          ledger.wake();
        } else if (message.type === 'keepalive') {
          if (message.end === this.intake.receiving!.end) this.noteClock(message.clockMicros);
          if (message.replyWanted) this.answer(message.end);
        } else {
          await this.changeTimeline(message.nextTimeline, message.switchLsn);
        }
        check();
      }
    } finally {
      clearInterval(beat);
      this.stream = undefined;
    }
  }

  /** A cursor moved: the server may be told more, and the spool may have room again. */
  noteMove(isPolicy: boolean): void {
    if (isPolicy) this.report(false);
    this.wake();
  }

  /** Looks again whether there is room, or a reason to end. */
  wake(): void {
    this.room.wake();
  }

  private get intake() {
    return this.parts.ledger.intake!;
  }

  private async startAtIntake(slot: KeepingSlot): Promise<void> {
    const { connection, options, emit } = this.parts;
    const { timeline, end } = this.intake.receiving!;
    const startLsn = lsnFrom(end);
    const started = await WalStream.start(connection, { slot: options.slot, timeline, startLsn });
    this.floor = { timeline, at: lsnValue(slot.restartLsn) };
    if (started instanceof WalStream) {
      this.stream = started;
      emit({ type: 'streaming', timeline, fromLsn: startLsn });
      return;
    }
    await this.changeTimeline(started.nextTimeline, started.switchLsn);
  }

  /** The timeline that was received is over: its history first, then the rest of it, then the next one from its segment's start. */
  private async changeTimeline(next: number, switchLsn: Lsn): Promise<void> {
    const { ledger, guard, connection, options, emit } = this.parts;
    const { intake } = this;
    const { timeline: from, end } = intake.receiving!;
    const text = await readTimelineHistory(connection, next);
    parseTimelineHistory(next, text);
    ledger.histories.set(next, text);
    const last = intake.route.last;
    const carried = last && intake.describe(last, end, end)?.maxTime;
    const at = intake.end('switch', lsnValue(switchLsn));
    emit({ type: 'timeline', from, to: next, switchLsn });
    options.logger.info({ from, to: next, switchLsn }, 'the cluster went on with a new timeline');
    ledger.marks.interrupt();
    intake.begin(next, segmentFloor(at, intake.segmentSizeBytes), carried);
    ledger.wake();
    await this.startAtIntake(await guard.requirePresent());
  }

  /** The server begins a stream before it looks for the log: that it is gone comes as the first message. */
  private async nextMessage(): Promise<StreamMessage> {
    const { guard } = this.parts;
    try {
      const message = await this.stream!.next();
      if (message.type === 'log') await guard.noteReceived();
      return message;
    } catch (error) {
      if (isHoldfastError(error, 'SLOT_LOST')) guard.noteRemoved();
      throw error;
    }
  }

  private noteClock(clockMicros: bigint): void {
    const { timeline, end } = this.intake.receiving!;
    this.parts.ledger.marks.note(timeline, end, clockMicros);
  }

  /** Waits while the spool is full of log that the policy's copies do not have; the server keeps the rest. */
  private async makeRoom(): Promise<void> {
    const { intake } = this;
    const { ledger, options, connection, check, isEnding } = this.parts;
    const limit = Math.max(options.spoolLimitBytes ?? DEFAULT_SPOOL_BYTES, 4 * intake.segmentSizeBytes);
    while (intake.spool.sizeBytes > limit && !isEnding()) {
      check();
      // Copies that lag fill their gap from those that have it.
      if (ledger.policyAt !== undefined) await intake.forget(ledger.policyAt);
      if (intake.spool.sizeBytes <= limit) return;
      const { failure } = connection.wire;
      if (failure !== undefined) throw failure;
      await this.room.sleep(LOOK_FOR_ROOM_MS);
    }
  }

  /** A server that goes down asks anew with every answer: what it was just told is left to the beat. */
  private answer(end: bigint): void {
    const { timeline, end: received } = this.intake.receiving!;
    const durable = this.reportable(timeline);
    const isAllSent = end === received && durable !== received;
    if (isAllSent && this.goingDown.asked(durable, performance.now())) {
      fail(
        'DATABASE_UNREACHABLE',
        'the server goes down: the copies do not take the last of its log, which its slot keeps',
        {
          hint: 'see `holdfast copies`; the log goes on when the server is back',
        },
      );
    }
    const { told } = this;
    const isNews = told === undefined || durable !== told.durable || received !== told.received;
    if (isNews || performance.now() - told.atMs > ANSWER_AGAIN_MS) this.report(false);
  }

  private report(replyWanted: boolean): void {
    const receiving = this.parts.ledger.intake?.receiving;
    if (this.stream === undefined || receiving === undefined) return;
    const position = { received: receiving.end, durable: this.reportable(receiving.timeline) };
    this.stream.report(position, replyWanted);
    this.told = { ...position, atMs: performance.now() };
  }

  /** The policy's position as the slot may be told: never in front of what it knows, never of another timeline's future. */
  private reportable(timeline: number): bigint | undefined {
    const [position, floor] = [this.parts.ledger.policyAt, this.floor];
    if (position === undefined || floor === undefined || position.timeline > timeline) return undefined;
    return position.at >= floor.at ? position.at : undefined;
  }
}
