// What a verification and a repair found, as people read it.

import { type ComponentIntegrity, type CopyIntegrity, type Counts, isUnasked } from '../../domain/integrity.ts';
import type { Result } from '../result.ts';
import { bytesText, counted, table } from './words.ts';

export function integrityLines({ integrity = [] }: Pick<Result, 'integrity'>): string[] {
  return integrity.flatMap((report) => [
    ...table(report.copies.map((copy) => copyRow(report, copy))),
    ...report.copies.flatMap(({ copy, error, findings }) => [
      ...(error ? [`  ${copy}: ${error.message}`, `    hint: ${error.hint}`] : []),
      ...findings.map(({ state, message }) => `  ${copy}: ${state.toUpperCase()} ${message}`),
    ]),
  ]);
}

function copyRow({ component, level }: ComponentIntegrity, copy: CopyIntegrity): string[] {
  if (isUnasked(copy))
    return [component, copy.copy, 'NOT ASKED', `of ${counted(copy.snapshots.length, 'snapshot')} nothing is known`];
  const good = copy.snapshots.filter(({ state }) => state === 'good').length;
  const state = copy.state === 'good' ? level : copy.state.toUpperCase();
  const snapshots = `${good} of ${copy.snapshots.length} snapshots good`;
  return [component, copy.copy, state, snapshots, countsText(copy.objects), `${bytesText(copy.readBytes)} read`];
}

function countsText(counts: Counts): string {
  const words = Object.entries(counts).flatMap(([state, count]) => (count > 0 ? [`${count} ${state}`] : []));
  return words.length === 0 ? 'nothing there' : `objects: ${words.join(', ')}`;
}

export function repairLines({ repairs = [] }: Pick<Result, 'repairs'>): string[] {
  return repairs.flatMap(({ copy, repaired, unrepaired }) => [
    `${copy}: ${counted(repaired.length, 'object')} repaired, ${unrepaired.length} could not be`,
    ...repaired.map(({ key, was, from }) => `  ${key} was ${was}, now from ${from}`),
    ...unrepaired.flatMap(({ key, was, error }) => [`  ${key} is ${was}: ${error.message}`, `    hint: ${error.hint}`]),
  ]);
}
