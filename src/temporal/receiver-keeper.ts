// Keeps the receiver of one database: started with the worker, again after it failed, and held back while a restore swaps the data beneath it.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Receivers } from '../../activities/lib/host-services.ts';
import { type Configuration, type DatabaseSettings, resolveSecret, stateDirectoryOf } from '../../config/index.ts';
import { slotName } from '../domain/ids.ts';
import { fail, fromErrorData, type HoldfastError, isHoldfastError, toHoldfastError } from '../errors/index.ts';
import {
  type ForeignLog,
  type LogMemory,
  latestLoss,
  type Receiver,
  type ReceiverEvent,
  readerOf,
  type SlotLoss,
  startReceiver,
} from '../postgres/receiver/index.ts';
import { refusedLogin } from '../postgres/recovery/index.ts';
import type { Vault } from '../vault/index.ts';
import { Reception, type ReceptionLimits, type Seen } from './reception.ts';
import { RestoreWatch } from './restore-watch.ts';

export interface KeeperOptions {
  readonly configuration: Configuration;
  readonly host: string;
  readonly vault: () => Promise<Vault>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly memory: LogMemory;
  readonly limits: ReceptionLimits;
  /** Default five minutes. */
  readonly ensureWithinMs?: number;
}

const firstPauseMs = 1_000;
/** How often a cause is looked at again that only a person can mend. */
const longestPauseMs = 60_000;
const lookMs = 2_000;
/** Records of losses are read again: a copy that was away may hold one that no other has. */
const recallEveryMs = 10 * 60_000;
const defaultEnsureWithinMs = 5 * 60_000;
/** A receiver of ours says every second how far it is; one whose connection is lost holds the slot until the server has noticed. */
const livesMs = 15_000;

export class ReceiverKeeper {
  /** The latest; one that failed stays until the next one is started. */
  receiver: Receiver | undefined;
  losses: ReturnType<Receivers['losses']> = { count: 0 };
  readonly reception: Reception;
  readonly #options: KeeperOptions;
  readonly #database: DatabaseSettings;
  readonly #running: Promise<void>;
  readonly #restore: RestoreWatch;
  #held = false;
  #wasKeptOut = false;
  /** Receivers that were started, or could not be. */
  #attempts = 0;
  #pauseMs = firstPauseMs;
  #dueAt = 0;
  #wake = new AbortController();
  /** Why the latest attempt to start one was none. */
  #trouble: HoldfastError | undefined;
  /** What a receiver that failed knew, and the next one must not forget. */
  #systemId: string | undefined;
  #foreign: ForeignLog | undefined;
  #lostAt = '';
  #recalling: Promise<void> | undefined;
  #recallDueAt = 0;

  constructor(options: KeeperOptions, database: DatabaseSettings) {
    this.#options = options;
    this.#database = database;
    this.reception = new Reception(options.limits);
    this.#restore = new RestoreWatch(database.dataDirectory);
    this.#running = this.#run();
  }

  async started(signal?: AbortSignal): Promise<Receiver> {
    while (this.receiver === undefined) {
      signal?.throwIfAborted();
      if (this.#options.signal.aborted) fail('CANCELLED', 'the worker is shutting down');
      await sleep(200);
    }
    return this.receiver;
  }

  /** Somebody else has read the slot since our receiver last did, also when the server has been stopped meanwhile. */
  get isKeptOut(): boolean {
    return this.#wasKeptOut || this.#isBusy;
  }

  /**
   * Of two workers of this host one takes the log for both. Throws `SLOT_BUSY` with the reason when no log comes within some minutes, or
   * as soon as a receiver that was started for this has failed; `details.isRefused`: the server answers, and refuses our login.
   */
  async ensure(signal?: AbortSignal) {
    const before = this.#failure === undefined ? -1 : this.#attempts;
    const withinMs = this.#options.ensureWithinMs ?? defaultEnsureWithinMs;
    this.#hurry();
    for (const giveUpAt = Date.now() + withinMs; ; await sleep(200)) {
      const { phase, error } = (await this.started(signal)).state();
      signal?.throwIfAborted();
      if (phase === 'streaming') break;
      if (this.#isBusy && (await this.#isTakenByAnother())) break;
      const isOver = this.#failure !== undefined && this.#attempts > before;
      if (isOver || this.#options.signal.aborted || Date.now() > giveUpAt) {
        fail('SLOT_BUSY', `the log of '${this.#database.id}' is not received: ${error?.message ?? phase}`, {
          ...(error === undefined
            ? {}
            : { hint: error.hint, details: { isRefused: refusedLogin.some((code) => code === error.code) } }),
        });
      }
    }
    return { slot: this.#slot, state: this.losses.count > 0 ? ('remade' as const) : ('present' as const) };
  }

  /** Why the receiver failed, where waiting for the next one is no answer: another cluster, or other log than ours on a copy. */
  get undecided(): HoldfastError | undefined {
    const error = this.#failure;
    return isHoldfastError(error, 'DATABASE_IDENTITY', 'OBJECT_EXISTS') ? error : undefined;
  }

  async pause(): Promise<void> {
    this.#held = true;
    await this.receiver?.pause();
  }

  async resume(): Promise<void> {
    this.#held = false;
    await this.#restore.read();
    if (!this.#restore.isApart) this.receiver?.resume();
    this.#hurry();
  }

  async stop(): Promise<void> {
    await this.#running;
    await this.#recalling;
    await this.receiver?.stop();
  }

  async #run(): Promise<void> {
    const { signal, logger } = this.#options;
    while (!signal.aborted) {
      const wasApart = this.#restore.isApart;
      try {
        await this.#restore.read();
        if (this.#restore.isApart && !wasApart)
          logger.warn({ component: this.#database.id }, 'a restore is under way: its log waits for it');
        await this.#tend();
      } catch (error) {
        logger.warn({ reason: String(error) }, 'the journal cannot be read');
      }
      this.#noteReception();
      this.#recallWhenDue();
      await sleep(lookMs, undefined, { signal: AbortSignal.any([signal, this.#wake.signal]) }).catch(() => undefined);
      if (this.#wake.signal.aborted) this.#wake = new AbortController();
    }
  }

  /** The receiver as it should be: none beside a restore, one that runs otherwise. */
  async #tend(): Promise<void> {
    const { receiver } = this;
    const failure = this.#failure;
    if (receiver !== undefined && failure === undefined) {
      const isPaused = receiver.state().phase === 'paused';
      if (this.#held || this.#restore.isApart === isPaused) return;
      if (this.#restore.isApart) await receiver.pause();
      else receiver.resume();
      return;
    }
    if (this.#held || this.#restore.isApart || performance.now() < this.#dueAt) return;
    await this.#startAnother(receiver);
  }

  async #startAnother(failed: Receiver | undefined): Promise<void> {
    const { logger } = this.#options;
    this.#dueAt = performance.now() + this.#pauseMs;
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs);
    try {
      if (failed !== undefined) {
        await failed.stop();
        this.#systemId = failed.state().systemId;
      }
      this.receiver = (await this.#start()) ?? failed;
      this.#trouble = undefined;
    } catch (thrown) {
      const error = toHoldfastError(thrown);
      this.#trouble = error;
      logger.warn(
        { code: error.code, hint: error.hint, component: this.#database.id },
        `the log cannot be received yet: ${error.message}`,
      );
    }
    this.#attempts += 1;
  }

  /** `undefined` when a restore began meanwhile. */
  async #start(): Promise<Receiver | undefined> {
    const { configuration, host, logger, memory } = this.#options;
    const vault = await this.#options.vault();
    const { id, url, dataDirectory, log } = this.#database;
    const source = { component: id, url: await resolveSecret(url) };
    if (this.#held || this.#restore.isApart) return undefined;
    return startReceiver({
      source,
      component: id,
      slot: this.#slot,
      vault,
      policy: vault.policy,
      copies: vault.copies,
      stateDirectory: stateDirectoryOf(configuration, host),
      ...(dataDirectory === undefined ? {} : { dataDirectory }),
      // Somebody waits for every byte; what comes while a piece is stored makes up the next one.
      ...(log.synchronous ? { flushEveryMs: 0 } : {}),
      ...{ logger, memory },
      mayDeclareLoss: () => !this.#restore.isSwapping && !this.#held,
      onEvent: (event) => this.#tell(event),
      // Another cluster under the same address is not followed because of a second look.
      ...(this.#systemId === undefined ? {} : { systemId: this.#systemId }),
      ...(this.#foreign === undefined ? {} : { foreign: this.#foreign }),
    });
  }

  /** Somebody asks, or something changed: no pause before the next attempt. */
  #hurry(): void {
    this.#dueAt = 0;
    this.#wake.abort();
  }

  get #slot(): string {
    return slotName(this.#options.configuration.name, this.#database.name);
  }

  /** A receiver of ours reads the slot, in another process, and lives. What cannot be told is looked at again. */
  async #isTakenByAnother(): Promise<boolean> {
    try {
      const source = { component: this.#database.id, url: await resolveSecret(this.#database.url) };
      const reader = await readerOf(source, this.#slot);
      if (reader?.name === this.#slot && (reader.silentMs ?? 0) < livesMs) return true;
    } catch (error) {
      this.#options.logger.warn({ reason: String(error) }, 'the reader of the slot cannot be told');
    }
    await sleep(1_000);
    return false;
  }

  get #failure(): HoldfastError | undefined {
    const { phase, error } = this.receiver?.state() ?? {};
    return phase === 'failed' && error !== undefined ? fromErrorData(error) : undefined;
  }

  #tell(event: ReceiverEvent): void {
    const { logger } = this.#options;
    logger.info({ component: this.#database.id, ...event }, `log: ${event.type}`);
    if (event.type === 'failed') this.#foreign = event.foreign ?? this.#foreign;
    if (event.type !== 'slot lost') return;
    this.#noteLoss(event, this.losses.count + 1);
  }

  #noteLoss({ id, at, hole }: SlotLoss, count: number): void {
    this.#lostAt = at;
    this.losses = { count, id, ...(hole === undefined ? {} : { hole: { from: hole.fromLsn, to: hole.toLsn } }) };
  }

  /** Beside everything else: the log does not wait for a copy that does not answer. */
  #recallWhenDue(): void {
    if (this.#recalling !== undefined || performance.now() < this.#recallDueAt) return;
    this.#recalling = this.#recall().finally(() => {
      this.#recalling = undefined;
    });
  }

  /** A worker may die between a loss and the look of whoever raises the alarm: the vault remembers it. */
  async #recall(): Promise<void> {
    const { logger, vault } = this.#options;
    const component = this.#database.id;
    try {
      const latest = await latestLoss(await vault(), component);
      if (latest !== undefined && latest.at > this.#lostAt) this.#noteLoss(latest, this.losses.count);
      this.#recallDueAt = performance.now() + recallEveryMs;
    } catch (error) {
      this.#recallDueAt = performance.now() + longestPauseMs;
      logger.warn({ component, error: toHoldfastError(error).message }, 'the records of lost slots cannot be read');
    }
  }

  get #isBusy(): boolean {
    return this.receiver?.state().error?.code === 'SLOT_BUSY';
  }

  #noteReception(): void {
    if (this.#isBusy) this.#wasKeptOut = true;
    else if (this.receiver?.state().phase === 'streaming') this.#wasKeptOut = false;
    const before = this.reception.outage;
    this.reception.note(this.#seen());
    if (this.reception.isSteady) {
      this.#pauseMs = firstPauseMs;
      this.#foreign = undefined;
    }
    const { outage } = this.reception;
    const { logger } = this.#options;
    const component = this.#database.id;
    if (outage !== undefined && before?.code !== outage.code) {
      logger.error({ component, ...outage }, `the log of '${component}' is not received: ${outage.message}`);
    } else if (outage === undefined && before !== undefined) {
      logger.info({ component, since: before.since }, `the log of '${component}' is received again`);
    }
  }

  #seen(): Seen {
    if (this.#held || this.#restore.isApart) return { state: 'held' };
    const state = this.receiver?.state();
    if (this.#failure !== undefined) return { state: 'silent', final: true, error: this.#trouble ?? this.#failure };
    if (state === undefined)
      return { state: 'silent', final: this.#trouble?.retryable === false, error: this.#trouble };
    if (state.phase !== 'streaming') {
      return { state: 'silent', final: false, error: state.error && fromErrorData(state.error) };
    }
    // Where a copy held other log than ours, it must have been asked again.
    const copy = state.copies.find((each) => each.copy === this.#foreign?.copy);
    const isAsked = copy === undefined || copy.durableLsn !== undefined;
    return isAsked ? { state: 'streaming' } : { state: 'silent', final: false, error: undefined };
  }
}
