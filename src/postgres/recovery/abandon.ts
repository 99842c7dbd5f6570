// A restore that is given up before its swap: what it has made is stopped and removed, also when all that tells of it is its journal.

import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { fail, toHoldfastError } from '../../errors/index.ts';
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
 * Whose each is says its own plan, or its journal; another component may be at work in the same place, and what has neither stays. What cannot be
 * removed is no reason to recover nothing: it stays, and gives a warning. Throws what `guard` does.
 */
export async function abandonOthers(own: RestorePlan, guard: Guard): Promise<readonly string[]> {
  const { dataDirectory } = own.place;
  const runs = await readdir(path.join(holdfastDirectory(dataDirectory), 'runs')).catch(ifAbsent([]));
  const warnings: string[] = [];
  for (const other of runs.filter((name) => name !== own.run)) {
    try {
      await abandonOther(own, other, guard);
    } catch (error) {
      await guard.check?.();
      const { work } = restorePaths(dataDirectory, other);
      const { message, hint } = toHoldfastError(error);
      warnings.push(`what run '${other}' left in '${work}' stays: ${message}${hint === undefined ? '' : ` (${hint})`}`);
    }
  }
  return warnings;
}

async function abandonOther({ estate, component, place }: RestorePlan, other: string, guard: Guard): Promise<void> {
  const { dataDirectory } = place;
  const paths = restorePaths(dataDirectory, other);
  const plan = await readPlan(paths);
  const head = plan ? journalHead(plan) : (await journalState(dataDirectory, other))?.head;
  if (head?.throwaway !== true || head.estate !== estate || head.component !== component) return;
  await underLock(paths, guard, async (held) => {
    await held.check?.();
    // Without a lease each run counts by itself: a higher number in a journal is of nobody who is newer.
    const { token = 0 } = (await journalState(dataDirectory, other)) ?? {};
    await abandon(dataDirectory, other, { ...held, token: Math.max(held.token, token) });
  });
}

export function isThrowaway({ place }: Pick<RestorePlan, 'place'>): boolean {
  return place.mode === 'beside' && place.throwaway === true;
}
