// The table of `status`: for each component what could be recovered, from where, how well proven, and how much would be lost now.

import type { ComponentStatus } from '../../domain/component-report.ts';
import type { CopyStatus } from '../../domain/copies-report.ts';
import type { Disaster } from '../../domain/disasters.ts';
import { describeSeconds } from '../../domain/duration.ts';
import type { Result } from '../result.ts';
import { agoText, bytesText, counted, localTime, table } from './words.ts';

export function renderStatus(result: Result, now: Date): string[] {
  const zone = result.timezone ?? 'UTC';
  const components = (result.components ?? []) as readonly ComponentStatus[];
  const head = ['component', `window (${zone})`, 'copies', 'proven', 'RPO now / objective', ''];
  const rows = table([head, ...components.map((component) => row(component, zone, now))]);
  const lines: string[] = [rows[0] ?? ''];
  for (const [index, component] of components.entries()) {
    lines.push(rows[index + 1] ?? '', ...disasterLine(component), ...mirrorLine(component), ...findings(component));
  }
  lines.push(...copyNotes(components, result.copies ?? []));
  for (const { severity, message, hint } of result.findings ?? [])
    lines.push(`${severity}: ${message}`, `    hint: ${hint}`);
  for (const run of result.runs ?? [])
    lines.push(`running: ${run.id} ${run.component ?? ''}, ${run.message ?? run.state}`);
  if (result.temporal?.state === 'unreachable') {
    const error = result.temporal.error;
    lines.push(
      `Temporal cannot be reached: ${error?.message ?? 'no answer'}; this was read from the vault by this host`,
    );
    if (error) lines.push(`    hint: ${error.hint}`);
  }
  return lines;
}

const marks = { complete: '', behind: '*', away: '!', unknown: '?' } as const;

function row(status: ComponentStatus, zone: string, now: Date): string[] {
  const { window, proven, rpo } = status;
  const span = window ? `${localTime(window.from, zone)} → ${localTime(window.to, zone)}` : 'none';
  const holes = window && window.holes.length > 0 ? `, ${counted(window.holes.length, 'hole')}` : '';
  const rpoNow = rpo.nowSeconds === undefined ? 'unknown' : describeSeconds(Math.round(rpo.nowSeconds));
  const objective = rpo.objectiveSeconds === undefined ? '–' : describeSeconds(rpo.objectiveSeconds);
  return [
    status.component,
    `${span}${holes}`,
    status.copies.map(({ copy, state }) => `${copy}${marks[state]}`).join(' '),
    proven ? `${proven.level} ${agoText(proven.at, now)}` : 'never',
    `${rpoNow} / ${objective}`,
    status.state === 'ok' ? 'ok' : status.state.toUpperCase(),
  ];
}

/** Only where it says more than the row: a second disaster, or one that the row does not know. */
function disasterLine({ rpo }: ComponentStatus): string[] {
  const told = (rpo.disasters ?? []).filter(({ database, survivors }) => database === 'lost' || survivors.length === 0);
  return told.length < 2 ? [] : [`    would be lost now: ${told.map(disasterText).join(' · ')}`];
}

/** Of one that is whole: what is wrong with another is a finding. */
function mirrorLine({ mirror }: ComponentStatus): string[] {
  if (mirror?.state !== 'complete' || mirror.behindSeconds === undefined) return [];
  return [`    mirror ${mirror.to} is ${describeSeconds(mirror.behindSeconds)} behind`];
}

function disasterText({ kind, lost, database, survivors, nowSeconds }: Disaster): string {
  const of = `with ${kind} ${lost}`;
  if (survivors.length === 0) return database === 'lost' ? `${of} everything` : `${of} every copy`;
  return `${of} ${nowSeconds === undefined ? 'not known' : describeSeconds(Math.round(nowSeconds))}`;
}

function findings(status: ComponentStatus): string[] {
  return status.findings.flatMap(({ severity, message, hint }) => [`    ${severity}: ${message}`, `    hint: ${hint}`]);
}

function copyNotes(components: readonly ComponentStatus[], copies: readonly CopyStatus[]): string[] {
  const lines = components.flatMap((component) =>
    component.copies.flatMap(({ copy, state, snapshotsBehind, logBehindBytes, error }) => {
      const who = components.length > 1 ? `${copy} (${component.component})` : copy;
      if (state === 'behind') return [`* ${who} is ${behindText(snapshotsBehind, logBehindBytes)} behind`];
      if (state === 'away' && !copies.some((known) => known.copy === copy && known.state === 'away')) {
        return [`! ${who} is away${error ? `: ${error.message}` : ''}`];
      }
      return state === 'unknown' ? [`? ${who}: its state is not known`] : [];
    }),
  );
  for (const { copy, state, error } of copies) {
    if (state === 'away') lines.push(`! ${copy} is away${error ? `: ${error.message}` : ''}`);
    if (state === 'away' && error) lines.push(`    hint: ${error.hint}`);
  }
  return lines;
}

function behindText(snapshots = 0, logBytes = 0): string {
  const parts = [
    snapshots > 0 ? counted(snapshots, 'snapshot') : '',
    logBytes > 0 ? `${bytesText(logBytes)} of log` : '',
  ];
  return parts.filter((part) => part !== '').join(' and ') || 'some way';
}
