// A run as people read it: where it stands, its steps, what it gave, and what to try next.

import type { SnapshotSummary, WindowSummary } from '../../domain/component-report.ts';
import type { StepStatus } from '../../domain/operations.ts';
import type { PointResult, RestoreResult } from '../../domain/run-data.ts';
import { damageWords, NOT_READABLE } from '../../domain/snapshot-words.ts';
import type { Result } from '../result.ts';
import { waitingPlan } from '../waiting-plan.ts';
import { checkLine } from './check.ts';
import { configurationLines, pushLine } from './configuration.ts';
import { filesRestoredLines, renderFilesPlan } from './files.ts';
import { integrityLines } from './integrity.ts';
import { loadLines, renderLoadPlan } from './load.ts';
import { partLines, renderPartPlan } from './part.ts';
import { renderPlan } from './plan.ts';
import { redisLines, redisRestoredLines, renderRedisPlan } from './redis.ts';
import { leftLines, sinceLines } from './restore-end.ts';
import { heldLines, markLines, sweepLines } from './retention.ts';
import { bytesText, counted, durationMsText, fullTime } from './words.ts';

/** With `followed` the steps and the page in the UI were shown while the run went on, and are left out. */
export function renderRun(result: Result, zone: string, followed = false): string[] {
  const { filesPlan, filesRestored, redisPlan, redisRestored } = result;
  const { run, steps, plan, load, loadPlan, part, partPlan, snapshot, point, restore, progress, server } = result;
  const lines: string[] = [];
  if (run) {
    lines.push(`${run.id}  ${[run.operation, run.component].filter(Boolean).join(' ')}  ${result.state}`);
    // The lines of the snapshot say the same, and the error is told last.
    const isTold =
      snapshot !== undefined ||
      load !== undefined ||
      filesRestored !== undefined ||
      redisRestored !== undefined ||
      part !== undefined ||
      point !== undefined ||
      result.message === result.error?.message;
    if (result.message && !isTold) lines.push(`  ${result.message}`);
    if (!followed && run.url) lines.push(`  ${run.url}`);
  }
  const told = followed ? [] : (steps?.filter((step) => step.state !== 'pending') ?? []);
  lines.push(...told.map(stepLine));
  if (plan && restore === undefined && result.state !== 'completed') lines.push(...renderPlan(plan, zone));
  if (filesPlan && filesRestored === undefined && result.state !== 'completed')
    lines.push(...renderFilesPlan(filesPlan, zone));
  if (redisPlan && redisRestored === undefined && result.state !== 'completed')
    lines.push(...renderRedisPlan(redisPlan, zone));
  if (redisRestored) lines.push(...redisRestoredLines(redisRestored, result, zone));
  if (filesRestored) lines.push(...filesRestoredLines(filesRestored, result, zone));
  if (loadPlan && load === undefined && result.state !== 'completed') lines.push(...renderLoadPlan(loadPlan, zone));
  if (partPlan && part === undefined && result.state !== 'completed') lines.push(...renderPartPlan(partPlan, zone));
  if (part) lines.push(...partLines(part, zone));
  if (load) lines.push(...loadLines(load, zone));
  if (snapshot) lines.push(...snapshotLines(snapshot, zone));
  if (result.push) lines.push(pushLine(result.push));
  if (point) lines.push(...pointLines(point, zone));
  if (restore) lines.push(...restoreLines(restore, result, zone));
  lines.push(...sinceLines(result, zone));
  if (progress && progress.objects + progress.remaining > 0)
    lines.push(`  ${bytesText(progress.bytes)} in ${progress.objects} objects copied, ${progress.remaining} to go`);
  lines.push(...heldLines(result), ...sweepLines(result), ...markLines(result), ...integrityLines(result));
  if (server) lines.push(`  server of ${server.dataDirectory} ${server.stopped ? 'stopped' : 'was not running'}`);
  const waiting = waitingPlan(result);
  if (result.state === 'waiting' && waiting && run) {
    lines.push(`waits for approval: holdfast approve ${run.id} --plan ${waiting.digest}`);
  }
  if (result.state === 'running' && run && !followed) lines.push(`watch it: holdfast show ${run.id}`);
  return lines;
}

const signs: Readonly<Record<StepStatus['state'], string>> = {
  pending: ' ',
  running: '…',
  done: '✔',
  failed: '✖',
  undone: '↶',
  'undo failed': '✖',
  skipped: '–',
};

export function stepLine(step: StepStatus): string {
  const took =
    step.startedAt && step.endedAt
      ? `  (${durationMsText(Date.parse(step.endedAt) - Date.parse(step.startedAt))})`
      : '';
  const state = step.state === 'done' || step.state === 'running' ? '' : `  ${step.state}`;
  return `  ${signs[step.state]} ${step.name}${state}${step.note ? `  ${step.note}` : ''}${took}`;
}

function snapshotLines(snapshot: SnapshotSummary, zone: string): string[] {
  const { bytes, copies } = snapshot;
  const way = snapshot.parent === undefined ? '' : `, laid over ${snapshot.parent}`;
  return [
    `  snapshot ${snapshot.id}  ${snapshot.kind}, ${snapshot.state}, ${fullTime(snapshot.to, zone)}${way}`,
    `  read ${bytesText(bytes.read)}, new ${bytesText(bytes.new)}, stored ${bytesText(bytes.stored)} ${onCopies(copies, 'present', 'on each of')}`,
    ...(snapshot.damaged?.relations ?? []).map((relation) => `  ${damageWords(relation)}`),
    ...factsLines(snapshot.facts),
    ...filesLines(snapshot.files),
    ...redisLines(snapshot.redis),
    ...configurationLines(snapshot.configuration),
  ];
}

/** Where it is, and apart from that where it is not: `on each of local, us; not on eu (away)`. */
function onCopies(copies: Readonly<Record<string, string>>, wanted: string, on: string): string {
  const all = Object.entries(copies);
  const there = all.flatMap(([copy, state]) => (state === wanted ? [copy] : []));
  const others = all.flatMap(([copy, state]) => (state === wanted ? [] : [`${copy} (${state})`]));
  const where = there.length === 0 ? 'on no copy' : `${on} ${there.join(', ')}`;
  return others.length === 0 ? where : `${where}; not on ${others.join(', ')}`;
}

function factsLines(facts: SnapshotSummary['facts']): string[] {
  if (facts === undefined) return [];
  const { databases, tables, counted: exact, rows, maxima, notCounted = {} } = facts;
  const estimated = tables === exact ? '' : `, ${tables - exact} of them estimated`;
  const columns = maxima === 0 ? '' : `, ${counted(maxima, 'maximum', 'maxima')}`;
  const left = Object.entries(notCounted).map(([why, count]) => `; ${counted(count, 'table')} not counted: ${why}`);
  const grant =
    "  hint: the backup has all of them; `GRANT pg_read_all_data TO` the role of 'url' lets them be counted, too, and compared after a restore";
  return [
    `  facts of ${counted(databases, 'database')}: ${counted(rows, 'row')} in ${counted(tables, 'table')}${estimated}${columns}${left.join('')}`,
    ...(notCounted[NOT_READABLE] === undefined ? [] : [grant]),
  ];
}

function filesLines(files: SnapshotSummary['files']): string[] {
  if (files === undefined) return [];
  const { files: count, directories, others, sizeBytes, unchangedFiles } = files;
  const rest = others === 0 ? '' : `, ${counted(others, 'link or other', 'links and others')}`;
  return [
    `  ${counted(count, 'file')} of ${bytesText(sizeBytes)} in ${counted(directories, 'directory', 'directories')}${rest}; ${counted(unchangedFiles, 'file')} taken over unread`,
  ];
}

function pointLines({ lsn, timeline, at, way, copies }: PointResult, zone: string): string[] {
  return [
    `  point at ${lsn} on timeline ${timeline}, ${fullTime(at, zone)}, by a ${way}; no snapshot`,
    `  log without a gap since a base backup ${onCopies(copies, 'reached', 'on')}`,
  ];
}

function restoreLines(restore: RestoreResult, result: Result, zone: string): string[] {
  const { timingsMs: ms } = restore;
  const lines = [
    `  recovered to ${fullTime(restore.recoveredTo, zone)} at ${restore.recoveredLsn}`,
    `  data in ${restore.dataDirectory}`,
    `  took ${durationMsText(ms.total)}: fetch ${durationMsText(ms.fetch)}, replay ${durationMsText(ms.replay)}, ` +
      `promote ${durationMsText(ms.promote)}, checks ${durationMsText(ms.checks)}` +
      `${ms.swap === undefined ? '' : `, swap ${durationMsText(ms.swap)}`}`,
  ];
  lines.push(...(restore.checks ?? []).map(checkLine));
  const { oldDataDirectory, connection } = restore;
  const kept = oldDataDirectory && `old data kept in ${oldDataDirectory}`;
  const server = connection && `connect with ${connection}`;
  if (kept === undefined && result.plan?.mode !== 'in place')
    return [...lines, ...leftLines(restore.id, { server }, result)];
  if (server !== undefined) lines.push(`  ${server}`);
  return [...lines, ...leftLines(restore.id, { kept }, result)];
}

export function windowLine(window: WindowSummary, zone: string): string {
  const { from, to, timeline, snapshots } = window;
  const where = timeline === undefined ? `, ${counted(snapshots ?? 0, 'snapshot')}` : ` on timeline ${timeline}`;
  return `window ${fullTime(from, zone)} → ${fullTime(to, zone)}${where}`;
}
