// Two histories as one: what Temporal knows of runs, and what the vault keeps of those that have ended.

import type { RunStatus } from '../domain/operations.ts';
import { endedAbruptly } from './run-status.ts';

export type Runs = readonly RunStatus[];

/** Newest first. Both are asked at once: where no worker answers, each of them takes long to say so. */
export async function tellHistory(told: () => Promise<Runs>, kept: () => Promise<Runs>): Promise<Runs> {
  return joinHistories(...(await Promise.all([told(), kept()])));
}

/** What Temporal saw end from outside, a person may have ended by the journal since. */
function joinHistories(told: Runs, kept: Runs): Runs {
  const recorded = new Set(kept.map(({ run }) => run));
  const open = told.filter((status) => !(endedAbruptly(status) && recorded.has(status.run)));
  const known = new Set(open.map(({ run }) => run));
  const all = [...open, ...kept.filter(({ run }) => !known.has(run))];
  return all.toSorted((a, b) => b.startedAt.localeCompare(a.startedAt));
}
