// The work directory of one run beside the data: made, marked with its plan, found again, removed.

import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../errors/index.ts';
import { findUser } from '../../process/index.ts';
import type { RestorePlan } from '../types.ts';
import { exists, makeDirectory, ownerFor, readIfThere, syncDirectory, writeDurably } from './durable-files.ts';
import { removePlaces } from './linked-places.ts';
import { type RestorePaths, restorePaths } from './paths.ts';

export function pathsOf({ place, run }: Pick<RestorePlan, 'place' | 'run'>): RestorePaths {
  return restorePaths(place.dataDirectory, run);
}

/** Makes the work directory and puts the plan in it. Done again for the same plan it changes nothing; for another it throws `PLAN_CHANGED`. */
export async function makeWorkDirectory(plan: RestorePlan): Promise<RestorePaths> {
  const paths = pathsOf(plan);
  const { runAs } = plan.execution;
  if (runAs !== undefined) await findUser(runAs);
  const owner = await ownerFor(runAs);
  await makeDirectory(paths.root, 0o711);
  await makeDirectory(path.dirname(paths.journal), 0o700);
  await makeDirectory(paths.work, 0o711);
  await makeDirectory(paths.quarantine, 0o700, owner);
  await makeDirectory(paths.spool, 0o700, owner);
  await makeDirectory(paths.aside, 0o700);
  const before = await readPlan(paths);
  if (before === undefined) await writeDurably(paths.plan, `${JSON.stringify(plan, undefined, 1)}\n`);
  else if (before.digest !== plan.digest || before.resolved.endLsn !== plan.resolved.endLsn) {
    fail('PLAN_CHANGED', `'${paths.work}' was made for another plan`, {
      hint: 'abandon that run first, then plan again',
    });
  }
  for (const directory of [path.dirname(paths.root), paths.root, paths.work]) await syncDirectory(directory);
  return paths;
}

export async function readPlan(paths: Pick<RestorePaths, 'plan'>): Promise<RestorePlan | undefined> {
  const text = await readIfThere(paths.plan);
  return text === undefined ? undefined : (JSON.parse(text) as RestorePlan);
}

/** Removes what this run made beside the data, never the data itself; the journal stays. */
export async function removeWorkDirectory(restore: Pick<RestorePlan, 'run' | 'place' | 'execution'>): Promise<void> {
  const { root, work, socket, plan } = pathsOf(restore);
  if (path.dirname(work) !== path.join(root, 'runs')) fail('INTERNAL', `'${work}' is no work directory`);
  if (!socket.startsWith(work)) await rm(socket, { recursive: true, force: true });
  await removePlaces(restore.execution.linked);
  if (!(await exists(work))) return;
  // The plan goes last: without it nobody knows any more what is to be removed.
  for (const name of await readdir(work)) {
    if (path.join(work, name) !== plan)
      await rm(path.join(work, name), { recursive: true, force: true, maxRetries: 3 });
  }
  await rm(work, { recursive: true, force: true, maxRetries: 3 });
}
