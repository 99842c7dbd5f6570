// Where a path was and in what two trees differ, as people read it.

import type {
  DiffKind,
  DiffSide,
  FilesDiff,
  FilesExported,
  FilesFound,
  FoundPath,
  PathState,
  WhyAbsent,
} from '../../domain/files-history.ts';
import { shownPath, shownTyped } from '../../domain/path-text.ts';
import { bytesText, counted, fullTime, localTime, table } from './words.ts';

const absent: Readonly<Record<WhyAbsent, string>> = {
  absent: 'not there',
  'not captured': 'not captured: no root of then has it',
  'left out': 'left out by the rules of then',
  'not read': 'not known: it could not be read then',
};
const signs: Readonly<Record<DiffKind, string>> = { created: '+', changed: '~', removed: '-' };
const MODE_DIGITS = 4;

export function foundLines(found: FilesFound, zone: string): string[] {
  const { looked, unread, paths, hasMore, wanted, component, absent: states = [] } = found;
  const lines = paths.flatMap((path) => pathLines(path, zone));
  if (paths.length === 0) {
    lines.push(`'${shownTyped(wanted)}' is in none of ${counted(looked.snapshots, 'snapshot')} of ${component}`);
    lines.push(...table(states.map((state) => stateRow(state, zone))));
  }
  if (hasMore) lines.push(`there are more than these ${paths.length} paths: narrow the pattern`);
  if (looked.oldest && looked.newest) {
    const { oldest, newest } = looked;
    const range = `from ${fullTime(oldest.to, zone)} to ${fullTime(newest.to, zone)}`;
    lines.push(`looked through ${counted(looked.snapshots, 'snapshot')}, ${range}`);
  }
  for (const { snapshot, message } of unread) lines.push(`NOT READ ${snapshot.id}: ${message}`);
  return lines;
}

function pathLines({ path, states, moreStates, isInNewest, lastSeen }: FoundPath, zone: string): string[] {
  const seen = isInNewest ? 'in the newest snapshot' : `last seen in ${lastSeen.id} of ${fullTime(lastSeen.to, zone)}`;
  const rows = states.map((state) => stateRow(state, zone));
  return [
    `${shownPath(path)}  ${seen}`,
    ...table(rows),
    ...(moreStates > 0 ? [`  … and ${counted(moreStates, 'older state')}`] : []),
  ];
}

function stateRow(state: PathState, zone: string): string[] {
  return [`  ${spanText(state, zone)}`, counted(state.snapshots, 'snapshot'), ...stateCells(state)];
}

function spanText({ first, last }: PathState, zone: string): string {
  if (first.id === last.id) return `${localTime(last.to, zone)} (${last.id})`;
  return `${localTime(last.to, zone)} (${last.id}) back to ${localTime(first.to, zone)} (${first.id})`;
}

function stateCells(state: PathState): string[] {
  const { why, type = '', sizeBytes, mode, owner, changedAt, sha256Prefix, linkTarget, sameAs } = state;
  if (why) return [absent[why]];
  const details = [
    ...(sha256Prefix === undefined ? [] : [`sha256 ${sha256Prefix}…`]),
    ...(linkTarget === undefined ? [] : [`-> ${shownPath(linkTarget)}`]),
    ...(sameAs === undefined ? [] : [`same file as ${shownPath(sameAs)}`]),
  ];
  return [
    sizeBytes === undefined ? type : bytesText(sizeBytes),
    mode === undefined ? '' : mode.toString(8).padStart(MODE_DIGITS, '0'),
    owner ?? '',
    changedAt === undefined ? '' : `changed ${changedAt}`,
    details.join(', '),
  ];
}

export function diffLines(diff: FilesDiff, zone: string): string[] {
  const { counts, bytes, first, notCompared, warnings } = diff;
  const total = counts.created + counts.changed + counts.removed;
  const lines = [
    `${diff.component}: ${sideText(diff.one, zone)}`,
    `  beside ${sideText(diff.other, zone)}`,
    `  ${counts.created} created (${bytesText(bytes.created)}), ${counts.changed} changed (${bytesText(bytes.changedBefore)} to ${bytesText(bytes.changedAfter)}), ${counts.removed} removed (${bytesText(bytes.removed)}), ${counts.same} the same`,
    ...first.map(({ kind, path, type, aspects }) => {
      const what = aspects.length > 0 ? `  (${aspects.join(', ')})` : '';
      return `  ${signs[kind]} ${shownPath(path)}${type === 'directory' ? '/' : ''}${what}`;
    }),
  ];
  if (total > first.length) lines.push(`  … and ${total - first.length} more; --path lists those of a part`);
  if (notCompared > 0) {
    lines.push(`  ${counted(notCompared, 'name')} not compared: roots, rules or what could be read differ`);
  }
  return [...lines, ...warnings.map((warning) => `  warning: ${warning}`)];
}

function sideText({ snapshot, disk, state }: DiffSide, zone: string): string {
  if (disk) return `the disk of ${disk.host} at ${fullTime(disk.at, zone)}`;
  return snapshot ? `${snapshot.id} of ${fullTime(snapshot.to, zone)}${state === 'damaged' ? ', DAMAGED' : ''}` : '';
}

export function exportedLines(
  { snapshot, files, others, bytes, archiveBytes, sha256, file }: FilesExported,
  zone: string,
): string[] {
  return [
    `${counted(files, 'file')} of ${bytesText(bytes)} and ${counted(others, 'other entry', 'other entries')} of ${snapshot.id}, ${fullTime(snapshot.to, zone)}`,
    `  ${file ?? 'the archive'}: ${bytesText(archiveBytes)}, sha256 ${sha256}`,
    '  unpack all that is in it: tar --xattrs --xattrs-include=* --acls -xpf FILE (as root, for owners)',
  ];
}
