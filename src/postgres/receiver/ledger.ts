// What was received here, how far each copy has it, and what the policy calls durable of it; outlives connections.

import type { Logger } from 'pino';
import { lsnDistance, lsnFrom } from '../../domain/lsn.ts';
import type { Moment } from '../../domain/moment.ts';
import type { HoldfastError } from '../../errors/index.ts';
import type { LogCopy } from '../../vault/types.ts';
import type { ReceiverCopyState } from '../types.ts';
import { CopyShipper } from './copy-shipper.ts';
import { type Holdings, policyPosition } from './holdings.ts';
import type { Intake } from './intake.ts';
import { LogMemory } from './log-memory.ts';
import { Marks } from './marks.ts';
import { comparePositions, type LogPosition } from './route.ts';
import { type ReceiverEvent, type ReceiverOptions, told } from './types.ts';

const FLUSH_EVERY_MS = 1_000;
const FLUSH_BYTES = 16 * 1024 ** 2;
const MARK_EVERY_MS = 10_000;

export interface LedgerHooks {
  /** A cursor moved or was found; `isPolicy`: what the policy calls durable moved with it. */
  onMoved(isPolicy: boolean): void;
  /** A copy holds other log than ours under the same name: nobody may go on. */
  onAlarm(error: HoldfastError): void;
  emit(event: ReceiverEvent): void;
}

/** What a start found: the intake made for it, the copies' logs, and what those that answered hold. */
export interface Opening {
  readonly intake: Intake;
  readonly logs: readonly LogCopy[];
  readonly holdings: ReadonlyMap<string, Holdings>;
  /** What the policy's copies had when they were asked. */
  readonly durable: LogPosition | undefined;
  /** Where a copy begins that holds nothing of the way. */
  readonly fallback: LogPosition;
}

export class Ledger {
  readonly marks = new Marks();
  /** Texts of history files by timeline, known so far. */
  readonly histories = new Map<number, string>();
  private readonly options: ReceiverOptions;
  private readonly hooks: LedgerHooks;
  private readonly memory: LogMemory;
  private opened: Intake | undefined;
  private durable: LogPosition | undefined;
  private shippers: CopyShipper[] = [];
  /** When something last became durable, or was received after everything was: on a clock that only runs forward. */
  private movedAtMs = performance.now();
  private wasAllDurable = true;

  constructor(options: ReceiverOptions, hooks: LedgerHooks) {
    this.options = options;
    this.hooks = hooks;
    this.memory = options.memory ?? new LogMemory(options.copies.length);
  }

  get intake(): Intake | undefined {
    return this.opened;
  }

  /** The greatest position that the policy calls durable; `undefined` while too few copies say where they are. */
  get policyAt(): LogPosition | undefined {
    return this.durable;
  }

  open({ intake, logs, holdings, durable, fallback }: Opening): void {
    this.opened = intake;
    this.durable = durable;
    this.shippers = logs.map((log) => this.makeShipper(intake, log, logs, holdings.get(log.copy), fallback));
    this.noteMove();
  }

  /** Forgets what was received; the copies' cursors are asked for again by the next start. */
  async drop(): Promise<void> {
    const { shippers, opened } = this;
    this.shippers = [];
    this.opened = undefined;
    await Promise.all(shippers.map((shipper) => shipper.stop()));
    await opened?.spool.close().catch((error) => this.logger.warn({ error }, 'the spool cannot be removed'));
  }

  /** For how long nothing more has become durable though something was received; 0 when everything is durable. */
  stalledMs(): number {
    return this.isAllDurable ? 0 : performance.now() - this.movedAtMs;
  }

  private get isAllDurable(): boolean {
    const receiving = this.opened?.receiving;
    if (receiving === undefined) return true;
    const { durable } = this;
    return durable !== undefined && durable.timeline === receiving.timeline && durable.at >= receiving.end;
  }

  /** Something was received that may be worth sending. */
  wake(): void {
    if (this.wasAllDurable) this.movedAtMs = performance.now();
    this.wasAllDurable = false;
    for (const shipper of this.shippers) shipper.wake();
  }

  /** Up to where a copy, or the policy, has the log. */
  position(where: string | 'policy'): LogPosition | undefined {
    return where === 'policy' ? this.durable : this.shippers.find(({ name }) => name === where)?.cursor;
  }

  /** Newest moment that the policy's copies could recover. */
  durableTime(): Moment | undefined {
    const [intake, position] = [this.opened, this.durable];
    if (intake === undefined || position === undefined) return undefined;
    const mark = this.marks.newest(position.timeline, position.at)?.time;
    const stretch = intake.route.stretchOf(position);
    const max = stretch && intake.describe(stretch, position.at, position.at)?.maxTime;
    if (mark === undefined || max === undefined) return mark ?? max;
    return mark > max ? mark : max;
  }

  copyStates(): ReceiverCopyState[] {
    const receiving = this.opened?.receiving;
    return this.options.copies.map(({ name: copy }) => {
      const shipper = this.shippers.find(({ name }) => name === copy);
      const cursor = shipper?.cursor;
      const behind = cursor && receiving ? Math.max(0, lsnDistance(lsnFrom(cursor.at), lsnFrom(receiving.end))) : 0;
      return {
        copy,
        behindBytes: behind,
        ...(cursor === undefined ? {} : { durableLsn: lsnFrom(cursor.at) }),
        ...(shipper?.error === undefined ? {} : { error: told(shipper.error) }),
      };
    });
  }

  private makeShipper(
    intake: Intake,
    log: LogCopy,
    logs: readonly LogCopy[],
    found: Holdings | undefined,
    fallback: LogPosition,
  ): CopyShipper {
    const { flushEveryMs = FLUSH_EVERY_MS, flushBytes = FLUSH_BYTES, markEveryMs = MARK_EVERY_MS } = this.options;
    const context = {
      log,
      others: logs.filter((other) => other !== log),
      intake,
      memory: this.memory,
      foreign: this.options.foreign,
      histories: this.histories,
      logger: this.logger,
      flushEveryMs,
      flushBytes,
      markEveryMs,
      newestMark: (timeline: number, at: bigint) => this.marks.newest(timeline, at),
      onMoved: () => this.noteMove(),
      onTrouble: (error: HoldfastError | undefined) => this.noteTrouble(log.copy, error),
      onAlarm: (error: HoldfastError) => this.hooks.onAlarm(error),
    };
    return new CopyShipper(context, found, fallback);
  }

  private noteMove(): void {
    const { copies, policy } = this.options;
    const cursors = new Map(this.shippers.flatMap(({ name, cursor }) => (cursor ? [[name, cursor] as const] : [])));
    const reached = policyPosition(cursors, copies, policy);
    const isPolicy =
      reached !== undefined && (this.durable === undefined || comparePositions(reached, this.durable) > 0);
    if (isPolicy) {
      this.durable = reached;
      this.movedAtMs = performance.now();
      this.wasAllDurable = this.isAllDurable;
    }
    this.forgetShipped(cursors);
    this.hooks.onMoved(isPolicy);
  }

  /** What every copy has need not stay in the spool. */
  private forgetShipped(cursors: ReadonlyMap<string, LogPosition>): void {
    if (this.opened === undefined || cursors.size < this.options.copies.length) return;
    const slowest = [...cursors.values()].reduce((a, b) => (comparePositions(a, b) <= 0 ? a : b));
    void this.opened.forget(slowest).catch((error) => this.logger.warn({ error }, 'the spool cannot be tidied'));
  }

  private noteTrouble(copy: string, error: HoldfastError | undefined): void {
    if (error === undefined) this.hooks.emit({ type: 'copy back', copy });
    else this.hooks.emit({ type: 'copy behind', copy, code: error.code, message: error.message });
  }

  private get logger(): Logger {
    return this.options.logger;
  }
}
