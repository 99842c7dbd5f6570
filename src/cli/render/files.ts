// What giving back files would do, and what it did, as the person who must say yes to it reads it.

import type { ChangeCounts, ChangeKind, FilesPlan, FilesRestored } from '../../domain/files-restore.ts';
import { shownPath, shownTyped } from '../../domain/path-text.ts';
import type { Result } from '../result.ts';
import { blockerLines } from './plan.ts';
import { leftLines } from './restore-end.ts';
import { bytesText, counted, durationMsText, fullTime, skewText } from './words.ts';

const words: Readonly<Record<ChangeKind, string>> = {
  create: 'created',
  replace: 'replaced',
  remove: 'removed',
  settle: 'given their mode, owner, time or attributes back',
  compare: 'read to see whether they differ',
};
const signs: Readonly<Record<ChangeKind, string>> = {
  create: '+',
  replace: '~',
  remove: '-',
  settle: '.',
  compare: '?',
};

/** A prompt shows the first few changes, a dry run all that the plan has. */
const FEW = 20;

export function renderFilesPlan(plan: FilesPlan, zone: string, list: 'all' | 'few' = 'few'): string[] {
  const { snapshot, mode, entries, changes, space } = plan;
  const size =
    changes === undefined
      ? `${counted(entries.files, 'file')} of ${bytesText(entries.bytes)}`
      : `${bytesText(changes.bytes)} to write`;
  const lines = [
    `plan  ${mode}, ${size} from ${snapshot.copy}`,
    `      gives back ${plan.component} as of ${fullTime(snapshot.to, zone)}${skewText(snapshot.skewSeconds)}`,
    `      asked for ${plan.requested}: snapshot ${snapshot.id}, captured from ${fullTime(snapshot.from, zone)} on`,
    ...wantedLines(plan),
    mode === 'beside'
      ? `      into ${plan.directory} on ${plan.host}; what is there now is not touched`
      : `      in ${plan.roots.map(shownPath).join(', ')} on ${plan.host}; what was there is kept until you confirm`,
  ];
  if (changes) lines.push(...changeLines(changes, list));
  lines.push(`      needs ${bytesText(space.neededBytes)}, ${bytesText(space.availableBytes)} are free`);
  for (const { directory, neededBytes, availableBytes } of space.elsewhere ?? [])
    lines.push(`      and ${bytesText(neededBytes)} in ${directory}, ${bytesText(availableBytes)} are free there`);
  for (const warning of plan.warnings) lines.push(`      warning: ${warning}`);
  lines.push(...blockerLines(plan.blockers));
  lines.push(`      digest ${plan.digest}`);
  return lines;
}

function wantedLines({ paths = [], patterns = [] }: FilesPlan): string[] {
  const wanted = [...paths.map(shownPath), ...patterns.map(shownTyped)];
  return wanted.length === 0 ? [] : [`      only ${wanted.join(', ')}`];
}

/** What was done, and what was compared: in place that is also what was right before. */
function doneText({ files, others, bytes, changes, compared }: FilesRestored): string {
  const { entries, differing } = compared;
  if (changes === undefined) {
    const given = `${counted(files, 'file')} of ${bytesText(bytes)} and ${others} directories, links and others`;
    const all = entries === files + others ? `all of these ${entries}` : `${entries} of these`;
    return `${given}; compared ${all}, ${differing.count} differ`;
  }
  const changed = changedText(changes) || 'nothing changed';
  return `${changed}, ${bytesText(bytes)} written; compared ${counted(entries, 'name')}: all that were asked for, changed or not; ${differing.count} differ`;
}

function changedText(counts: ChangeCounts): string {
  const kinds = (Object.keys(counts) as ChangeKind[]).filter((kind) => counts[kind] > 0);
  return kinds.map((kind) => `${counts[kind]} ${words[kind]}`).join(', ');
}

function changeLines({ counts, first }: NonNullable<FilesPlan['changes']>, list: 'all' | 'few'): string[] {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  if (total === 0) return ['      nothing differs from what is there'];
  const shown = list === 'all' ? first : first.slice(0, FEW);
  const more = total - shown.length;
  return [
    `      ${changedText(counts)}`,
    ...shown.map(({ kind, path, aspects }) => {
      const why = kind === 'replace' || kind === 'settle' ? `  (${aspects.join(', ') || 'what is in it changes'})` : '';
      return `        ${signs[kind]} ${shownPath(path)}${why}`;
    }),
    ...(more > 0 ? [`        … and ${more} more${list === 'all' ? '; --path lists those of a part' : ''}`] : []),
  ];
}

export function filesRestoredLines(restored: FilesRestored, result: Result, zone: string): string[] {
  const { id, directory, keptAt = [], lacking, timingsMs } = restored;
  const lines = [
    `  gives back ${restored.snapshot} of ${fullTime(restored.to, zone)}${directory === undefined ? '' : ` in ${directory}`}`,
    `  ${doneText(restored)}`,
    `  took ${durationMsText(timingsMs.total)}: restore ${durationMsText(timingsMs.restore)}, compare ${durationMsText(timingsMs.compare)}`,
  ];
  if (lacking.count > 0) lines.push(`  ${lacking.count} properties could not be given: ${lacking.first.join(', ')}`);
  const kept = keptAt.length === 0 ? undefined : `what was there is kept in ${keptAt.map(shownPath).join(', ')}`;
  return [...lines, ...leftLines(id, { kept }, result)];
}
