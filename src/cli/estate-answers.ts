// Questions that can be answered through Temporal or, when it cannot be reached, by this host itself; the answer says which way it came.

import type { HoldfastClient, HostService } from '../domain/client.ts';
import { type ErrorData, fail, HoldfastError, isHoldfastError, toHoldfastError } from '../errors/index.ts';
import type { Context } from './context.ts';
import type { Result } from './result.ts';

export interface Answer<Value> {
  readonly value: Value;
  readonly temporal: NonNullable<Result['temporal']>;
}

/** A worker, or Temporal, that is there answers sooner; a worker that was killed is still listed as listening for minutes. */
const patienceMs = 5_000;

export interface AskOptions {
  /**
   * False for what must not be done twice, or what the vault knows only in part: the way through Temporal is waited for until it ends, and
   * whoever waits is told so.
   */
  readonly mayAskBoth?: boolean;
}

/**
 * Asks through Temporal first, because the host with the keys is often another one. Without Temporal, without a worker on the host, or when
 * that takes longer than a few seconds, the vault is read from here too, and the first answer counts; when that fails as well the
 * first error is thrown, with the second one in its hint.
 */
export async function answerFrom<Value>(
  context: Context,
  viaTemporal: (client: HoldfastClient) => Promise<Value>,
  viaHost: (host: HostService) => Promise<Value>,
  { mayAskBoth = true }: AskOptions = {},
): Promise<Answer<Value>> {
  const own = async () => viaHost(await context.host());
  if (context.options.standalone) return { value: await own(), temporal: { state: 'not asked' } };
  const connected = context.client();
  const asked = connected.then(async (client): Promise<Answer<Value>> => {
    return { value: await viaTemporal(client), temporal: { state: 'reachable' } };
  });
  if (!mayAskBoth) void noteWhenLate(context, asked, connected);
  try {
    const soon = mayAskBoth ? await Promise.race([asked, laterThan(patienceMs)]) : await asked;
    if (soon !== undefined) return soon;
    return await eitherAnswer(
      asked,
      own().then(async (value) => ({ value, temporal: await whatIsLate(connected) })),
    );
  } catch (error) {
    if (!isHoldfastError(error, 'TEMPORAL_UNREACHABLE', 'NO_WORKER')) throw error;
    return await answerAlone(error, own);
  }
}

async function answerAlone<Value>(error: HoldfastError, own: () => Promise<Value>): Promise<Answer<Value>> {
  const state = error.code === 'NO_WORKER' ? 'reachable' : 'unreachable';
  try {
    return { value: await own(), temporal: { state, error: error.toJSON() } };
  } catch (second) {
    throw bothFailed(error, second);
  }
}

function bothFailed(error: HoldfastError, second: unknown): HoldfastError {
  const own = toHoldfastError(second);
  return new HoldfastError(error.code, error.message, {
    hint: `${error.hint}; this host could not answer by itself either: ${own.message}`,
    cause: second,
    details: { ...error.details, host: own.toJSON() },
  });
}

/** The first that answers; an error of ours counts only when the other way fails too. */
async function eitherAnswer<Value>(asked: Promise<Answer<Value>>, own: Promise<Answer<Value>>): Promise<Answer<Value>> {
  try {
    return await Promise.any([asked, own]);
  } catch {
    const [viaTemporal, alone] = await Promise.allSettled([asked, own]);
    const first: unknown = viaTemporal.status === 'rejected' ? viaTemporal.reason : undefined;
    const second: unknown = alone.status === 'rejected' ? alone.reason : undefined;
    throw isHoldfastError(first, 'TEMPORAL_UNREACHABLE', 'NO_WORKER') ? bothFailed(first, second) : first;
  }
}

async function laterThan(ms: number): Promise<undefined> {
  await new Promise((resolve) => setTimeout(resolve, ms).unref());
  return undefined;
}

/** Once, and only while there is no answer. */
async function noteWhenLate(context: Context, asked: Promise<unknown>, connected: Promise<unknown>): Promise<void> {
  const ended = asked.then(
    () => 'ended',
    () => 'ended',
  );
  if ((await Promise.race([ended, laterThan(patienceMs)])) === 'ended') return;
  const { state, error } = await whatIsLate(connected);
  const why = state === 'reachable' ? ': it may be at work, or was killed and is known as listening for minutes' : '';
  context.note(`note: ${error?.message}; the answer is waited for${why}`);
}

/** The worker, or Temporal itself: a connection to a server that hangs is given up later than we are patient. */
async function whatIsLate(connected: Promise<unknown>): Promise<Answer<unknown>['temporal']> {
  try {
    await inTime('Temporal', connected, 0);
  } catch (error) {
    return { state: 'unreachable', error: toHoldfastError(error).toJSON() };
  }
  const waitedSeconds = patienceMs / 1000;
  const late = new HoldfastError('NO_WORKER', `no worker answered within ${waitedSeconds} s`, {
    details: { waitedSeconds },
  });
  return { state: 'reachable', error: late.toJSON() };
}

/** Rejects with `TEMPORAL_UNREACHABLE` when nothing came in time (default: as long as we are patient). */
export async function inTime<Value>(who: string, asked: Promise<Value>, ms = patienceMs): Promise<Value> {
  const late = Symbol('late');
  const first = await Promise.race([asked, laterThan(ms).then(() => late)]);
  if (first !== late) return first as Value;
  const message = `${who} did not answer within ${patienceMs / 1000} s`;
  return fail('TEMPORAL_UNREACHABLE', message, { hint: 'is it overloaded, or is something else at its address?' });
}

/** For those who look for runs: what only Temporal could have said. */
export function openRunsUnknown({ state, error }: Answer<unknown>['temporal']): readonly string[] {
  if (state === 'not asked') return ['runs that are under way are not known: they are asked of Temporal alone'];
  return error === undefined ? [] : [`runs that are under way are not known: ${error.message}`];
}

/** What is said when an answer came from this host though Temporal is there. */
export function askedHere({ state, error }: Answer<unknown>['temporal']): ErrorData | undefined {
  return state === 'reachable' ? error : undefined;
}
