// The receiver of one cluster's log: takes it from the slot, brings it to every copy, tells the server only what the policy calls durable.

import path from 'node:path';
import { type Lsn, lsnDistance, lsnFrom, lsnValue } from '../../domain/lsn.ts';
import type { Moment } from '../../domain/moment.ts';
import { parseTimelineHistory, type TimelineHistory, timelineOf } from '../../domain/timeline.ts';
import { fail, HoldfastError, isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import { openReplication, type ReplicationConnection } from '../connection/index.ts';
import type { LogHole, ReceiverCopyState, ReceiverState } from '../types.ts';
import { CopyShipper } from './copy-shipper.ts';
import { type Holdings, maxTimeBefore, policyPosition, readHoldings } from './holdings.ts';
import { Intake } from './intake.ts';
import { Marks } from './marks.ts';
import { comparePositions, type LogPosition, routeOf } from './route.ts';
import { type ServerView, viewServer } from './server-view.ts';
import { dropSlot, ensureSlot, readSlot, type SlotFacts } from './slot.ts';
import { Spool } from './spool.ts';
import type { Receiver, ReceiverEvent, ReceiverOptions } from './types.ts';
import { Waiters } from './waiters.ts';
import { readTimelineHistory, type StreamMessage, segmentFloor, WalStream } from './wal-stream.ts';

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 15_000;
const STATUS_EVERY_MS = 1_000;
const WATCH_SLOT_EVERY_MS = 10_000;
const DEFAULT_SPOOL_BYTES = 4 * 1024 ** 3;
/** A store that hangs must not keep the log of the others from being received. */
const LISTING_MS = 20_000;

/** Starts at once and keeps on by itself; everything that happens is told by `state`, `onEvent` and the logger. */
export function startReceiver(options: ReceiverOptions): Receiver {
  return new LogReceiver(options);
}

class LogReceiver implements Receiver {
  private readonly options: ReceiverOptions;
  private readonly marks = new Marks();
  private readonly waiters = new Waiters();
  private readonly histories = new Map<number, string>();
  private phase: ReceiverState['phase'] = 'starting';
  private systemId: string | undefined;
  private intake: Intake | undefined;
  private shippers: CopyShipper[] = [];
  private connection: ReplicationConnection | undefined;
  private stream: WalStream | undefined;
  /** The slot knows at least this: reporting less would move it back. */
  private floor: LogPosition | undefined;
  private policyAt: LogPosition | undefined;
  private slot: ReceiverState['slot'];
  /** The server has removed the log that follows what we have. */
  private isRemoved = false;
  /** The slot was made again; whether log is missing shows with the first answer of the stream. */
  private untoldLoss = false;
  private trouble: HoldfastError | undefined;
  private failure: HoldfastError | undefined;
  private paused = false;
  private stopped = false;
  private wakeMain: (() => void) | undefined;
  private roomWanted: (() => void) | undefined;
  private readonly watch: NodeJS.Timeout;
  private readonly running: Promise<void>;

  constructor(options: ReceiverOptions) {
    this.options = options;
    this.systemId = options.systemId;
    this.slot = { name: options.slot, state: 'unknown' };
    this.watch = setInterval(() => void this.watchSlot(), WATCH_SLOT_EVERY_MS);
    this.watch.unref();
    this.running = this.run();
  }

  // ── Asked from outside ───────────────────────────────────────────────────────────────────────────────────────────

  state(): ReceiverState {
    const { component } = this.options;
    const receiving = this.intake?.receiving;
    const durable = this.policyAt;
    const time = this.durableTime();
    const error = this.failure ?? this.trouble;
    return {
      component,
      phase: this.phase,
      slot: this.slot,
      copies: this.options.copies.map(({ name }) => this.copyState(name)),
      ...(this.systemId === undefined ? {} : { systemId: this.systemId }),
      ...(receiving === undefined ? {} : { timeline: receiving.timeline, receivedLsn: lsnFrom(receiving.end) }),
      ...(durable === undefined ? {} : { durableLsn: lsnFrom(durable.at) }),
      ...(time === undefined ? {} : { durableTime: time }),
      ...(error === undefined ? {} : { error: told(error) }),
    };
  }

  async waitFor(where: string, timeline: number, lsn: Lsn, signal?: AbortSignal): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    if (this.stopped) fail('CANCELLED', 'the receiver was stopped');
    const position = { timeline, at: lsnValue(lsn) };
    const hasReached = () => {
      const reached = where === 'policy' ? this.policyAt : this.shippers.find(({ name }) => name === where)?.cursor;
      return reached !== undefined && comparePositions(reached, position) >= 0;
    };
    await this.waiters.until(hasReached, signal);
  }

  async drainTo(lsn: Lsn, signal?: AbortSignal): Promise<void> {
    const timeline = this.intake?.receiving?.timeline ?? 1;
    await this.waitFor('policy', timeline, lsn, signal);
    await this.pause();
  }

  async pause(): Promise<void> {
    if (this.stopped) return;
    this.paused = true;
    this.connection?.close();
    this.wakeMain?.();
    await this.waiters.until(() => this.phase === 'paused' || this.phase === 'failed' || this.phase === 'stopped');
  }

  resume(): void {
    this.paused = false;
    this.wakeMain?.();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.watch);
    this.connection?.close();
    this.wakeMain?.();
    this.roomWanted?.();
    await this.running;
    await this.dropIntake();
    this.setPhase(this.failure === undefined ? 'stopped' : 'failed');
    this.waiters.fail(this.failure ?? new HoldfastError('CANCELLED', 'the receiver was stopped'));
  }

  // ── The main loop ────────────────────────────────────────────────────────────────────────────────────────────────

  private async run(): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    while (!this.stopped && this.failure === undefined) {
      if (this.paused) {
        this.setPhase('paused');
        await this.sleep(undefined);
        continue;
      }
      try {
        await this.session(() => {
          retryMs = FIRST_RETRY_MS;
        });
      } catch (cause) {
        if (this.stopped || this.paused) continue;
        const error = toHoldfastError(cause);
        await this.judge(error);
        if (this.failure !== undefined) break;
        await this.sleep(retryMs);
        retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
      }
    }
  }

  private async judge(error: HoldfastError): Promise<void> {
    this.trouble = error;
    this.options.logger.warn({ code: error.code, component: this.options.component }, error.message);
    if (isHoldfastError(error, 'DATABASE_IDENTITY')) return this.fail(error);
    this.setPhase('reconnecting');
    // What was received makes no sense: it is forgotten, and read again from what the copies have.
    if (isHoldfastError(error, 'OBJECT_DAMAGED')) await this.dropIntake();
  }

  /** One connection's life. */
  private async session(onStreaming: () => void): Promise<void> {
    const { source, slot } = this.options;
    const connection = await openReplication(source, { slot });
    this.connection = connection;
    try {
      if (this.stopped || this.paused) return;
      const server = await viewServer(connection, this.systemId);
      this.systemId = server.systemId;
      for (const [timeline, text] of server.historyTexts) this.histories.set(timeline, text);
      if (!this.canContinue(server)) await this.plan(server);
      await this.openStream(connection, server);
      this.trouble = undefined;
      this.setPhase('streaming');
      onStreaming();
      await this.receive(connection);
    } finally {
      this.stream = undefined;
      this.connection = undefined;
      this.marks.interrupt();
      connection.close();
    }
  }

  /** Whether what this process received lies on the server's way, so that receiving goes on where it stopped. */
  private canContinue(server: ServerView): boolean {
    const receiving = this.intake?.receiving;
    if (receiving === undefined) return false;
    if (receiving.timeline === server.timeline) return true;
    const left = server.history.ancestors.find(({ timeline }) => timeline === receiving.timeline);
    return left !== undefined && lsnValue(left.switchLsn) >= receiving.end;
  }

  // ── Where to begin ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Asks every copy what it has and begins where the policy's copies end, or where the slot begins. */
  private async plan(server: ServerView): Promise<void> {
    await this.dropIntake();
    const { component, stateDirectory, vault, copies, policy } = this.options;
    const logs = copies.map(({ name }) => vault.log(component, server.systemId, name));
    const holdings = new Map<string, Holdings>();
    await Promise.all(
      logs.map(async (log) => {
        const found = await within(LISTING_MS, readHoldings(log)).catch((error) => {
          this.options.logger.warn(
            { copy: log.copy, error: toHoldfastError(error).message },
            'the log of a copy cannot be listed',
          );
          return undefined;
        });
        if (found !== undefined) holdings.set(log.copy, found);
      }),
    );
    const size = server.segmentSizeBytes;
    const route = routeOf(
      server.history,
      [...holdings.values()].flatMap(({ stretches }) => stretches),
      size,
    );
    const cursors = new Map<string, LogPosition>();
    for (const [copy, { stretches }] of holdings) {
      const cursor = route.cursorOf(stretches);
      if (cursor !== undefined) cursors.set(copy, cursor);
    }
    const slot = await this.lookAtSlot();
    const durable = policyPosition(cursors, copies, policy);
    // A copy that does not answer may be the one that has log: then it is not known to be the first.
    const isNew = route.stretches.length === 0 && holdings.size === copies.length;
    const reached = durable ?? (await this.slotPosition(server, slot, isNew));
    // Nothing of a timeline that was left exactly at a segment's start is still to come: its next one is received.
    const start = segmentFloor(reached.at, size) === reached.at ? route.settle(reached) : reached;
    const at = segmentFloor(start.at, size);
    const spool = await Spool.open(path.join(stateDirectory, 'spool', ...component.split('/'), server.systemId), size);
    this.intake = new Intake(route, spool, size);
    this.policyAt = durable;
    this.floor = undefined;
    this.intake.begin(
      start.timeline,
      at,
      await this.carriedMaxTime(server, holdings, { timeline: start.timeline, at }),
    );
    const fallback = { timeline: start.timeline, at };
    this.shippers = logs.map((log) => this.makeShipper(log.copy, logs, holdings.get(log.copy), fallback));
    this.onMoved();
  }

  /** No position is durable by the policy: what the slot keeps is where everything that counts begins. */
  private async slotPosition(server: ServerView, slot: SlotFacts | undefined, isNew: boolean): Promise<LogPosition> {
    if (slot?.state === 'ok' && slot.restartLsn !== undefined) return positionOf(server.history, slot.restartLsn);
    if (!isNew) {
      return fail(
        'SLOT_LOST',
        `the replication slot '${this.options.slot}' is gone, and too few copies say what they have`,
        {
          hint: 'bring the copies back; then the log goes on from what they have',
        },
      );
    }
    // The first log of this cluster: there is nothing that could be missing.
    const made = await ensureSlot(this.options.source, this.options.slot, { immediatelyReserve: true });
    this.slot = { name: made.name, state: 'ok' };
    return positionOf(server.history, made.restartLsn);
  }

  private async carriedMaxTime(
    server: ServerView,
    holdings: ReadonlyMap<string, Holdings>,
    position: LogPosition,
  ): Promise<Moment | undefined> {
    let latest: Moment | undefined;
    for (const [copy, found] of holdings) {
      const log = this.options.vault.log(this.options.component, server.systemId, copy);
      const time = await maxTimeBefore(log, found, position).catch(() => undefined);
      if (time !== undefined && (latest === undefined || time > latest)) latest = time;
    }
    return latest;
  }

  private makeShipper(
    copy: string,
    logs: readonly ReturnType<ReceiverOptions['vault']['log']>[],
    found: Holdings | undefined,
    fallback: LogPosition,
  ): CopyShipper {
    const { logger, flushEveryMs = 1_000, flushBytes = 4 * 1024 ** 2, markEveryMs = 10_000 } = this.options;
    const context = {
      log: logs.find((log) => log.copy === copy)!,
      others: logs.filter((log) => log.copy !== copy),
      intake: this.intake!,
      histories: this.histories,
      logger,
      flushEveryMs,
      flushBytes,
      markEveryMs,
      newestMark: (timeline: number, at: bigint) => this.marks.newest(timeline, at),
      onMoved: () => this.onMoved(),
      onTrouble: (error: HoldfastError | undefined) => this.onCopyTrouble(copy, error),
      onAlarm: (error: HoldfastError) => this.fail(error),
    };
    return new CopyShipper(context, found, fallback);
  }

  // ── The slot ─────────────────────────────────────────────────────────────────────────────────────────────────────

  private async lookAtSlot(): Promise<SlotFacts | undefined> {
    const { source, slot } = this.options;
    const facts = await readSlot(source, slot);
    const retained = facts?.retainedBytes === undefined ? {} : { retainedBytes: facts.retainedBytes };
    this.slot = { name: slot, state: facts?.state ?? 'missing', ...retained };
    return facts;
  }

  private async watchSlot(): Promise<void> {
    if (this.stopped || this.paused || this.phase !== 'streaming') return;
    await this.lookAtSlot().catch(() => {
      this.slot = { name: this.options.slot, state: 'unknown' };
    });
  }

  /** Starts streaming where the intake ends; a slot that is gone is made again, and what the server no longer has becomes a named hole. */
  private async openStream(connection: ReplicationConnection, server: ServerView): Promise<void> {
    let slot = await this.lookAtSlot();
    if (slot?.state !== 'ok' || slot.restartLsn === undefined) {
      slot = await this.replaceSlot(slot);
      this.untoldLoss = true;
    }
    if (this.isRemoved) await this.skipHole(server, slot!);
    await this.startAtIntake(connection, slot!);
  }

  private async replaceSlot(slot: SlotFacts | undefined): Promise<SlotFacts | undefined> {
    const { source, slot: name, mayDeclareLoss } = this.options;
    if (mayDeclareLoss?.() === false) {
      fail('SLOT_LOST', `the replication slot '${name}' is gone; a recovery under way decides where the log resumes`);
    }
    if (slot !== undefined) await dropSlot(source, name);
    await ensureSlot(source, name, { immediatelyReserve: true });
    return await this.lookAtSlot();
  }

  /** The server said that it no longer has the log that follows: the next thing it surely has is what the slot keeps. */
  private async skipHole(server: ServerView, slot: SlotFacts): Promise<void> {
    if (this.options.mayDeclareLoss?.() === false) {
      fail('SLOT_LOST', 'log is missing; a recovery under way decides where it resumes');
    }
    const intake = this.intake!;
    const { timeline } = intake.receiving!;
    const durable = this.policyAt?.timeline === timeline ? this.policyAt.at : 0n;
    const known = intake.end('hole');
    // After a restart nothing was received here yet, and the copies' own end is where the hole begins.
    const from = durable > known ? durable : known;
    intake.end('hole', from);
    const next = positionOf(server.history, slot.restartLsn!);
    const at = segmentFloor(next.at, intake.segmentSizeBytes);
    intake.begin(next.timeline, at, this.durableTime());
    this.isRemoved = false;
    this.untoldLoss = false;
    const after = this.durableTime();
    await this.tellLoss({
      timeline,
      fromLsn: lsnFrom(from),
      toLsn: lsnFrom(at),
      ...(after === undefined ? {} : { after }),
    });
  }

  private async tellLoss(hole?: LogHole): Promise<void> {
    const { component, slot, vault, logger } = this.options;
    logger.error({ component, slot, hole }, 'the replication slot was lost and made again');
    this.emit({ type: 'slot lost', slot, hole });
    if (hole === undefined) return;
    const name = `hole-${hole.timeline}-${hole.fromLsn.replace('/', '-')}-${hole.toLsn.replace('/', '-')}`;
    // The hole shows in the listings anyway; the record says that it was noticed, and when.
    await vault.putRecord(`log-${component.replace('/', '-')}`, name, { slot, hole }).catch((error) => {
      logger.error({ error: toHoldfastError(error).message }, 'the record of the hole cannot be kept');
    });
  }

  private async startAtIntake(connection: ReplicationConnection, slot: SlotFacts): Promise<void> {
    const { timeline, end } = this.intake!.receiving!;
    const startLsn = lsnFrom(end);
    const started = await WalStream.start(connection, { slot: this.options.slot, timeline, startLsn });
    this.floor = { timeline, at: slot.restartLsn === undefined ? end : lsnValue(slot.restartLsn) };
    if (started instanceof WalStream) {
      this.stream = started;
      this.emit({ type: 'streaming', timeline, fromLsn: startLsn });
      return;
    }
    await this.changeTimeline(connection, started.nextTimeline, started.switchLsn);
  }

  // ── Receiving ────────────────────────────────────────────────────────────────────────────────────────────────────

  private async receive(connection: ReplicationConnection): Promise<void> {
    const beat = setInterval(() => this.report(true), STATUS_EVERY_MS);
    try {
      this.report(true);
      for (;;) {
        const message = await this.nextMessage();
        if (message.type === 'log') {
          await this.makeRoom();
          await this.intake!.append(message.at, message.bytes);
          this.noteClock(message.clockMicros);
          for (const shipper of this.shippers) shipper.wake();
        } else if (message.type === 'keepalive') {
          const receiving = this.intake!.receiving!;
          if (message.end === receiving.end) this.noteClock(message.clockMicros);
          if (message.replyWanted) this.report(false);
        } else {
          await this.changeTimeline(connection, message.nextTimeline, message.switchLsn);
        }
        if (this.failure !== undefined) throw this.failure;
      }
    } finally {
      clearInterval(beat);
    }
  }

  /** The server begins a stream before it looks for the log: that it is gone comes as the first message. */
  private async nextMessage(): Promise<StreamMessage> {
    try {
      const message = await this.stream!.next();
      if (this.untoldLoss && message.type === 'log') {
        this.untoldLoss = false;
        await this.tellLoss();
      }
      return message;
    } catch (error) {
      if (isHoldfastError(error, 'SLOT_LOST')) this.isRemoved = true;
      throw error;
    }
  }

  private noteClock(clockMicros: bigint): void {
    const { timeline, end } = this.intake!.receiving!;
    this.marks.note(timeline, end, clockMicros);
  }

  /** The timeline that was received is over: its history first, then the rest of it, then the next one from its segment's start. */
  private async changeTimeline(connection: ReplicationConnection, next: number, switchLsn: Lsn): Promise<void> {
    const intake = this.intake!;
    const from = intake.receiving!.timeline;
    const text = await readTimelineHistory(connection, next);
    parseTimelineHistory(next, text);
    this.histories.set(next, text);
    const carried = this.durableMaxTime(intake.receiving!.end);
    const at = intake.end('switch', lsnValue(switchLsn));
    this.emit({ type: 'timeline', from, to: next, switchLsn });
    this.options.logger.info({ from, to: next, switchLsn }, 'the cluster went on with a new timeline');
    this.marks.interrupt();
    intake.begin(next, segmentFloor(at, intake.segmentSizeBytes), carried);
    for (const shipper of this.shippers) shipper.wake();
    const slot = await this.lookAtSlot();
    await this.startAtIntake(
      connection,
      slot ?? fail('SLOT_LOST', `the replication slot '${this.options.slot}' is gone`),
    );
  }

  private durableMaxTime(end: bigint): Moment | undefined {
    const stretch = this.intake?.route.last;
    return stretch === undefined ? undefined : this.intake!.describe(stretch, end, end)?.maxTime;
  }

  /** Waits while the spool is full of log that the policy's copies do not have; the server keeps the rest. */
  private async makeRoom(): Promise<void> {
    const intake = this.intake!;
    const limit = Math.max(this.options.spoolLimitBytes ?? DEFAULT_SPOOL_BYTES, 4 * intake.segmentSizeBytes);
    while (intake.spool.sizeBytes > limit && !this.stopped && !this.paused && this.failure === undefined) {
      // Copies that lag fill their gap from those that have it.
      if (this.policyAt !== undefined) await intake.forget(this.policyAt);
      if (intake.spool.sizeBytes <= limit) return;
      const failure = this.connection?.wire.failure;
      if (failure !== undefined) throw failure;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1_000);
        this.roomWanted = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  private report(replyWanted: boolean): void {
    const receiving = this.intake?.receiving;
    if (this.stream === undefined || receiving === undefined) return;
    this.stream.report({ received: receiving.end, durable: this.reportable(receiving.timeline) }, replyWanted);
  }

  /** The policy's position as the slot may be told: never in front of what it knows, never of another timeline's future. */
  private reportable(timeline: number): bigint | undefined {
    const [position, floor] = [this.policyAt, this.floor];
    if (position === undefined || floor === undefined || position.timeline > timeline) return undefined;
    return position.at >= floor.at ? position.at : undefined;
  }

  // ── What the copies do ───────────────────────────────────────────────────────────────────────────────────────────

  private onMoved(): void {
    const { copies, policy } = this.options;
    const cursors = new Map(this.shippers.flatMap(({ name, cursor }) => (cursor ? [[name, cursor] as const] : [])));
    const reached = policyPosition(cursors, copies, policy);
    if (reached !== undefined && (this.policyAt === undefined || comparePositions(reached, this.policyAt) > 0)) {
      this.policyAt = reached;
      this.report(false);
    }
    this.waiters.look();
    this.forgetShipped(cursors);
    this.roomWanted?.();
  }

  private forgetShipped(cursors: ReadonlyMap<string, LogPosition>): void {
    const { intake } = this;
    if (intake === undefined || cursors.size < this.options.copies.length) return;
    const slowest = [...cursors.values()].reduce((a, b) => (comparePositions(a, b) <= 0 ? a : b));
    void intake.forget(slowest).catch((error) => this.options.logger.warn({ error }, 'the spool cannot be tidied'));
  }

  private onCopyTrouble(copy: string, error: HoldfastError | undefined): void {
    if (error === undefined) this.emit({ type: 'copy back', copy });
    else this.emit({ type: 'copy behind', copy, code: error.code, message: error.message });
  }

  private copyState(copy: string): ReceiverCopyState {
    const shipper = this.shippers.find(({ name }) => name === copy);
    const cursor = shipper?.cursor;
    const receiving = this.intake?.receiving;
    const behind = cursor && receiving ? Math.max(0, lsnDistance(lsnFrom(cursor.at), lsnFrom(receiving.end))) : 0;
    return {
      copy,
      behindBytes: behind,
      ...(cursor === undefined ? {} : { durableLsn: lsnFrom(cursor.at) }),
      ...(shipper?.error === undefined ? {} : { error: told(shipper.error) }),
    };
  }

  private durableTime(): Moment | undefined {
    const [intake, position] = [this.intake, this.policyAt];
    if (intake === undefined || position === undefined) return undefined;
    const mark = this.marks.newest(position.timeline, position.at)?.time;
    const stretch = intake.route.stretchOf(position);
    const max = stretch && intake.describe(stretch, position.at, position.at)?.maxTime;
    if (mark === undefined || max === undefined) return mark ?? max;
    return mark > max ? mark : max;
  }

  // ── Ends ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  private fail(error: HoldfastError): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    this.options.logger.error({ code: error.code, component: this.options.component }, error.message);
    this.setPhase('failed');
    this.emit({ type: 'failed', code: error.code, message: error.message });
    this.waiters.fail(error);
    this.connection?.close();
    this.wakeMain?.();
  }

  private async dropIntake(): Promise<void> {
    const { shippers, intake } = this;
    this.shippers = [];
    this.intake = undefined;
    await Promise.all(shippers.map((shipper) => shipper.stop()));
    await intake?.spool.close();
  }

  private setPhase(phase: ReceiverState['phase']): void {
    if (this.phase === 'failed' && phase !== 'failed') return;
    this.phase = phase;
    this.waiters.look();
  }

  private emit(event: ReceiverEvent): void {
    this.options.onEvent?.(event);
  }

  /** Until the time is over or somebody wants something else. */
  private sleep(limitMs: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = limitMs === undefined ? undefined : setTimeout(() => this.wakeMain?.(), limitMs);
      this.wakeMain = () => {
        clearTimeout(timer);
        this.wakeMain = undefined;
        resolve();
      };
    });
  }
}

function positionOf(history: TimelineHistory, lsn: Lsn): LogPosition {
  return { timeline: timelineOf(history, lsn), at: lsnValue(lsn) };
}

function told({ code, message, hint }: HoldfastError) {
  return { code, message, hint };
}

function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new HoldfastError('STORE_UNAVAILABLE', 'a copy did not answer in time')),
      limitMs,
    );
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
