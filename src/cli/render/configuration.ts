// A configuration as people read it: what its snapshot found and kept from Git, the push, and what differs between two states.

import type { ConfigurationSummary, Named } from '../../domain/component-report.ts';
import { shownPath } from '../../domain/path-text.ts';
import type { PushedHistory } from '../../domain/run-data.ts';
import type { Result } from '../result.ts';
import { counted, fullTime } from './words.ts';

const COMMIT_DIGITS = 12;

export function configurationLines(configuration: ConfigurationSummary | undefined): string[] {
  if (configuration === undefined) return [];
  const { commit, isNew, change, commands, failed, secrets, withheld } = configuration;
  const outputs =
    commands === 0 ? '' : `${counted(commands - failed.count, 'output')} of ${counted(commands, 'command')}`;
  return [
    `  ${isNew ? 'commit' : 'same as commit'} ${commit.slice(0, COMMIT_DIGITS)}: ${change}`,
    ...(outputs === '' ? [] : [`  ${outputs}`]),
    ...namedLine('secrets kept from Git', secrets),
    ...namedLine('withheld from Git as a whole', withheld),
  ];
}

function namedLine(what: string, { count, first }: Named): string[] {
  if (count === 0) return [];
  const more = count > first.length ? ` and ${count - first.length} more` : '';
  return [`  ${count} ${what}: ${first.join(', ')}${more}`];
}

export function pushLine({ state, commit, behind }: PushedHistory): string {
  const short = commit.slice(0, COMMIT_DIGITS);
  return state === 'pushed'
    ? `  pushed ${short}`
    : `  not pushed: ${short}, the remote lacks ${counted(behind, 'commit')}`;
}

export function configurationDiffLines({ diff }: Result, zone: string): string[] {
  if (diff === undefined) return [];
  const { component, from, to, changes, text, isCut, notCompared = [] } = diff;
  const end = to === 'now' ? 'now' : `${to.snapshot} of ${fullTime(to.at, zone)}`;
  const head = `${component}: ${from.snapshot} of ${fullTime(from.at, zone)} → ${end}`;
  const open = notCompared.map(({ place, why }) => `  not compared: ${place} (${why})`);
  if (changes.count === 0) return [head, ...open, open.length === 0 ? 'nothing differs' : 'nothing else differs'];
  return [
    head,
    ...open,
    ...changes.first.map(({ what, path }) => `  ${what.padEnd(8)} ${shownPath(path)}`),
    ...(changes.count > changes.first.length ? [`  and ${changes.count - changes.first.length} more`] : []),
    '',
    ...text.trimEnd().split('\n'),
    ...(isCut ? ['… there is more: compare fewer changes, or clone the repository'] : []),
  ];
}
