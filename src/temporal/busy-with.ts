// That a run is under way which was asked for something else: which, of what, since when, by whom, and in what the two differ.

import type { OperationName } from '../../activities/contract.ts';
import { phrasesOf } from '../../activities/lib/asked-for.ts';
import type { RunStatus } from '../domain/operations.ts';
import { HoldfastError } from '../errors/index.ts';

/** Those that may be asked for several things under one id. */
const names = {
  restoreDatabase: 'restore',
  restoreRedis: 'restore',
  restoreFiles: 'restore',
  restorePart: 'restore of a part',
  loadDump: 'loading of a dump',
  verifySnapshots: 'verification',
  applyRetention: 'retention',
} as const satisfies Partial<Record<OperationName, string>>;

/** Of the others each does the same as any of its id. */
export function isOfSeveralKinds(operation: OperationName): operation is keyof typeof names {
  return Object.hasOwn(names, operation);
}

/** `ALREADY_RUNNING`. `asked`: what is asked for now. */
export function busyWith(running: RunStatus, asked: string): HoldfastError {
  const { run, startedAt, by } = running;
  const since = `since ${startedAt.replace(/\.\d+Z$/, 'Z')}`;
  const who = [run, since, ...(by === undefined ? [] : [`by ${by}`])].join(', ');
  const { request } = running.data ?? {};
  const told = request === undefined ? 'does not tell yet what it was asked for' : 'was asked for something else';
  const differences = request === undefined ? [] : differing(phrasesOf(String(request)), phrasesOf(asked));
  const message = [`${subjectOf(running)} and ${told}`, who, ...differences].join('\n');
  return new HoldfastError('ALREADY_RUNNING', message, { hint: hintFor(running) });
}

function subjectOf({ operation, component, endedAt }: RunStatus): string {
  const name = isOfSeveralKinds(operation) ? names[operation] : operation;
  // What is about all components is about the vault.
  const whose = component.includes('/') ? component : `the ${component}`;
  return `the ${name} of ${whose} ${endedAt === undefined ? 'is under way' : 'was under way until now'}`;
}

function differing(running: readonly string[], asked: readonly string[]): string[] {
  const line = (words: string, own: readonly string[], others: readonly string[]) => {
    const left = own.filter((phrase) => !others.includes(phrase));
    return left.length === 0 ? [] : [`${words}: ${left.join(', ')}`];
  };
  return [...line('it was asked for', running, asked), ...line('it was not asked for', asked, running)];
}

function hintFor({ run, state, endedAt }: RunStatus): string {
  if (endedAt !== undefined) return `type this again; \`holdfast show ${run}\` tells how it ended`;
  if (state === 'waiting') {
    return `it waits for approval: \`holdfast approve ${run}\` lets it go on, \`holdfast deny ${run}\` ends it; then type this again`;
  }
  return `\`holdfast show ${run}\` tells where it is: type this again when it has ended; \`holdfast cancel ${run}\` stops and undoes it`;
}
