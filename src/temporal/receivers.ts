// The receivers of a host's log: started with the worker, tried again for ever, held back while a restore swaps the data beneath them.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Receivers } from '../../activities/lib/host-services.ts';
import { type Configuration, type DatabaseSettings, resolveSecret, stateDirectoryOf } from '../../config/index.ts';
import type { ComponentId } from '../domain/component.ts';
import { slotName } from '../domain/ids.ts';
import { fail, toHoldfastError } from '../errors/index.ts';
import { type Receiver, type ReceiverEvent, startReceiver } from '../postgres/receiver/index.ts';
import { type JournalState, journalStates, refusedLogin } from '../postgres/recovery/index.ts';
import { requireLog, type Vault } from '../vault/index.ts';

export interface ReceiversOptions {
  readonly configuration: Configuration;
  readonly host: string;
  readonly vault: () => Promise<Vault>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export interface RunningReceivers extends Receivers {
  stop(): Promise<void>;
}

const firstPauseMs = 1_000;
const longestPauseMs = 15_000;
const journalLookMs = 2_000;
const streamingWithinMs = 5 * 60_000;

export function createReceivers(options: ReceiversOptions): RunningReceivers {
  const own = Object.values(options.configuration.database).filter(({ host }) => host === options.host);
  const kept = new Map<ComponentId, Keeper>(own.map((database) => [database.id, new Keeper(options, database)]));
  const find = (component: ComponentId) =>
    kept.get(component) ?? fail('UNKNOWN_COMPONENT', `'${component}' is not on host '${options.host}'`);
  return {
    ensure: (component, signal) => find(component).ensure(signal),
    state: (component) => find(component).receiver?.state(),
    losses: (component) => find(component).losses,
    waitForLog: async (component, copy, timeline, from, to, signal) => {
      const receiver = await find(component).started(signal);
      await receiver.waitFor(copy, timeline, to, signal);
      // A cursor that jumped over a hole, or began behind `from`, has reached `to` as well.
      const { systemId = '' } = receiver.state();
      await requireLog((await options.vault()).log(component, systemId, copy), timeline, from, to);
    },
    drain: async (component, timeline, to, signal) =>
      (await find(component).started(signal)).waitFor('policy', timeline, to, signal),
    pause: (component) => find(component).pause(),
    resume: (component) => find(component).resume(),
    stop: async () => {
      await Promise.allSettled([...kept.values()].map((keeper) => keeper.stop()));
    },
  };
}

class Keeper {
  receiver: Receiver | undefined;
  losses: ReturnType<Receivers['losses']> = { count: 0 };
  readonly #options: ReceiversOptions;
  readonly #database: DatabaseSettings;
  readonly #running: Promise<void>;
  /** A restore is replacing the data: only it may say that log is lost. */
  #swapping = false;
  /** It is past the last log of the old server: whatever answers now is not to be followed yet. */
  #apart = false;
  #held = false;

  constructor(options: ReceiversOptions, database: DatabaseSettings) {
    this.#options = options;
    this.#database = database;
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

  async ensure(signal?: AbortSignal) {
    const receiver = await this.started(signal);
    const slot = slotName(this.#options.configuration.name, this.#database.name);
    for (const giveUpAt = Date.now() + streamingWithinMs; ; await sleep(200)) {
      signal?.throwIfAborted();
      const { phase, error } = receiver.state();
      if (phase === 'streaming') break;
      if (phase === 'failed' || Date.now() > giveUpAt) {
        fail('SLOT_BUSY', `the log of '${this.#database.id}' is not received: ${error?.message ?? phase}`, {
          ...(error === undefined
            ? {}
            : { hint: error.hint, details: { isRefused: refusedLogin.some((code) => code === error.code) } }),
        });
      }
    }
    return { slot, state: this.losses.count > 0 ? ('remade' as const) : ('present' as const) };
  }

  async pause(): Promise<void> {
    this.#held = true;
    await this.receiver?.pause();
  }

  async resume(): Promise<void> {
    this.#held = false;
    await this.#readJournal();
    if (!this.#apart) this.receiver?.resume();
  }

  async stop(): Promise<void> {
    await this.#running;
    await this.receiver?.stop();
  }

  async #run(): Promise<void> {
    const { signal, logger } = this.#options;
    for (let pauseMs = firstPauseMs; !signal.aborted && this.receiver === undefined; ) {
      try {
        await this.#readJournal();
        if (this.#apart) logger.warn({ component: this.#database.id }, 'a restore is under way: its log waits for it');
        else this.receiver = await this.#start();
      } catch (error) {
        const { code, message, hint } = toHoldfastError(error);
        logger.warn({ code, hint, component: this.#database.id }, `the log cannot be received yet: ${message}`);
      }
      if (this.receiver === undefined) await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    }
    while (!signal.aborted) {
      await sleep(journalLookMs, undefined, { signal }).catch(() => undefined);
      await this.#followJournal().catch((error) =>
        logger.warn({ reason: String(error) }, 'the journal cannot be read'),
      );
    }
  }

  async #start(): Promise<Receiver> {
    const { configuration, host, logger } = this.#options;
    const vault = await this.#options.vault();
    const { id, name, url } = this.#database;
    return startReceiver({
      source: { component: id, url: await resolveSecret(url) },
      component: id,
      slot: slotName(configuration.name, name),
      vault,
      policy: vault.policy,
      copies: vault.copies,
      stateDirectory: stateDirectoryOf(configuration, host),
      logger,
      mayDeclareLoss: () => !this.#swapping && !this.#held,
      onEvent: (event) => this.#tell(event),
    });
  }

  #tell(event: ReceiverEvent): void {
    const { logger } = this.#options;
    logger.info({ component: this.#database.id, ...event }, `log: ${event.type}`);
    if (event.type !== 'slot lost') return;
    const hole = event.hole && { from: event.hole.fromLsn, to: event.hole.toLsn };
    this.losses = {
      count: this.losses.count + 1,
      id: new Date().toISOString(),
      ...(hole === undefined ? {} : { hole }),
    };
  }

  /** Another process may finish or roll back a restore (a person with the journal): the journal is the truth, not our memory. */
  async #followJournal(): Promise<void> {
    const was = this.#apart;
    await this.#readJournal();
    if (this.#held || this.#apart === was) return;
    if (this.#apart) await this.receiver?.pause();
    else this.receiver?.resume();
  }

  async #readJournal(): Promise<void> {
    const { dataDirectory } = this.#database;
    if (dataDirectory === undefined) return;
    const states = await journalStates(dataDirectory);
    const open = states.filter(({ phase }) => phase === 'swapping' || phase === 'rolling back');
    this.#swapping = open.length > 0;
    this.#apart = open.some((state) => !isShipping(state));
  }
}

/** Up to here a swap needs the receiver: a server that stops waits for it, and its last log must reach the copies. */
const shippingSteps = ['swap', 'close recovered', 'stop production'];

function isShipping({ phase, lastStep: { step, state } }: JournalState): boolean {
  return phase === 'swapping' && (shippingSteps.includes(step) || (step === 'ship log' && state === 'begin'));
}
