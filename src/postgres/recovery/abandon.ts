// A restore that is given up before its swap: what it has made is stopped and removed, also when all that tells of it is its journal.

import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../errors/index.ts';
import type { Place, RestorePlan } from '../types.ts';
import { exists, ifAbsent } from './durable-files.ts';
import { takeBackBeside } from './finish-beside.ts';
import { type Guard, Journal, type JournalHead, journalHead, journalState } from './journal.ts';
import { holdfastDirectory, type RestorePaths, restorePaths } from './paths.ts';
import { stopServer } from './recovery-server.ts';
import { underLock } from './under-lock.ts';
import { readPlan, removeWorkDirectory } from './work-directory.ts';

/** What a run has made there. */
type Made = Pick<RestorePlan, 'run' | 'place' | 'execution'>;

/**
 * Undoes everything up to the swap: stops the recovered server, removes the work directory. By the plan beside the data, where that is gone by the
 * first line of the journal, where that is gone too by the plan that is `known`; what none of them says to be of the run stays. Idempotent. Throws
 * `JOURNAL_STATE` once a swap was begun (roll back instead), or the restored directory has its name.
 */
export async function abandon(dataDirectory: string, run: string, given: Guard, known?: RestorePlan): Promise<void> {
  const paths = restorePaths(dataDirectory, run);
  await underLock(paths, given, async (guard) => {
    const plan = (await readPlan(paths)) ?? ((await exists(paths.work)) ? known : undefined);
    const head = (await journalState(dataDirectory, run))?.head;
    const made = plan ?? (head && madeBy(head, paths));
    if (made === undefined) return;
    const journal = await Journal.open(paths, guard, plan && journalHead(plan));
    if (!['preparing', 'rolled back', 'abandoned'].includes(journal.phase)) {
      fail('JOURNAL_STATE', `run '${run}' is ${journal.phase}: it cannot simply be abandoned`);
    }
    if (journal.phase !== 'preparing' && !(await exists(paths.work))) return;
    await guard.check?.();
    const { binDirectory, runAs } = made.execution;
    await stopServer({ binDirectory, dataDirectory: paths.data, ...(runAs === undefined ? {} : { runAs }) });
    if (made.place.mode === 'beside') await takeBackBeside(made);
    await removeWorkDirectory(made);
    await journal.append('abandon', 'done');
  });
}

/** Throws `JOURNAL_STATE` for a journal that was brought here from elsewhere: what it says is not of this directory. */
function madeBy(head: JournalHead, paths: RestorePaths): Made {
  const { run, mode, dataDirectory, workDirectory, execution, keepOldAt = '', throwaway } = head;
  if (workDirectory !== paths.work) {
    fail('JOURNAL_STATE', `'${paths.journal}' is of a run in '${workDirectory}'`, {
      hint: `look whether a server runs on '${paths.data}', and remove '${paths.work}' by hand`,
    });
  }
  const place: Place =
    mode === 'in place'
      ? { mode, dataDirectory, keepOldAt }
      : { mode, dataDirectory, start: false, ...(throwaway && { throwaway }) };
  return { run, place, execution };
}

/**
 * Abandons every other throwaway server of the same component in this place: one run of it is at work at a time, and the others were ended from outside.
 * Whose each is says its own plan, or its journal; another component may be at work in the same place, and what has neither stays.
 */
export async function abandonOthers({ run, estate, component, place }: RestorePlan, guard: Guard): Promise<void> {
  const { dataDirectory } = place;
  const runs = await readdir(path.join(holdfastDirectory(dataDirectory), 'runs')).catch(ifAbsent([]));
  for (const other of runs.filter((name) => name !== run)) {
    const plan = await readPlan(restorePaths(dataDirectory, other));
    const head = plan ? journalHead(plan) : (await journalState(dataDirectory, other))?.head;
    const isOurs = head?.throwaway === true && head.estate === estate && head.component === component;
    if (isOurs) await abandon(dataDirectory, other, guard);
  }
}

export function isThrowaway({ place }: Pick<RestorePlan, 'place'>): boolean {
  return place.mode === 'beside' && place.throwaway === true;
}
