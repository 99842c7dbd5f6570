// The slot of one receiver: looked at, made again when it is gone, and what was lost with it named, told and written down.

import type { IdleSlot } from '../../domain/idle-slot.ts';
import { type Lsn, lsnFrom } from '../../domain/lsn.ts';
import { fail, toHoldfastError } from '../../errors/index.ts';
import { withPlain } from '../connection/index.ts';
import type { LogHole, ReceiverState } from '../types.ts';
import { askIdleSlots } from './idle-slots.ts';
import type { Ledger } from './ledger.ts';
import { keepLoss, slotLoss } from './loss-record.ts';
import type { LogPosition } from './route.ts';
import { askSlot, dropSlot, ensureSlot, readSlot, type SlotFacts } from './slot.ts';
import { freeForLog, SlotGrowth } from './slot-growth.ts';
import type { ReceiverEvent, ReceiverOptions } from './types.ts';
import { UntoldLoss } from './untold-loss.ts';
import { segmentFloor } from './wal-stream.ts';

/** A slot that holds the server's log back for us. */
export type KeepingSlot = SlotFacts & { readonly restartLsn: Lsn };

export class SlotGuard {
  private readonly options: ReceiverOptions;
  private readonly emit: (event: ReceiverEvent) => void;
  private seen: ReceiverState['slot'];
  /** The server has removed the log that follows what we have. */
  private isRemoved = false;
  /** The slot was made again; whether log is missing shows with the first answer of the stream. */
  private untoldLoss = false;
  /** The same for whoever comes after this process. */
  private readonly onDisk: UntoldLoss;
  private isDiskRead = false;
  private readonly growth = new SlotGrowth();
  private idle: readonly IdleSlot[] | undefined;

  constructor(options: ReceiverOptions, emit: (event: ReceiverEvent) => void) {
    this.options = options;
    this.emit = emit;
    this.onDisk = new UntoldLoss(options.stateDirectory, options.slot);
    this.seen = { name: options.slot, state: 'unknown' };
  }

  get name(): string {
    return this.options.slot;
  }

  get state(): ReceiverState['slot'] {
    return this.idle === undefined ? this.seen : { ...this.seen, idle: this.idle };
  }

  async look(): Promise<SlotFacts | undefined> {
    return await this.noteSeen(await readSlot(this.options.source, this.name));
  }

  private async noteSeen(facts: SlotFacts | undefined): Promise<SlotFacts | undefined> {
    this.growth.note(performance.now(), facts);
    const pressure = this.growth.pressure(await freeForLog(this.options.dataDirectory));
    const retained = facts?.retainedBytes === undefined ? {} : { retainedBytes: facts.retainedBytes };
    this.seen = {
      name: this.name,
      state: facts?.state ?? 'missing',
      ...retained,
      ...(pressure && { pressure }),
      ...syncOf(facts),
    };
    return facts;
  }

  /** The same for the state alone, and what the server keeps for others. */
  async watch(): Promise<void> {
    let idle: readonly IdleSlot[] | undefined;
    try {
      await withPlain(this.options.source, async (plain) => {
        await this.noteSeen(await askSlot(plain, this.name));
        // Asked by itself: what cannot be told of others must not hide what ours costs.
        idle = await askIdleSlots(plain, this.name).catch(() => undefined);
      });
    } catch {
      this.seen = { name: this.name, state: 'unknown' };
    }
    this.idle = idle;
  }

  /** What the slot keeps, where it says where our log goes on; `undefined` for one that was made again by a process that died before it told so. */
  async lookForStart(): Promise<KeepingSlot | undefined> {
    const slot = await this.look();
    return keeps(slot) && !(await this.onDisk.exists()) ? slot : undefined;
  }

  /** For the first log of a cluster: nothing could be missing. Gives where the server's log begins for us. */
  async makeFirst(): Promise<Lsn> {
    const made = await ensureSlot(this.options.source, this.name, { immediatelyReserve: true });
    this.seen = { name: made.name, state: 'ok' };
    return made.restartLsn;
  }

  /**
   * A slot that keeps log: the one that is there, or one made in its place, which is a loss to be told. Throws `SLOT_LOST` while a
   * recovery under way decides where the log resumes.
   */
  async require(): Promise<KeepingSlot> {
    await this.readDisk();
    const slot = await this.look();
    if (keeps(slot)) return slot;
    this.requireLeave(
      `the replication slot '${this.name}' is gone; a recovery under way decides where the log resumes`,
    );
    await this.onDisk.note();
    if (slot !== undefined) await dropSlot(this.options.source, this.name);
    await ensureSlot(this.options.source, this.name, { immediatelyReserve: true });
    this.untoldLoss = true;
    return await this.requirePresent();
  }

  /** Throws `SLOT_LOST` when it is gone or keeps nothing. */
  async requirePresent(): Promise<KeepingSlot> {
    const slot = await this.look();
    return keeps(slot) ? slot : fail('SLOT_LOST', `the replication slot '${this.name}' is gone`);
  }

  /** The stream ended because the server no longer has what follows: seen by the next `skipRemoved`. */
  noteRemoved(): void {
    this.isRemoved = true;
  }

  /** Log came: the server still had all that follows what we have. */
  async noteReceived(): Promise<void> {
    if (!this.untoldLoss) return;
    this.untoldLoss = false;
    await this.tell();
  }

  /**
   * When the server has said that it no longer has the log that follows: ends the stretch there, and begins another at `next`, which is
   * what the slot surely keeps. What lies between is the hole.
   */
  async skipRemoved(ledger: Ledger, next: LogPosition): Promise<void> {
    if (!this.isRemoved) return;
    this.requireLeave('log is missing; a recovery under way decides where it resumes');
    const intake = ledger.intake!;
    const { timeline } = intake.receiving!;
    const durable = ledger.policyAt?.timeline === timeline ? ledger.policyAt.at : 0n;
    const known = intake.end('hole');
    // After a restart nothing was received here yet, and the copies' own end is where the hole begins.
    const from = durable > known ? durable : known;
    intake.end('hole', from);
    const at = segmentFloor(next.at, intake.segmentSizeBytes);
    intake.begin(next.timeline, at, ledger.durableTime());
    this.isRemoved = false;
    this.untoldLoss = false;
    const after = ledger.durableTime();
    await this.tell({
      timeline,
      fromLsn: lsnFrom(from),
      toLsn: lsnFrom(at),
      ...(after === undefined ? {} : { after }),
    });
  }

  /** Once: what this process could not write down it has told all the same. */
  private async readDisk(): Promise<void> {
    if (this.isDiskRead) return;
    this.untoldLoss = await this.onDisk.exists();
    this.isDiskRead = true;
  }

  private requireLeave(words: string): void {
    if (this.options.mayDeclareLoss?.() === false) fail('SLOT_LOST', words);
  }

  private async tell(hole?: LogHole): Promise<void> {
    const { component, slot, vault, logger } = this.options;
    logger.error({ component, slot, hole }, 'the replication slot was lost and made again');
    const loss = slotLoss(hole);
    this.emit({ type: 'slot lost', slot, ...loss, hole });
    // The hole shows in the listings anyway; the record says that it was noticed, and when, to whoever has not been told.
    try {
      await keepLoss(vault, component, slot, loss);
    } catch (error) {
      logger.error({ error: toHoldfastError(error).message }, 'the record of the lost slot cannot be kept');
      return;
    }
    await this.onDisk.clear();
  }
}

function syncOf(facts: SlotFacts | undefined): Pick<ReceiverState['slot'], 'syncState'> {
  return facts?.syncState === undefined ? {} : { syncState: facts.syncState };
}

export function keeps(slot: SlotFacts | undefined): slot is KeepingSlot {
  return slot?.state === 'ok' && slot.restartLsn !== undefined;
}
