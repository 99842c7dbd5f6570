// What a run of a restore was, by what is kept of it: in place or beside, swapped or not, with a server that it left.

import type { RunStatus } from './operations.ts';
import type { RunData } from './run-data.ts';

const dataOf = (status: RunStatus) => (status.data ?? {}) as RunData;

const modeOf = (status: RunStatus) => {
  const { plan, redisPlan, filesPlan } = dataOf(status);
  return (plan ?? redisPlan ?? filesPlan)?.mode;
};

export const isRestore = ({ operation }: RunStatus) =>
  ['restoreDatabase', 'restoreRedis', 'restoreFiles'].includes(operation);

/** In place and past its swap, or ended in doubt: what `rollback` and `confirm` are about. Neither a refused one nor one beside must hide it. */
export function isInPlace(status: RunStatus): boolean {
  const { restore } = dataOf(status);
  const mode = modeOf(status);
  const isSwapped = status.state === 'completed' && (mode === 'in place' || restore?.oldDataDirectory !== undefined);
  return isRestore(status) && mode !== 'beside' && (isSwapped || status.state === 'stuck');
}

/** What ends a restore in place, by a person's word. */
export const isEnd = ({ operation, state }: RunStatus) =>
  (operation === 'confirmRestore' || operation === 'rollbackRestore') && state === 'completed';

/** The run that ended a restore in place, and when (ISO 8601, UTC). */
export interface EndedBy {
  readonly run: string;
  readonly operation: 'confirmRestore' | 'rollbackRestore';
  readonly at: string;
}

/** Of `runs`, the one that ended the restore `run`; undefined where none of them did, which says nothing of others. */
export function endOf(run: string, runs: readonly RunStatus[]): EndedBy | undefined {
  const end = runs.find((each) => isEnd(each) && each.data?.restoreRun === run);
  if (end === undefined) return undefined;
  const { operation, endedAt, startedAt } = end;
  return { run: end.run, operation: operation as EndedBy['operation'], at: endedAt ?? startedAt };
}

/** Replaces nothing, however it ended. */
export const isBeside = (status: RunStatus) => isRestore(status) && modeOf(status) === 'beside';

/** What `stop` is about: it left a server running. Whether it still runs only its host knows. */
export const hasServer = (status: RunStatus) =>
  isBeside(status) && (dataOf(status).plan ?? dataOf(status).redisPlan)?.start === true && status.state === 'completed';

export const isWaiting = (status: RunStatus) => (isRestore(status) || isPart(status)) && status.state === 'waiting';

/** One table or one database: its server is there for a while, and left only by a run that was ended from outside. */
export const isPart = ({ operation }: RunStatus) => operation === 'restorePart';
