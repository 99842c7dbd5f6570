// Goes on with a restore in place whose run has ended, from where its journal is: what was built is kept, the rest is done.

import type { Logger } from 'pino';
import { fail } from '../errors/index.ts';
import {
  awaitTarget,
  checkRecovered,
  fetchBase,
  journalState,
  prepareProduction,
  prepareWork,
  promote,
  proveRecovery,
  readPlan,
  restorePaths,
  resumeSwap,
  type SwapOptions,
  type SwapResult,
  swapIn,
} from '../postgres/recovery/index.ts';
import type { RestorePlan } from '../postgres/types.ts';
import type { Vault } from '../vault/types.ts';

export interface ResumeOptions extends SwapOptions {
  readonly logger: Logger;
  /** Asked only where the base backup or log are not all fetched yet. */
  vault(): Promise<Vault>;
  /** Told what is done, for what has no line in the journal. */
  onNote(words: string): void;
}

/**
 * From the journal and the plan beside the data. Done again after any failure it goes on from there. Throws `JOURNAL_STATE` when
 * the restore was ended one way or the other, or its plan is not there any more.
 */
export async function resumeRestore(
  dataDirectory: string,
  run: string,
  options: ResumeOptions,
): Promise<SwapResult & { readonly plan?: RestorePlan }> {
  const phase = (await journalState(dataDirectory, run))?.phase;
  const plan = await readPlan(restorePaths(dataDirectory, run));
  if (phase !== 'preparing') {
    const swapped = await resumeSwap(dataDirectory, run, options);
    return plan === undefined ? swapped : { ...swapped, plan };
  }
  if (plan === undefined) {
    fail('JOURNAL_STATE', `the plan of run '${run}' is not beside the data any more`, {
      hint: 'production was not touched: start the restore again',
    });
  }
  await build(plan, options);
  return { ...(await swapIn(plan, options)), plan };
}

/** In the order of the workflow; each step knows by itself whether it was done. */
async function build(plan: RestorePlan, options: ResumeOptions): Promise<void> {
  const { vault, logger, onNote, lost } = options;
  const signal = lost === undefined ? {} : { signal: lost };
  await prepareWork(plan, options);
  await fetchBase(plan, await vault(), options, signal);
  onNote(`recover: replaying the log to ${plan.resolved.endLsn}`);
  await awaitTarget(plan, await vault(), { logger, ...signal });
  onNote('prove: comparing the position with the plan');
  await proveRecovery(plan);
  await prepareProduction(plan);
  await promote(plan, options, signal);
  onNote('check: catalogues and own checks');
  await checkRecovered(plan);
}
