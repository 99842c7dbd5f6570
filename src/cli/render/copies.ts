// The table of the copies, the rule that they keep together, and what they show less than before.

import type { Finding } from '../../domain/component-report.ts';
import type { CopyStatus } from '../../domain/copies-report.ts';
import type { CopyVerified } from '../../domain/copy-verified.ts';
import { describeSeconds } from '../../domain/duration.ts';
import type { PutBack } from '../../domain/heads.ts';
import { forkFinding, putBackFinding } from '../../domain/put-back-words.ts';
import type { Result } from '../result.ts';
import { bytesText, counted, localTime, table } from './words.ts';

export function copyLines(result: Result): string[] {
  const zone = result.timezone ?? 'UTC';
  const copies = result.copies ?? [];
  const head = ['copy', 'state', 'site', 'medium', '', 'snapshots', `newest (${zone})`, 'lag', 'store', 'verified'];
  const rows = copies.map((copy) => row(copy, zone));
  const errors = copies.flatMap(({ copy, error }) =>
    error ? [`${copy}: ${error.message} (${error.code})`, `    hint: ${error.hint}`] : [],
  );
  return [
    ...table([head, ...rows]),
    ...copies.map(({ copy, location, freeBytes }) => `${copy} is ${location}${free(freeBytes)}`),
    ...errors,
    ...ruleLines(result),
    ...headLines(result),
  ];
}

function row(copy: CopyStatus, zone: string): string[] {
  const { holds, verified, lock, storageClass, sse } = copy;
  const store = [lock && `lock ${lock}`, storageClass, sse && `encrypted ${sse}`].filter((each) => each !== undefined);
  return [
    copy.copy,
    copy.state === 'away' ? 'AWAY' : (holds?.state ?? 'unknown'),
    copy.site,
    copy.medium,
    copy.offsite ? 'off-site' : 'on site',
    holds === undefined ? '?' : `${holds.snapshots}`,
    holds?.newest === undefined ? '–' : localTime(holds.newest.to, zone),
    lag(copy),
    store.join(', ') || '–',
    verifiedText(verified, zone),
  ];
}

function verifiedText(verified: CopyVerified | undefined, zone: string): string {
  if (verified === undefined) return '?';
  const { state, level, at, unread } = verified;
  const when = at === undefined ? '' : ` ${localTime(at, zone)}`;
  if (state === 'good') return `${level}${when}`;
  if (state === 'overdue') return `OVERDUE, ${level}${when}`;
  if (state === 'damaged' || state === 'missing') return `${state.toUpperCase()}${when}`;
  return state === 'not checked' && unread > 0 ? `${counted(unread, 'snapshot')} not yet` : state;
}

function lag({ holds }: CopyStatus): string {
  if (holds === undefined) return '?';
  const { snapshotsBehind, logBehindBytes, logBehindSeconds } = holds;
  const parts = [
    snapshotsBehind > 0 ? counted(snapshotsBehind, 'snapshot') : '',
    logBehindBytes > 0 ? `log ${bytesText(logBehindBytes)}` : '',
    logBehindSeconds >= 1 ? `log ${describeSeconds(Math.round(logBehindSeconds))}` : '',
  ];
  return parts.filter((part) => part !== '').join(', ') || 'none';
}

const free = (bytes: number | undefined) => (bytes === undefined ? '' : `, ${bytesText(bytes)} free`);

function ruleLines({ rule }: Result): string[] {
  if (rule === undefined) return [];
  const signs = { held: '✔', lost: '✖', unmet: '○' } as const;
  return [
    `rule ${rule.words}`,
    ...rule.digits.flatMap(({ digit, name, state, message, hint }) => [
      `  ${signs[state]} ${digit} ${name}: ${message}`,
      ...(hint === undefined ? [] : [`      hint: ${hint}`]),
    ]),
  ];
}

function headLines({ heads }: Result): string[] {
  if (heads === undefined) return [];
  const { state, since, error } = heads.memory;
  const known =
    state === 'kept'
      ? [`a copy that is put back is noticed by what this host has seen since ${since}`]
      : ['what the copies held before now is not known to this host: one that was put back earlier cannot be told'];
  return [
    ...putBackLines(heads.putBack),
    ...findingLines(heads.forks.map(forkFinding)),
    ...known,
    ...(error === undefined ? [] : [`    ${error.message}`, `    hint: ${error.hint}`]),
  ];
}

export function putBackLines(putBack: readonly PutBack[]): string[] {
  return findingLines(putBack.map(putBackFinding));
}

function findingLines(findings: readonly Finding[]): string[] {
  return findings.flatMap(({ severity, message, hint }) => [`${severity}: ${message}`, `    hint: ${hint}`]);
}

export function seedLines({ seed }: Result): string[] {
  if (seed === undefined) return [];
  const { copy, isNew, objects, bytes } = seed;
  const what = isNew ? `copy ${copy} is empty and becomes a copy of this vault` : `copy ${copy} is a copy already`;
  return [`${what}: ${counted(objects, 'object')}, ${bytesText(bytes)} to bring from the others`];
}
