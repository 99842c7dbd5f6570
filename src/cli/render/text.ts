// Every result as text for people; one printer a view, the same data as `--json`.

import { stringify } from 'yaml';
import type { SnapshotSummary } from '../../domain/component-report.ts';
import { momentFromDate } from '../../domain/moment.ts';
import type { ScheduleChange, ScheduleStatus } from '../../domain/schedule-report.ts';
import type { CheckReport } from '../../domain/setup-report.ts';
import type { SandboxUp } from '../../sandbox/index.ts';
import type { Outcome, Result, RunSummary, View } from '../result.ts';
import { configurationDiffLines } from './configuration.ts';
import { copyLines, seedLines } from './copies.ts';
import { renderFilesPlan } from './files.ts';
import { diffLines, exportedLines, foundLines } from './files-history.ts';
import { integrityLines, repairLines } from './integrity.ts';
import { keyLines, keyTestLines } from './keys.ts';
import { renderLoadPlan } from './load.ts';
import { renderPartPlan } from './part.ts';
import { renderPlan } from './plan.ts';
import { renderRedisPlan } from './redis.ts';
import { endedByText } from './restore-end.ts';
import { retentionLines } from './retention.ts';
import { renderRun } from './run.ts';
import { renderStatus } from './status.ts';
import { bytesText, localTime, table } from './words.ts';

type Printer = (result: Result, zone: string, now: Date, followed: boolean) => string[];

const printers: Readonly<Record<View, Printer>> = {
  run: (result, zone, _now, followed) => renderRun(result, zone, followed),
  plan: (result, zone) => [...(result.plan ? renderPlan(result.plan, zone) : []), ...messageLines(result)],
  'redis plan': (result, zone) => [
    ...(result.redisPlan ? renderRedisPlan(result.redisPlan, zone) : []),
    ...messageLines(result),
  ],
  'files plan': (result, zone) => [
    ...(result.filesPlan ? renderFilesPlan(result.filesPlan, zone, 'all') : []),
    ...messageLines(result),
  ],
  'files found': (result, zone) => (result.filesFound ? foundLines(result.filesFound, zone) : []),
  'files diff': (result, zone) => (result.filesDiff ? diffLines(result.filesDiff, zone) : []),
  'files exported': (result, zone) => (result.filesExported ? exportedLines(result.filesExported, zone) : []),
  'load plan': (result, zone) => [
    ...(result.loadPlan ? renderLoadPlan(result.loadPlan, zone) : []),
    ...messageLines(result),
  ],
  'part plan': (result, zone) => [
    ...(result.partPlan ? renderPartPlan(result.partPlan, zone) : []),
    ...messageLines(result),
  ],
  status: (result, _zone, now) => renderStatus(result, now),
  check: checkLines,
  copies: copyLines,
  seed: (result) => [...seedLines(result), ...messageLines(result)],
  keys: keyLines,
  'key tests': keyTestLines,
  snapshots: snapshotLines,
  runs: runLines,
  setup: setupLines,
  schedules: scheduleLines,
  retention: (result, zone) => [
    ...(result.retention ? retentionLines(result.retention, zone) : []),
    ...messageLines(result),
  ],
  integrity: (result) => [...integrityLines(result), ...messageLines(result)],
  repairs: (result) => [...repairLines(result), ...messageLines(result)],
  configuration: (result) => [
    ...messageLines(result),
    ...(result.configuration ? [stringify(result.configuration).trimEnd()] : []),
  ],
  'configuration diff': (result, zone) => configurationDiffLines(result, zone),
  several: (result, zone, _now, followed) =>
    (result.components ?? []).flatMap((one) => [
      ...renderRun(one as Result, zone, followed),
      ...warningLines(one as Result).map((line) => `  ${line}`),
    ]),
  message: (result) => [...messageLines(result), ...sandboxLines(result)],
};

/** Text for stdout, with its last newline; empty when there is nothing to say beside the error. */
export function renderText({ view, result, followed }: Outcome, now: Date): string {
  const zone = result.timezone ?? 'UTC';
  const lines = printers[view](result, zone, now, followed === true);
  if (result.dryRun) lines.push('dry run: nothing was changed');
  lines.push(...warningLines(result));
  return lines.map((line) => `${line}\n`).join('');
}

function warningLines({ warnings = [] }: Result): string[] {
  return warnings.map((warning) => `warning: ${warning}`);
}

function messageLines({ message }: Result): string[] {
  return message === undefined ? [] : [message];
}

/** What a person needs to begin; passwords and keys are in `sandbox.json`, which only its owner can read. */
function sandboxLines({ sandbox }: Result): string[] {
  const { configuration, directory, temporal, postgres, postgresLeftTo } = (sandbox ?? {}) as Partial<SandboxUp>;
  if (configuration === undefined) return [];
  const isDown = postgresLeftTo !== undefined;
  return [
    `  configuration  ${configuration}`,
    `  PostgreSQL     ${postgres?.version} on port ${postgres?.port}${isDown ? ' (down)' : ''}, programs in ${postgres?.bindir}`,
    `  Temporal UI    ${temporal?.ui}`,
    `  all the rest   ${directory}/sandbox.json (with the passwords)`,
    `next: export HOLDFAST_CONFIG=${configuration}`,
    isDown
      ? `      holdfast show ${postgresLeftTo}`
      : '      holdfast status, holdfast backup database main, holdfast restore database main --to latest --dry-run',
    `end it with: holdfast sandbox down --dir ${directory}`,
  ];
}

function checkLines(result: Result): string[] {
  return (result.components ?? []).flatMap((component) => {
    const { component: id, ok, checks } = component as CheckReport;
    return [
      `${id}  ${ok ? 'ok' : 'NOT OK'}`,
      ...checks.flatMap((check) => [
        `  ${check.ok ? '✔' : '✖'} ${check.name}: ${check.message}`,
        ...(check.ok || check.hint === undefined ? [] : [`      hint: ${check.hint}`]),
      ]),
    ];
  });
}

function snapshotLines(result: Result, zone: string): string[] {
  const snapshots = result.snapshots ?? [];
  if (snapshots.length === 0) return ["no snapshots yet: 'holdfast backup database' takes the first"];
  const rows = snapshots.map((snapshot: SnapshotSummary) => [
    snapshot.id,
    snapshot.component,
    snapshot.capture === 'incremental' ? `${snapshot.kind}, incremental` : snapshot.kind,
    localTime(snapshot.from, zone),
    bytesText(snapshot.bytes.read),
    bytesText(snapshot.bytes.stored),
    Object.entries(snapshot.copies)
      .map(([copy, state]) => (state === 'present' ? copy : `${copy}(${state})`))
      .join(' '),
    snapshot.state === 'clean' ? '' : snapshot.state.toUpperCase(),
  ]);
  return table([['snapshot', 'component', 'kind', `from (${zone})`, 'read', 'stored', 'copies', ''], ...rows]);
}

function runLines(result: Result, zone: string): string[] {
  const runs = result.runs ?? [];
  if (runs.length === 0) return ['no runs yet'];
  const rows = runs.map((run: RunSummary) => [
    run.id,
    run.operation ?? '',
    run.component ?? '',
    run.state ?? '',
    run.startedAt === undefined ? '' : secondsText(run.startedAt, zone),
    run.by ?? '',
    run.endedBy === undefined ? (run.message ?? '') : endedByText(run.endedBy, zone),
  ]);
  return table([['run', 'operation', 'component', 'state', `started (${zone})`, 'by', ''], ...rows]);
}

const setupSigns = { done: '✔', present: '✔', planned: '○', failed: '✖', skipped: '–' } as const;

function setupLines({ setup }: Result): string[] {
  return (setup?.steps ?? []).flatMap(({ name, state, message, error }) => [
    `${setupSigns[state]} ${name}  ${message}`,
    ...(error ? [`    ${error.code}: ${error.message}`, `    hint: ${error.hint}`] : []),
  ]);
}

function scheduleLines(result: Result): string[] {
  const rows = (result.schedules ?? []).map((schedule) =>
    'change' in schedule ? changeRow(schedule) : scheduleRow(schedule),
  );
  return rows.length === 0
    ? ["no schedules: 'holdfast schedules apply' makes those of the configuration"]
    : table(rows);
}

function changeRow({ id, change, spec }: ScheduleChange): string[] {
  return [change, id, spec];
}

function scheduleRow(schedule: ScheduleStatus): string[] {
  const { component, kind, spec, timezone, paused, next, last, missed, drift } = schedule;
  const notes = [
    paused ? 'PAUSED' : '',
    missed > 0 ? `${missed} missed` : '',
    drift === undefined ? '' : `${drift}: run 'holdfast schedules apply'`,
  ].filter((note) => note !== '');
  return [
    `${component} ${kind}`,
    `${spec} ${timezone}`,
    `next ${next ? secondsText(next, timezone) : 'never'}`,
    last ? `last ${secondsText(last.at, timezone)}${last.state ? ` ${last.state}` : ''}` : 'no run yet',
    notes.join(', '),
  ];
}

/** Wall-clock time of a moment that need not be shown to the microsecond. */
function secondsText(iso: string, zone: string): string {
  return localTime(momentFromDate(new Date(Math.floor(Date.parse(iso) / 1000) * 1000)), zone);
}
