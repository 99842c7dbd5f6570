// The receiver of one cluster's log: takes it from the slot, brings it to every copy, tells the server only what the policy calls durable.

import { type Lsn, lsnFrom, lsnValue } from '../../domain/lsn.ts';
import { fail, HoldfastError, isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import { openReplication, type ReplicationConnection } from '../connection/index.ts';
import type { ReceiverState } from '../types.ts';
import { findBeginning } from './beginning.ts';
import { Ledger } from './ledger.ts';
import { Nap } from './nap.ts';
import { comparePositions, type LogPosition } from './route.ts';
import { type ServerView, viewServer } from './server-view.ts';
import { Session } from './session.ts';
import { SlotGuard } from './slot-guard.ts';
import { type Receiver, type ReceiverEvent, type ReceiverOptions, told } from './types.ts';
import { foreignLog, verdictOf } from './verdict.ts';
import { Waiters } from './waiters.ts';

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 15_000;
const WATCH_SLOT_EVERY_MS = 10_000;

/** Starts at once and keeps on by itself; everything that happens is told by `state`, `onEvent` and the logger. */
export function startReceiver(options: ReceiverOptions): Receiver {
  return new LogReceiver(options);
}

class LogReceiver implements Receiver {
  private readonly options: ReceiverOptions;
  private readonly guard: SlotGuard;
  private readonly ledger: Ledger;
  private readonly waiters = new Waiters();
  private phase: ReceiverState['phase'] = 'starting';
  private systemId: string | undefined;
  private connection: ReplicationConnection | undefined;
  private session: Session | undefined;
  private trouble: HoldfastError | undefined;
  private failure: HoldfastError | undefined;
  private paused = false;
  private stopped = false;
  private readonly nap = new Nap();
  private readonly watch: NodeJS.Timeout;
  private readonly running: Promise<void>;

  constructor(options: ReceiverOptions) {
    this.options = options;
    this.systemId = options.systemId;
    this.guard = new SlotGuard(options, (event) => this.emit(event));
    this.ledger = new Ledger(options, {
      onMoved: (isPolicy) => {
        this.session?.noteMove(isPolicy);
        this.waiters.look();
      },
      onAlarm: (error) => this.fail(error),
      emit: (event) => this.emit(event),
    });
    this.watch = setInterval(() => void this.watchSlot(), WATCH_SLOT_EVERY_MS);
    this.watch.unref();
    this.running = this.run();
  }

  // ── Asked from outside ───────────────────────────────────────────────────────────────────────────────────────────

  state(): ReceiverState {
    const { ledger } = this;
    const receiving = ledger.intake?.receiving;
    const durable = ledger.policyAt;
    const time = ledger.durableTime();
    const error = this.failure ?? this.trouble;
    return {
      component: this.options.component,
      phase: this.phase,
      slot: this.guard.state,
      stalledMs: ledger.stalledMs(),
      copies: ledger.copyStates(),
      ...(this.systemId === undefined ? {} : { systemId: this.systemId }),
      ...(receiving === undefined ? {} : { timeline: receiving.timeline, receivedLsn: lsnFrom(receiving.end) }),
      ...(durable === undefined ? {} : { durableLsn: lsnFrom(durable.at) }),
      ...(time === undefined ? {} : { durableTime: time }),
      ...(error === undefined ? {} : { error: told(error) }),
    };
  }

  position(where: string): LogPosition | undefined {
    return this.ledger.position(where);
  }

  async waitFor(where: string, timeline: number, lsn: Lsn, signal?: AbortSignal): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    if (this.stopped) fail('CANCELLED', 'the receiver was stopped');
    const position = { timeline, at: lsnValue(lsn) };
    const hasReached = () => {
      const reached = this.position(where);
      return reached !== undefined && comparePositions(reached, position) >= 0;
    };
    await this.waiters.until(hasReached, signal);
  }

  async drainTo(lsn: Lsn, signal?: AbortSignal): Promise<void> {
    const timeline = this.ledger.intake?.receiving?.timeline ?? 1;
    await this.waitFor('policy', timeline, lsn, signal);
    await this.pause();
  }

  async pause(): Promise<void> {
    if (this.stopped) return;
    this.paused = true;
    this.endConnection();
    await this.waiters.until(() => this.phase === 'paused' || this.phase === 'failed' || this.phase === 'stopped');
  }

  resume(): void {
    this.paused = false;
    this.nap.wake();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.watch);
    this.endConnection();
    await this.running;
    await this.ledger.drop();
    this.setPhase(this.failure === undefined ? 'stopped' : 'failed');
    this.waiters.fail(this.failure ?? new HoldfastError('CANCELLED', 'the receiver was stopped'));
  }

  // ── The main loop ────────────────────────────────────────────────────────────────────────────────────────────────

  private async run(): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    while (!this.stopped && this.failure === undefined) {
      if (this.paused) {
        this.setPhase('paused');
        await this.nap.sleep();
        continue;
      }
      try {
        await this.serve(() => {
          retryMs = FIRST_RETRY_MS;
        });
      } catch (cause) {
        if (this.stopped || this.paused) continue;
        await this.judge(toHoldfastError(cause));
        if (this.failure !== undefined) break;
        await this.nap.sleep(retryMs);
        retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
      }
    }
  }

  private async judge(error: HoldfastError): Promise<void> {
    this.trouble = error;
    this.options.logger.warn({ code: error.code, component: this.options.component }, error.message);
    const verdict = verdictOf(error);
    if (verdict === 'end') return this.fail(error);
    this.setPhase('reconnecting');
    if (verdict === 'forget') await this.ledger.drop();
  }

  /** One connection's life. */
  private async serve(onStreaming: () => void): Promise<void> {
    const { source, slot } = this.options;
    const connection = await openReplication(source, { slot });
    this.connection = connection;
    try {
      if (this.stopped || this.paused) return;
      const server = await viewServer(connection, this.systemId);
      this.systemId = server.systemId;
      for (const [timeline, text] of server.historyTexts) this.ledger.histories.set(timeline, text);
      if (!this.canContinue(server)) await this.begin(server);
      this.session = this.sessionOn(connection, server);
      await this.session.open();
      this.trouble = undefined;
      this.setPhase('streaming');
      onStreaming();
      await this.session.receive();
    } finally {
      this.session = undefined;
      this.connection = undefined;
      this.ledger.marks.interrupt();
      connection.close();
    }
  }

  /** Whether what this process received lies on the server's way, so that receiving goes on where it stopped. */
  private canContinue(server: ServerView): boolean {
    const receiving = this.ledger.intake?.receiving;
    if (receiving === undefined) return false;
    if (receiving.timeline === server.timeline) return true;
    const left = server.history.ancestors.find(({ timeline }) => timeline === receiving.timeline);
    return left !== undefined && lsnValue(left.switchLsn) >= receiving.end;
  }

  private async begin(server: ServerView): Promise<void> {
    await this.ledger.drop();
    this.ledger.open(await findBeginning(this.options, server, this.guard));
  }

  private sessionOn(connection: ReplicationConnection, server: ServerView): Session {
    return new Session({
      options: this.options,
      connection,
      server,
      ledger: this.ledger,
      guard: this.guard,
      check: () => {
        if (this.failure !== undefined) throw this.failure;
      },
      isEnding: () => this.stopped || this.paused,
      emit: (event) => this.emit(event),
    });
  }

  private async watchSlot(): Promise<void> {
    // Also while no log comes: then the slot costs most.
    if (this.stopped || this.paused || this.phase === 'starting') return;
    // Another cluster's slot of the same name is none of ours.
    if (isHoldfastError(this.failure ?? this.trouble, 'DATABASE_IDENTITY')) return;
    await this.guard.watch();
  }

  // ── Ends ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  private fail(error: HoldfastError): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    this.options.logger.error({ code: error.code, component: this.options.component }, error.message);
    this.setPhase('failed');
    const foreign = foreignLog(error);
    this.emit({
      type: 'failed',
      code: error.code,
      message: error.message,
      ...(foreign === undefined ? {} : { foreign }),
    });
    this.waiters.fail(error);
    this.endConnection();
  }

  private endConnection(): void {
    this.connection?.close();
    this.session?.wake();
    this.nap.wake();
  }

  private setPhase(phase: ReceiverState['phase']): void {
    if (this.phase === 'failed' && phase !== 'failed') return;
    this.phase = phase;
    this.waiters.look();
  }

  private emit(event: ReceiverEvent): void {
    this.options.onEvent?.(event);
  }
}
