// A question to one host, as a small workflow that ends one way or the other: soon, or, where whole trees are read, no later than whoever asks is gone.

import { ApplicationFailure, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import type { Configuration } from '../../config/index.ts';
import { taskQueues } from '../domain/ids.ts';
import { type Asker, messages } from '../domain/operations.ts';
import { fail, HoldfastError, isHoldfastError } from '../errors/index.ts';
import type { Connected } from './connection.ts';
import { fromApplicationFailure } from './run-status.ts';
import { requireHostWorker, requireWorker } from './workers-present.ts';

export interface Questioner extends Connected {
  readonly configuration: Configuration;
  readonly newId: () => string;
  /** Aborted when nobody waits for answers any more. */
  readonly closing: AbortSignal;
  /** Given what is to be done before the connection may be closed. */
  readonly onLeaving: (done: Promise<unknown>) => void;
  /** Default: said every 30 s, and missed after two minutes. */
  readonly asking?: { readonly sayEveryMs: number } & Asker;
  /** Whether the worker still listens: looked at every 10 s by default, and missed as `requireWorker` says, in every look of a minute. */
  readonly listening?: { readonly lookEveryMs: number; readonly missedForMs: number; readonly heardWithinMs?: number };
}

interface Limit {
  readonly within: string;
  /** Reads whole trees, in a place of its own: it goes on only while somebody says that the answer is wanted. */
  readonly whileAsked?: true;
}

/** A plan reads log, a check waits for a segment on every copy; the others are quick. */
const limits: Readonly<Record<string, Limit>> = {
  planRestore: { within: '30 minutes' },
  checkComponent: { within: '10 minutes' },
  planRedis: { within: '5 minutes' },
  planFiles: { within: '12 hours', whileAsked: true },
  findFiles: { within: '12 hours', whileAsked: true },
  diffFiles: { within: '12 hours', whileAsked: true },
  diffConfiguration: { within: '30 minutes' },
  stopRecovered: { within: '5 minutes' },
  // Whoever asks can often read the vault by himself when nobody answers, and waits in silence until then.
  describeEstate: { within: '1 minute' },
};

/** A history of twelve hours stays far below its limit, and a connection that is made again is no absence. */
const ASKING = { sayEveryMs: 30_000, heardWithinSeconds: 120 } as const;

/** A server that was started again knows nobody, until those who listen ask it anew. */
const LISTENING: NonNullable<Questioner['listening']> = { lookEveryMs: 10_000, missedForMs: 60_000 };

/** Throws what the host threw, or `NO_WORKER`: at once, or when a worker that was just killed is no longer known as listening. */
export async function askHosts<T>(questions: Questioner, type: string, host: string, input: object): Promise<T> {
  const { client, configuration, newId, asking = ASKING, listening = LISTENING } = questions;
  const taskQueue = taskQueues.control(configuration.name);
  const { within, whileAsked } = limits[type] ?? { within: '3 minutes' };
  const estate = configuration.name;
  const queue = whileAsked && { queue: taskQueues.survey(estate, host) };
  const requireBoth = async (heardWithinMs?: number) => {
    await requireWorker(questions, taskQueue, 'workflow', heardWithinMs);
    await requireHostWorker(questions, { estate, host, ...queue }, heardWithinMs);
  };
  await requireBoth();
  const asker: Asker = { heardWithinSeconds: asking.heardWithinSeconds };
  const handle = await client.workflow.start(type, {
    taskQueue,
    workflowId: newId(),
    args: whileAsked ? [input, asker] : [input],
    workflowRunTimeout: within as '3 minutes',
    staticSummary: `a question to ${host}`,
  });
  const stop = whileAsked ? sayStillAsked(questions, handle, asking.sayEveryMs) : () => undefined;
  const watch = watchWorkers(() => requireBoth(listening.heardWithinMs), listening);
  try {
    return (await Promise.race([handle.result(), watch.gone])) as T;
  } catch (error) {
    // Nothing begins by surprise when a worker is back.
    if (isHoldfastError(error, 'NO_WORKER')) await handle.terminate('nobody waits for it').catch(() => undefined);
    if (!(error instanceof WorkflowFailedError)) throw error;
    if (error.cause instanceof ApplicationFailure) throw notKnownThere(fromApplicationFailure(error.cause), host);
    return fail('NO_WORKER', `host '${host}' did not answer in time`, {
      details: queue || { queue: taskQueues.ship(estate, host) },
    });
  } finally {
    stop();
    watch.stop();
  }
}

/** `gone` rejects with `NO_WORKER` once `look` has thrown that for long enough; a look that fails otherwise says nothing. */
function watchWorkers(
  look: () => Promise<void>,
  { lookEveryMs, missedForMs }: NonNullable<Questioner['listening']>,
): { readonly gone: Promise<never>; stop(): void } {
  const { promise: gone, reject } = Promise.withResolvers<never>();
  gone.catch(() => undefined);
  let missedAt: number | undefined;
  let isLooking = false;
  const found = () => {
    missedAt = undefined;
  };
  const refuse = (error: unknown) => {
    if (!isHoldfastError(error, 'NO_WORKER')) return;
    missedAt ??= performance.now();
    if (performance.now() - missedAt < missedForMs) return;
    const { message, details } = error;
    const says = new HoldfastError('NO_WORKER', `the worker stopped while it was asked: ${message}`, {
      cause: error,
      ...(details === undefined ? {} : { details }),
    });
    reject(says);
  };
  const timer = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    void look()
      .then(found, refuse)
      .finally(() => {
        isLooking = false;
      });
  }, lookEveryMs);
  return { gone, stop: () => clearInterval(timer) };
}

/** Who asks has found the component in the configuration that was read here. */
function notKnownThere(error: HoldfastError, host: string): HoldfastError {
  if (error.code !== 'UNKNOWN_COMPONENT') return error;
  return new HoldfastError(
    'CONFIG_MISMATCH',
    `the worker of host '${host}' has another configuration: ${error.message}`,
    {
      cause: error,
    },
  );
}

/** Until it is stopped; whoever leaves before there is an answer says so, and whoever cannot say it any more is missed. */
function sayStillAsked(
  { closing, onLeaving }: Pick<Questioner, 'closing' | 'onLeaving'>,
  handle: WorkflowHandle,
  everyMs: number,
): () => void {
  const say = setInterval(() => void handle.signal(messages.stillAsked).catch(() => undefined), everyMs);
  const leave = () => onLeaving(handle.cancel().catch(() => undefined));
  closing.addEventListener('abort', leave, { once: true });
  return () => {
    clearInterval(say);
    closing.removeEventListener('abort', leave);
  };
}
