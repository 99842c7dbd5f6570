// What is left to do about a restore that is done: accept it, go back, or stop its server; or how that was ended since, and by which run.

import { momentFromDate } from '../../domain/moment.ts';
import type { EndedBy } from '../../domain/restore-runs.ts';
import type { Result } from '../result.ts';
import { fullTime } from './words.ts';

type Since = Pick<Result, 'state' | 'endedBy' | 'isServing'>;

interface Left {
  /** In place, in words: where what was there before is kept. */
  readonly kept?: string | undefined;
  /** Beside, in words: where its server is. */
  readonly server?: string | undefined;
}

/** Nothing of what is over. */
export function leftLines(id: string, { kept, server }: Left, { state, endedBy, isServing }: Since): string[] {
  if (endedBy !== undefined) return [];
  if (kept !== undefined) {
    const next = `next: 'holdfast confirm ${id}' when all is well, 'holdfast rollback ${id}' to go back`;
    return state === 'completed' ? [`  ${kept}`, next] : [];
  }
  if (server === undefined || isServing === false) return [];
  return [`  ${server}`, `next: 'holdfast stop ${id}' ends this server`];
}

export function sinceLines({ endedBy, isServing }: Since, zone: string): string[] {
  const ended = endedBy === undefined ? [] : [`  ${endedByText(endedBy, zone)}`];
  return isServing === false ? [...ended, '  the server that it left does not run any more'] : ended;
}

export function endedByText({ run, operation, at }: EndedBy, zone: string): string {
  const [how, what] = operation === 'rollbackRestore' ? ['rolled back', 'is back'] : ['confirmed', 'was removed'];
  return `${how} ${fullTime(momentFromDate(new Date(at)), zone)} by ${run}: what was there before ${what}`;
}
