// Recovery as activities and commands use it: each step takes and gives plain JSON, can be killed at any point, and done again.

import path from 'node:path';
import type { JournalPhase } from '../../domain/standalone.ts';
import { fail, toHoldfastError } from '../../errors/index.ts';
import type { Vault } from '../../vault/types.ts';
import { noChoice } from '../facts/index.ts';
import type { RecoveryProof, RestorePlan, Source } from '../types.ts';
import { readIfThere, writeDurably } from './durable-files.ts';
import { type FetchOptions, type FetchProgress, fetchBase as fetchIntoWork } from './fetch.ts';
import { type FinishedBeside, finishBeside as finishInPlace } from './finish-beside.ts';
import { type Guard, Journal, journalHead } from './journal.ts';
import { promote as promoteServer } from './promotion.ts';
import { type ChecksToRun, runChecks } from './recovered-checks.ts';
import { openRecovered, recoveredServer } from './recovered-place.ts';
import { type FollowOptions, finishStandby as followPrimary } from './standby.ts';
import { underLock } from './under-lock.ts';
import { makeWorkDirectory, pathsOf } from './work-directory.ts';

export { abandon, abandonOthers, isThrowaway } from './abandon.ts';
export { type ConfirmResult, confirmRestore } from './confirm.ts';
export type { FetchProgress } from './fetch.ts';
export { connectionString, type FinishedBeside, stopBeside, stopLeft } from './finish-beside.ts';
export {
  type Guard,
  type JournalEntry,
  type JournalHead,
  type JournalState,
  journalState,
  journalStates,
} from './journal.ts';
export type { HeaderCache } from './log-archive.ts';
export { cloneDirectory, holdfastDirectory, restorePaths } from './paths.ts';
export { type PlanRequest, planRestore, provePlanUnchanged } from './plan.ts';
export { prepareProduction } from './promotion.ts';
export { awaitTarget, type RecoverOptions, type ReplayProgress } from './recover.ts';
export { startRecovery } from './recovered-place.ts';
export { recoveredSource } from './recovered-source.ts';
export { type PositionProof, proveRecovery } from './recovery-proof.ts';
export { type Resolution, type ResolveRequest, resolveTarget } from './resolve.ts';
export { type RollbackResult, rollbackRestore } from './rollback.ts';
export { releaseStandby, reserveStandby } from './standby.ts';
export { resumeSwap, type StoppedProduction, type SwapOptions, type SwapResult, swapIn } from './swap.ts';
export { type LockWait, underLock } from './under-lock.ts';
export { refusedLogin, verifyProduction } from './verify-production.ts';
export { windows } from './windows.ts';
export { readPlan } from './work-directory.ts';

/** Makes the work directory beside the data and begins the journal. Throws `LOCKED`, `PLAN_CHANGED`, `FENCED`. */
export async function prepareWork(plan: RestorePlan, given: Guard): Promise<{ readonly workDirectory: string }> {
  const paths = pathsOf(plan);
  return underLock(paths, given, async (guard) => {
    await guard.check?.();
    await makeWorkDirectory(plan);
    await Journal.open(paths, guard, journalHead(plan));
    return { workDirectory: paths.work };
  });
}

export async function fetchBase(
  plan: RestorePlan,
  vault: Vault,
  guard: Guard,
  options: FetchOptions = {},
): Promise<FetchProgress> {
  return recorded(plan, guard, 'fetch', (lost) =>
    fetchIntoWork(plan, vault, { ...options, ...eitherOf(options.signal, lost) }),
  );
}

/** Promotes the recovered server once its position was proved. In place: call `prepareProduction` before. */
export async function promote(
  plan: RestorePlan,
  guard: Guard,
  options: { readonly signal?: AbortSignal } = {},
): Promise<{ readonly newTimeline: number }> {
  return recorded(plan, guard, 'promote', (lost) => promoteServer(plan, eitherOf(options.signal, lost)));
}

/** Every database, its catalogue, tables and indexes' roots, the facts of the backup, the user's own checks, and all of it where the plan says `deep`. Throws `CHECK_FAILED`. */
export async function checkRecovered(
  plan: RestorePlan,
  options: Pick<ChecksToRun, 'signal' | 'onStep'> = {},
): Promise<RecoveryProof['checks']> {
  const file = path.join(pathsOf(plan).work, 'checks.json');
  const before = await readIfThere(file);
  // Done again after the directory has its name, there would be nobody left to ask.
  if (before !== undefined) return JSON.parse(before) as RecoveryProof['checks'];
  await (await openRecovered(plan)).close();
  const { execution, source, resolved, facts = { withinMs: noChoice.withinMs } } = plan;
  const checks = await runChecks(recoveredServer(plan), {
    ...{ ...options, ...execution, own: execution.checks },
    facts: { was: source.facts, endLsn: resolved.endLsn, ...facts },
  });
  await writeDurably(file, `${JSON.stringify(checks)}\n`);
  return checks;
}

/** The same for a standby, which follows its primary from then on. */
export async function finishStandby(
  plan: RestorePlan,
  source: Source,
  guard: Guard,
  options: FollowOptions = {},
): Promise<FinishedBeside> {
  return recorded(plan, guard, 'finish', () => followPrimary(plan, source, options));
}

/** Beside: gives the directory its name; started where the plan says so. */
export async function finishBeside(plan: RestorePlan, guard: Guard): Promise<FinishedBeside> {
  return recorded(plan, guard, 'finish', () => finishInPlace(plan));
}

/** Somebody has decided meanwhile: a run that still goes on has nothing to build any more. */
const over: readonly JournalPhase[] = ['rolling back', 'rolled back', 'confirming', 'confirmed'];

/** Under the lock from the first line to the last: an attempt that was given up may still be writing beside its own retry. */
async function recorded<T>(
  plan: RestorePlan,
  given: Guard,
  step: string,
  work: (lost: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  const paths = pathsOf(plan);
  return underLock(paths, given, async (guard) => {
    const journal = await Journal.open(paths, guard, journalHead(plan));
    if (over.includes(journal.phase)) fail('JOURNAL_STATE', `run '${plan.run}' is ${journal.phase} already`);
    await guard.check?.();
    if (!journal.is(step, 'done')) await journal.append(step, 'begin');
    try {
      const result = await work(guard.lost);
      await guard.check?.();
      await journal.append(step, 'done');
      return result;
    } catch (error) {
      // One that lost its right has nothing to say in the journal any more.
      if (guard.lost?.aborted !== true) await journal.append(step, 'undone', { code: toHoldfastError(error).code });
      throw error;
    }
  });
}

/** One signal for every reason to leave. */
function eitherOf(...signals: readonly (AbortSignal | undefined)[]): { readonly signal?: AbortSignal } {
  const given = signals.filter((signal) => signal !== undefined);
  return given.length === 0 ? {} : { signal: AbortSignal.any(given) };
}
