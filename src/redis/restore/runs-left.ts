// Which restores have left something in a directory of runs, and how far each is, by its journal.

import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { isThere } from '../../system/index.ts';
import { RestoreJournal } from './journal.ts';

export type RunPhase = 'preparing' | 'exchanging' | 'exchanged' | 'confirming' | 'rolling back';

export interface LeftRun {
  readonly run: string;
  readonly phase: RunPhase;
  readonly directory: string;
  readonly journal: string;
}

const JOURNAL = 'journal.jsonl';
/** Of all ways: from here on something was replaced, and from here on everything was. */
const begins = ['stop', 'exchange', 'replace'];
const ends = ['exchange', 'replace'];

/** Those that have begun to change something and were neither confirmed nor rolled back, and those that only prepare. */
export async function openRuns(directory: string): Promise<LeftRun[]> {
  if (!(await isThere(directory))) return [];
  const left: LeftRun[] = [];
  for (const run of (await readdir(directory)).sort()) {
    const place = path.join(directory, run);
    const journal = path.join(place, JOURNAL);
    if (!(await isThere(journal))) continue;
    const phase = phaseOf(await RestoreJournal.open<string>(journal));
    if (phase !== undefined) left.push({ run, phase, directory: place, journal });
  }
  return left;
}

/** Undefined: it is over. */
function phaseOf(journal: RestoreJournal<string>): RunPhase | undefined {
  if (journal.isDone('confirm') || journal.isDone('rollback')) return undefined;
  if (journal.hasBegun('rollback')) return 'rolling back';
  if (journal.hasBegun('confirm')) return 'confirming';
  if (ends.some((step) => journal.isDone(step))) return 'exchanged';
  return begins.some((step) => journal.hasBegun(step)) ? 'exchanging' : 'preparing';
}
