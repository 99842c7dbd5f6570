// Which restores have left something in a directory of runs, and how far each is, by its journal.

import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../../errors/index.ts';
import { isThere } from '../../system/index.ts';
import { RestoreJournal } from './journal.ts';

export type RunPhase =
  | 'preparing'
  | 'exchanging'
  | 'exchanged'
  | 'confirming'
  | 'confirmed'
  | 'rolling back'
  | 'rolled back';

export interface LeftRun {
  readonly run: string;
  readonly phase: RunPhase;
  readonly directory: string;
  /** When its journal was written to last. */
  readonly at: string;
}

const JOURNAL = 'journal.jsonl';
/** Of all ways: from here on something was replaced, and from here on everything was. */
const begins = ['stop', 'exchange', 'replace'];
const ends = ['exchange', 'replace'];

/** Those that are neither confirmed nor rolled back. */
export async function openRuns(directory: string): Promise<LeftRun[]> {
  return (await allRuns(directory)).filter(({ phase }) => phase !== 'confirmed' && phase !== 'rolled back');
}

/** In any of the places, whichever way they took: undoing two in the wrong order would bring the data of the older one over everything. */
export async function otherOpenRuns(places: readonly string[], own: string): Promise<LeftRun[]> {
  const found = await Promise.all(places.map((place) => openRuns(place)));
  return found.flat().filter(({ run }) => run !== own);
}

/** Throws `JOURNAL_STATE` while another restore has replaced something and waits for a word. */
export async function requireNoOther(places: readonly string[], own: string): Promise<void> {
  const other = (await otherOpenRuns(places, own)).find(({ phase }) => phase !== 'preparing');
  if (other !== undefined) throw standsOpen(other);
}

export function standsOpen({ run, phase, directory }: LeftRun): HoldfastError {
  const message = `the restore '${run}' is ${phase} and was neither confirmed nor rolled back; its journal is in '${directory}'`;
  const hint =
    phase === 'preparing'
      ? `it has replaced nothing: \`holdfast rollback ${run}\` first`
      : `\`holdfast confirm ${run}\` or \`holdfast rollback ${run}\` first`;
  return new HoldfastError('JOURNAL_STATE', message, { hint });
}

export async function allRuns(directory: string): Promise<LeftRun[]> {
  if (!(await isThere(directory))) return [];
  const left: LeftRun[] = [];
  for (const run of (await readdir(directory)).sort()) {
    const found = await runIn(directory, run);
    if (found !== undefined) left.push(found);
  }
  return left;
}

/** Undefined where it has no journal. That of another run, which may be damaged, is not looked at. */
export async function runIn(directory: string, run: string): Promise<LeftRun | undefined> {
  const place = path.join(directory, run);
  const journal = path.join(place, JOURNAL);
  if (!(await isThere(journal))) return undefined;
  const phase = phaseOf(await RestoreJournal.open<string>(journal));
  const { mtime } = await stat(journal);
  return { run, phase, directory: place, at: mtime.toISOString() };
}

/** By pattern: what is replaced is on a list. */
export async function isListOfKeys(directory: string): Promise<boolean> {
  return (await RestoreJournal.open<string>(path.join(directory, JOURNAL))).hasBegun('list');
}

function phaseOf(journal: RestoreJournal<string>): RunPhase {
  if (journal.isDone('confirm')) return 'confirmed';
  if (journal.isDone('rollback')) return 'rolled back';
  if (journal.hasBegun('rollback')) return 'rolling back';
  if (journal.hasBegun('confirm')) return 'confirming';
  if (ends.some((step) => journal.isDone(step))) return 'exchanged';
  return begins.some((step) => journal.hasBegun(step)) ? 'exchanging' : 'preparing';
}
