// Every call of an activity: with a retry policy, a wall-clock ceiling, heartbeats, a waited-for cancellation, and a dead host noticed in words.

import { ActivityCancellationType, type ActivityOptions, scheduleActivity } from '@temporalio/workflow';
import type { AllHostActivities, RunActivities } from '../../activities/contract.ts';
import { taskQueues } from '../../src/domain/ids.ts';
import { catalogue, type ErrorCode, HoldfastError } from '../../src/errors/index.ts';
import { isNotStarted } from './failure.ts';

type Activity = (request: never) => Promise<unknown>;

/** `summary` is what the UI shows beside the activity. */
export type Calls<Activities> = {
  readonly [Name in keyof Activities]: Activities[Name] extends (request: infer Request) => Promise<infer Result>
    ? (request: Request, summary?: string) => Promise<Result>
    : never;
};

interface Limits {
  /** One attempt never lasts longer: a hung task must not hang everything after it. */
  readonly ceiling: string;
  readonly attempts: number;
  /** How long a queue nobody listens on is waited for; the run says so meanwhile. */
  readonly patienceMs: number;
  /** Another that is at the same place is no reason to try again a moment later: the run itself waits for it. */
  readonly tellsLocked?: true;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

const limits = {
  /** Small and quick, and a person waits for the answer. */
  question: { ceiling: '5 minutes', attempts: 3, patienceMs: minuteMs },
  /** The first look, before anything is touched: better refused than late. */
  first: { ceiling: '30 minutes', attempts: 5, patienceMs: 5 * minuteMs },
  /** A look at trees of files: whole trees are read, of the snapshot and of the disk, more than once; what is too slow once is too slow each time. */
  survey: { ceiling: '12 hours', attempts: 5, patienceMs: 5 * minuteMs },
  /** Work that comes before that look: as soon refused when nobody is there, but it may take long. */
  begin: { ceiling: '24 hours', attempts: 5, patienceMs: 5 * minuteMs },
  alone: { ceiling: '24 hours', attempts: 5, patienceMs: 5 * minuteMs, tellsLocked: true },
  /** Bulk work; outages of stores and restarts of workers are sat out. */
  work: { ceiling: '24 hours', attempts: 40, patienceMs: 6 * hourMs },
  /** Recovery: its engine waits through outages by itself, so an error that keeps coming back is final. */
  recover: { ceiling: '24 hours', attempts: 10, patienceMs: 6 * hourMs },
  /** One supervision of the log; it returns by itself long before. */
  ship: { ceiling: '2 hours', attempts: 0, patienceMs: 30 * 24 * hourMs },
  /** Waits for a copy that is away for as long as it takes. */
  patient: { ceiling: '24 hours', attempts: 0, patienceMs: 30 * 24 * hourMs },
  /** A recovery is half done without it: it is tried for a day before the run is called stuck. */
  undo: { ceiling: '2 hours', attempts: 60, patienceMs: 24 * hourMs },
} as const satisfies Record<string, Limits>;

const locked: ErrorCode = 'LOCKED';
/** Codes that trying again cannot help. */
const hopeless = Object.entries(catalogue)
  .filter(([, entry]) => !entry.retryable)
  .map(([code]) => code);

/** A lost worker is noticed after this long; the activity runner heartbeats every few seconds. */
const heartbeatTimeout = '30 seconds';
const firstNoticeMs = minuteMs;
const lastNoticeMs = 30 * minuteMs;

function options(
  queue: string,
  limit: Limits,
  scheduleToStartMs: number,
  summary: string | undefined,
): ActivityOptions {
  return {
    taskQueue: queue,
    startToCloseTimeout: limit.ceiling as '5 minutes',
    scheduleToStartTimeout: scheduleToStartMs,
    heartbeatTimeout,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: {
      initialInterval: '1 second',
      backoffCoefficient: 2,
      maximumInterval: '30 seconds',
      ...(limit.attempts > 0 ? { maximumAttempts: limit.attempts } : {}),
      nonRetryableErrorTypes: limit.tellsLocked ? [...hopeless, locked] : hopeless,
    },
    ...(summary === undefined ? {} : { summary }),
  };
}

/** Told what a run waits for while nobody listens on a queue, and `undefined` when it is over. */
export type OnWaiting = (words: string | undefined) => void;

async function call(queue: string, name: string, request: unknown, limit: Limits, on: OnWaiting, summary?: string) {
  let waitedMs = 0;
  for (let noticeMs = firstNoticeMs; ; noticeMs = Math.min(noticeMs * 2, lastNoticeMs)) {
    const patienceMs = Math.min(noticeMs, limit.patienceMs - waitedMs);
    try {
      const result = await scheduleActivity<unknown>(name, [request], options(queue, limit, patienceMs, summary));
      if (waitedMs > 0) on(undefined);
      return result;
    } catch (error) {
      if (!isNotStarted(error)) throw error;
      waitedMs += patienceMs;
      if (waitedMs >= limit.patienceMs) throw nobodyTookIt(queue);
      const at = new Date().toISOString().slice(11, 16);
      on(`at ${at} UTC no worker had taken it from '${queue}': ${takenHint}; the run waits for it`);
    }
  }
}

/** Nobody listens, or somebody of another version does, or all that he does at once is taken: from here it looks the same. */
const takenHint =
  'start `holdfast worker` on its host; where one runs, it is of an earlier version or has no place left';

function nobodyTookIt(queue: string): HoldfastError {
  return new HoldfastError('NO_WORKER', `no worker took it from '${queue}'`, { hint: takenHint });
}

function calls<Activities>(queue: string, limit: Limits, on: OnWaiting): Calls<Activities> {
  const proxied = new Proxy({} as Record<string, Activity>, {
    get: (_target, name) => (request: unknown, summary?: string) =>
      call(queue, String(name), request, limit, on, summary),
  });
  return proxied as unknown as Calls<Activities>;
}

/** The queue of the estate. */
export function controlCalls(estate: string, on: OnWaiting): Calls<RunActivities> {
  return calls(taskQueues.control(estate), limits.first, on);
}

/** The same for what takes as long as it takes: waiting for another run, writing down an alarm. */
export function patientControlCalls(estate: string, on: OnWaiting): Calls<RunActivities> {
  return calls(taskQueues.control(estate), limits.patient, on);
}

export interface HostCalls {
  readonly ship: Calls<AllHostActivities>;
  readonly work: Calls<AllHostActivities>;
  readonly recover: Calls<AllHostActivities>;
  readonly undo: Calls<AllHostActivities>;
  /** First look on the `work` and on the `recover` queue: soon refused when nobody is there. */
  readonly look: Calls<AllHostActivities>;
  readonly begin: Calls<AllHostActivities>;
  /** As `begin`, over a line to another host. */
  readonly sync: Calls<AllHostActivities>;
  /** The same for a run that waits for others by itself. */
  readonly syncAlone: Calls<AllHostActivities>;
  readonly plan: Calls<AllHostActivities>;
  /** As `plan`, where whole trees of files are read for it: of a recovery that has begun, and for whoever only asks, behind whom no recovery waits. */
  readonly planTrees: Calls<AllHostActivities>;
  readonly survey: Calls<AllHostActivities>;
  readonly ask: Calls<AllHostActivities>;
  readonly patient: Calls<AllHostActivities>;
}

/** The queues of one host. Questions travel on `ship`, whose slots are never taken by bulk work. */
export function hostCalls(estate: string, host: string, on: OnWaiting): HostCalls {
  const ship = taskQueues.ship(estate, host);
  const work = taskQueues.work(estate, host);
  const sync = taskQueues.sync(estate, host);
  const recover = taskQueues.recover(estate, host);
  return {
    ship: calls(ship, limits.ship, on),
    work: calls(work, limits.work, on),
    recover: calls(recover, limits.recover, on),
    undo: calls(recover, limits.undo, on),
    look: calls(work, limits.first, on),
    begin: calls(work, limits.begin, on),
    sync: calls(sync, limits.begin, on),
    syncAlone: calls(sync, limits.alone, on),
    plan: calls(recover, limits.first, on),
    planTrees: calls(recover, limits.survey, on),
    survey: calls(taskQueues.survey(estate, host), limits.survey, on),
    ask: calls(ship, limits.question, on),
    patient: calls(work, limits.patient, on),
  };
}
