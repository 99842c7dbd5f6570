// What restores have left that a person has not ended: old data that is kept, a swap that stopped in the middle, a server beside.

import { existsSync } from 'node:fs';
import path from 'node:path';
import type { ComponentSettings, DatabaseSettings } from '../../config/index.ts';
import type { Finding, OpenRestore } from '../domain/component-report.ts';
import type { RunStatus } from '../domain/operations.ts';
import { hasServer, isInPlace, isPart } from '../domain/restore-runs.ts';
import type { RunData } from '../domain/run-data.ts';
import { type HoldfastError, toHoldfastError } from '../errors/index.ts';
import { cloneDirectory, type JournalState, journalStates, restorePaths } from '../postgres/recovery/index.ts';
import { findPostmaster } from '../postgres/recovery/postmaster.ts';
import { isLockHeld } from '../process/index.ts';
import type { RunRecords, Unread } from './run-records.ts';
import { strayRuns } from './stray-runs.ts';

/** Between two steps of a restore that goes on, nobody holds the lock; never for so long. */
export const STILL_MS = 60_000;
/** The clock of a store and that of the host of a run differ by less than this. */
const CLOCKS_MS = 86_400_000;

export interface RestoresLeft {
  readonly found: readonly OpenRestore[];
  /** What could not be looked for: it takes nothing from what was found. */
  readonly notKnown: readonly NotKnown[];
}

export interface NotKnown {
  /** `data`: whether production waits for a word, or is in the middle of a swap. `server`: whether one runs beside. */
  readonly of: 'data' | 'server';
  /** In words, what was looked at. */
  readonly what: string;
  readonly error: HoldfastError;
  /** Instead of the error's own. */
  readonly hint?: string;
}

type Database = Pick<ComponentSettings, 'id' | 'host'> & Pick<DatabaseSettings, 'dataDirectory'>;

/**
 * By the journals and the processes of the data's own host; from any other `host` by the records alone, which know nothing of servers.
 * `records`: of this component. Never throws: what cannot be looked for is in the answer.
 */
export async function openRestores(
  database: Database,
  records: RunRecords,
  { host, estate, now = new Date() }: { readonly host: string; readonly estate: string; readonly now?: Date },
): Promise<RestoresLeft> {
  const { dataDirectory } = database;
  const { runs, unread } = records;
  if (database.host !== host) return byRecords(database, records);
  const inPlace = dataDirectory === undefined ? [] : await byJournal(dataDirectory, now);
  const looks = [...inPlace, ...(await servers(runs)), ...(await throwaways(database, records, { estate, now }))];
  const mayServe = unread.filter(({ record }) => record === undefined || /^(restore|part)-/.test(record.run));
  return {
    found: looks.flatMap(({ found = [] }) => found),
    notKnown: [...looks.flatMap(({ notKnown = [] }) => notKnown), ...mayServe.map((each) => notRead('server', each))],
  };
}

function notRead(of: NotKnown['of'], { record, error }: Unread): NotKnown {
  return { of, what: record === undefined ? 'the records of runs' : `the record of ${record.run}`, error };
}

type Look = Partial<RestoresLeft>;

/** One look, which hides no other when it cannot be had. */
async function look(of: NotKnown['of'], what: string, work: () => Promise<OpenRestore | undefined>): Promise<Look> {
  try {
    const found = await work();
    return found === undefined ? {} : { found: [found] };
  } catch (error) {
    return { notKnown: [{ of, what, error: toHoldfastError(error) }] };
  }
}

async function byJournal(
  dataDirectory: string,
  now: Date,
  { of, judge }: { readonly of: NotKnown['of']; readonly judge: typeof ofJournal } = { of: 'data', judge: ofJournal },
): Promise<readonly Look[]> {
  let states: readonly JournalState[];
  try {
    states = await journalStates(dataDirectory);
  } catch (error) {
    return [{ notKnown: [{ of, what: `the journals beside '${dataDirectory}'`, error: toHoldfastError(error) }] }];
  }
  const what = ({ run }: JournalState) => `whether somebody is at ${run}`;
  return await Promise.all(states.map((state) => look(of, what(state), () => judge(dataDirectory, state, now))));
}

/** Wherever this component's are recovered by default, and wherever one that has not ended was told to be; others' may be in the same place. */
async function throwaways(
  { id, dataDirectory }: Database,
  { runs, parts }: RunRecords,
  { estate, now }: { readonly estate: string; readonly now: Date },
): Promise<readonly Look[]> {
  const stuck = runs.filter((status) => isPart(status) && status.state === 'stuck');
  const home = dataDirectory && cloneDirectory(dataDirectory);
  const places = new Set([
    ...(home === undefined ? [] : [home]),
    ...parts.map((part) => part.dataDirectory),
    ...stuck.flatMap(({ data }) => (data as RunData | undefined)?.partPlan?.recovery.dataDirectory ?? []),
  ]);
  const judge: typeof ofThrowaway = async (place, state, at) => {
    const isOurs = state.head.component === id && state.head.estate === estate;
    return isOurs ? await ofThrowaway(place, state, at) : undefined;
  };
  const strays = async (place: string): Promise<Look> => {
    const isOurs = (run: string) => place === home || parts.some((part) => part.run === run);
    try {
      return { found: (await strayRuns(place, now.getTime() - STILL_MS)).filter(({ run }) => isOurs(run)) };
    } catch (error) {
      return { notKnown: [{ of: 'server', what: `what lies in '${place}'`, error: toHoldfastError(error) }] };
    }
  };
  const looks = [...places].map(async (place) => [
    ...(await byJournal(place, now, { of: 'server', judge })),
    await strays(place),
  ]);
  return (await Promise.all(looks)).flat();
}

async function ofThrowaway(dataDirectory: string, state: JournalState, now: Date): Promise<OpenRestore | undefined> {
  const { run, phase, head, lastStep } = state;
  const { work, data } = restorePaths(dataDirectory, run);
  if (head.throwaway !== true || phase !== 'preparing' || !existsSync(work)) return undefined;
  if (!(await isLeft(dataDirectory, state, now))) return undefined;
  return { run, state: 'left', dataDirectory: data, since: lastStep.at };
}

async function ofJournal(dataDirectory: string, state: JournalState, now: Date): Promise<OpenRestore | undefined> {
  const { run, phase, head, lastStep, swappedAt } = state;
  if (phase === 'swapped') {
    const kept = head.keepOldAt === undefined ? {} : { keptAt: head.keepOldAt };
    return { run, state: 'unconfirmed', dataDirectory, since: swappedAt ?? lastStep.at, ...kept };
  }
  if (!isOpen(state) || !(await isLeft(dataDirectory, state, now))) return undefined;
  return { run, state: 'stopped', dataDirectory, since: lastStep.at, phase };
}

function isOpen({ phase }: JournalState): boolean {
  return phase === 'preparing' || phase === 'swapping' || phase === 'rolling back' || phase === 'confirming';
}

/** Nobody is at it: whoever is holds the lock, or has just written. */
export async function isLeft(dataDirectory: string, { run, lastStep }: JournalState, now: Date): Promise<boolean> {
  if (now.getTime() - Date.parse(lastStep.at) < STILL_MS) return false;
  return !(await isLockHeld(restorePaths(dataDirectory, run).lock));
}

async function servers(runs: readonly RunStatus[]): Promise<readonly Look[]> {
  const left = new Map<string, RunStatus>();
  for (const status of runs.filter(hasServer)) {
    const dataDirectory = (status.data as RunData).plan?.dataDirectory;
    if (dataDirectory !== undefined && !left.has(dataDirectory)) left.set(dataDirectory, status);
  }
  const serving = async ({ run, endedAt, startedAt }: RunStatus, dataDirectory: string) => {
    if ((await findPostmaster(dataDirectory)) === undefined) return undefined;
    return { run, state: 'serving', dataDirectory, since: endedAt ?? startedAt } as const;
  };
  return await Promise.all(
    [...left].map(([dataDirectory, status]) =>
      look('server', `whether the server of ${status.run} runs on '${dataDirectory}'`, () =>
        serving(status, dataDirectory),
      ),
    ),
  );
}

function byRecords(
  { host, dataDirectory }: Database,
  { runs, unread }: Pick<RunRecords, 'runs' | 'unread'>,
): RestoresLeft {
  const last = runs.find(isInPlace);
  const found = last === undefined ? [] : unended(last, runs, dataDirectory);
  const hint = `the journals on host '${host}' tell: ask there, or through its worker`;
  // What was kept before the last one began was of one that had ended by then: else that one would have been refused.
  const isPast = ({ record }: Unread) =>
    record !== undefined && last !== undefined && record.storedAt.getTime() + CLOCKS_MS < Date.parse(last.startedAt);
  const notKnown = unread.filter((each) => !isPast(each)).map((each) => ({ ...notRead('data', each), hint }));
  return { found, notKnown };
}

/** The newest that was swapped; a confirmation or rollback after it was of it, because until then no other is begun. */
function unended(last: RunStatus, runs: readonly RunStatus[], configured: string | undefined): OpenRestore[] {
  const isEnd = ({ operation, state, startedAt }: RunStatus) =>
    (operation === 'confirmRestore' || operation === 'rollbackRestore') &&
    state === 'completed' &&
    startedAt > last.startedAt;
  const { plan, restore } = (last.data ?? {}) as RunData;
  const dataDirectory = plan?.dataDirectory ?? restore?.dataDirectory ?? configured;
  if (runs.some(isEnd) || dataDirectory === undefined) return [];
  const since = last.endedAt ?? last.startedAt;
  if (last.state === 'stuck') return [{ run: last.run, state: 'stopped', dataDirectory, since }];
  const keptAt = plan?.keepOldAt ?? restore?.oldDataDirectory;
  return [{ run: last.run, state: 'unconfirmed', dataDirectory, since, ...(keptAt === undefined ? {} : { keptAt }) }];
}

/** Production in the middle of a swap is an alarm, and so is not knowing whether it is. */
export function notKnownFinding({ of, what, error, hint = error.hint }: NotKnown): Finding {
  const message = `what restores have left is not known: ${what}: ${error.message}`;
  return { severity: of === 'data' ? 'late' : 'warning', message, hint };
}

export function restoreFinding(restore: OpenRestore): Finding {
  const { run, state, dataDirectory, since, keptAt, phase } = restore;
  const at = `${since.slice(0, 19)}Z`;
  switch (state) {
    case 'unconfirmed':
      return {
        severity: 'warning',
        message: `${run} replaced the data at ${at} and waits for a word: the old data is kept${keptAt === undefined ? '' : ` in ${keptAt}`}, and no other restore in place is begun`,
        hint: `\`holdfast confirm ${run}\` removes the old data for good, \`holdfast rollback ${run}\` brings it back`,
      };
    case 'stopped':
      return { severity: 'late', ...stoppedWords(run, at, phase) };
    case 'serving':
      return {
        severity: 'hint',
        message: `the server that ${run} left runs on ${dataDirectory} since ${at}`,
        hint: `\`holdfast stop ${run}\` ends it; its directory stays`,
      };
    case 'left':
      return {
        severity: 'warning',
        message: `what ${run} recovered for a while is still in ${dataDirectory}, and nobody is at it since ${at}: it takes room, and its server may run`,
        hint: leftHint(restore),
      };
    case 'uncleared':
      return {
        severity: 'warning',
        message: `${run} is ${phase} since ${at}, and what it kept${keptAt === undefined ? '' : ` in ${keptAt}`} is not wholly removed: it takes room`,
        hint: `unmount what is mounted in it; then \`holdfast ${phase === 'confirmed' ? 'confirm' : 'rollback'} ${run}\` removes the rest`,
      };
  }
}

function leftHint({ run, dataDirectory, withoutJournal }: OpenRestore): string {
  if (withoutJournal !== true)
    return `\`holdfast show ${run}\` tells whether a worker goes on with it; else \`holdfast stop ${run}\` ends the server and removes the directory`;
  return `no journal tells of it: \`holdfast stop ${run}\` removes it by the run's plan in the vault; where the vault has none, see that no server runs there and remove '${path.dirname(dataDirectory)}' by hand`;
}

function stoppedWords(run: string, at: string, phase: OpenRestore['phase']): Pick<Finding, 'message' | 'hint'> {
  if (phase === 'rolling back' || phase === 'confirming') {
    const command = phase === 'confirming' ? 'confirm' : 'rollback';
    return {
      message: `the ${command} of ${run} has not ended, and nobody is at it since ${at}`,
      hint: `\`holdfast show ${run}\` tells whether a worker goes on with it; \`holdfast ${command} ${run} --standalone\` on the host of the data does`,
    };
  }
  return {
    message: `${run} has not ended${phase === undefined ? '' : ` (${phase})`}, and nobody is at it since ${at}`,
    hint: `\`holdfast show ${run}\` tells whether a worker goes on with it; else, on the host of the data, \`holdfast resume ${run} --standalone\` finishes it, \`holdfast rollback ${run} --standalone\` undoes it`,
  };
}
