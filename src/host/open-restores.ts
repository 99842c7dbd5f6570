// What restores have left that a person has not ended: old data that is kept, a swap that stopped in the middle, a server beside.

import type { DatabaseSettings } from '../../config/index.ts';
import type { Finding, OpenRestore } from '../domain/component-report.ts';
import type { RunStatus } from '../domain/operations.ts';
import { hasServer, isInPlace } from '../domain/restore-runs.ts';
import type { RunData } from '../domain/run-data.ts';
import { isHoldfastError } from '../errors/index.ts';
import { type JournalState, journalStates, restorePaths } from '../postgres/recovery/index.ts';
import { findPostmaster } from '../postgres/recovery/postmaster.ts';
import { holdLock } from '../process/index.ts';

/** Between two steps of a restore that goes on, nobody holds the lock; never for so long. */
const STILL_MS = 60_000;

/**
 * By the journals and the processes of the data's own host; from any other `host` by the records alone, which know nothing of servers.
 * `runs`: of this component, newest first. Throws what cannot be read.
 */
export async function openRestores(
  database: Pick<DatabaseSettings, 'host' | 'dataDirectory'>,
  runs: readonly RunStatus[],
  { host, now = new Date() }: { readonly host: string; readonly now?: Date },
): Promise<readonly OpenRestore[]> {
  const { dataDirectory } = database;
  if (database.host !== host) return byRecords(runs);
  const inPlace = dataDirectory === undefined ? [] : await byJournal(dataDirectory, now);
  return [...inPlace, ...(await servers(runs))];
}

async function byJournal(dataDirectory: string, now: Date): Promise<OpenRestore[]> {
  const open: OpenRestore[] = [];
  for (const state of await journalStates(dataDirectory)) {
    const { run, phase, head, lastStep, swappedAt } = state;
    const kept = head.keepOldAt === undefined ? {} : { keptAt: head.keepOldAt };
    if (phase === 'swapped') {
      open.push({ run, state: 'unconfirmed', dataDirectory, since: swappedAt ?? lastStep.at, ...kept });
    } else if (isOpen(state) && (await isLeft(dataDirectory, state, now))) {
      open.push({ run, state: 'stopped', dataDirectory, since: lastStep.at, phase });
    }
  }
  return open;
}

function isOpen({ phase }: JournalState): boolean {
  return phase === 'preparing' || phase === 'swapping' || phase === 'rolling back' || phase === 'confirming';
}

/** Nobody is at it: whoever is holds the lock, or has just written. */
async function isLeft(dataDirectory: string, { run, lastStep }: JournalState, now: Date): Promise<boolean> {
  if (now.getTime() - Date.parse(lastStep.at) < STILL_MS) return false;
  try {
    const lock = await holdLock(restorePaths(dataDirectory, run).lock);
    await lock.release();
    return true;
  } catch (error) {
    if (isHoldfastError(error, 'LOCKED')) return false;
    throw error;
  }
}

async function servers(runs: readonly RunStatus[]): Promise<OpenRestore[]> {
  const serving: OpenRestore[] = [];
  const seen = new Set<string>();
  for (const status of runs.filter(hasServer)) {
    const dataDirectory = (status.data as RunData).plan?.dataDirectory;
    if (dataDirectory === undefined || seen.has(dataDirectory)) continue;
    seen.add(dataDirectory);
    if ((await findPostmaster(dataDirectory)) === undefined) continue;
    serving.push({ run: status.run, state: 'serving', dataDirectory, since: status.endedAt ?? status.startedAt });
  }
  return serving;
}

/** The newest that was swapped; a confirmation or rollback after it was of it, because until then no other is begun. */
function byRecords(runs: readonly RunStatus[]): OpenRestore[] {
  const last = runs.find(isInPlace);
  if (last === undefined) return [];
  const isEnd = ({ operation, state, startedAt }: RunStatus) =>
    (operation === 'confirmRestore' || operation === 'rollbackRestore') &&
    state === 'completed' &&
    startedAt > last.startedAt;
  const { plan, restore } = (last.data ?? {}) as RunData;
  const dataDirectory = plan?.dataDirectory ?? restore?.dataDirectory;
  if (runs.some(isEnd) || dataDirectory === undefined) return [];
  const since = last.endedAt ?? last.startedAt;
  if (last.state === 'stuck') return [{ run: last.run, state: 'stopped', dataDirectory, since }];
  const keptAt = plan?.keepOldAt ?? restore?.oldDataDirectory;
  return [{ run: last.run, state: 'unconfirmed', dataDirectory, since, ...(keptAt === undefined ? {} : { keptAt }) }];
}

export function restoreFinding({ run, state, dataDirectory, since, keptAt, phase }: OpenRestore): Finding {
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
  }
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
