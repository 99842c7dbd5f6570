// What retention keeps and why, what it names, what it deleted, as people read it.

import type { Configuration } from '../../../config/index.ts';
import { writeDuration } from '../../domain/duration.ts';
import type {
  ComponentRetention,
  HoldSummary,
  PlannedSnapshot,
  RetentionPlan,
  TombstoneSummary,
} from '../../domain/retention-report.ts';
import type { Result } from '../result.ts';
import { bytesText, counted, fullTime, localTime, table } from './words.ts';

export function retentionLines(plan: RetentionPlan, zone: string): string[] {
  if (plan.refused !== undefined) {
    return [`nothing can be marked or deleted now: ${plan.refused.message}`, `    hint: ${plan.refused.hint}`];
  }
  const holds = plan.holds.map((hold) => holdLine(hold, zone));
  if (plan.components.length === 0) {
    return ["no component has 'keep' in the configuration: nothing is ever deleted", ...holds];
  }
  return [
    ...plan.components.flatMap((component) => componentLines(component, zone)),
    ...plan.tombstones.map((tombstone) => tombstoneLine(tombstone, zone)),
    ...holds,
    ...copyLines(plan),
  ];
}

function holdLine({ id, component, snapshot, reason, until, by }: HoldSummary, zone: string): string {
  const end = until === undefined ? '' : ` until ${localTime(until, zone)}`;
  return `hold ${id} on ${snapshot ?? `all of ${component}`}${end} by ${by}: ${reason}`;
}

/** As far as the hold could be kept locked; where it could not is a warning. */
export function lockedWords(
  { until: end, locks = [] }: HoldSummary,
  { timezone, retention }: Pick<Configuration, 'timezone' | 'retention'>,
): string {
  const locked = locks.flatMap(({ copy, until }) => (until === undefined ? [] : [{ copy, until }]));
  if (locked.length === 0) return '';
  const words = locked.map(({ copy, until }) => `on ${copy} at least until ${fullTime(until, timezone)}`).join(', ');
  const isToItsEnd = end !== undefined && locked.every(({ until }) => until >= end);
  const longer = `, and longer with each run of retention (${retention.schedule}), until the hold ends`;
  return `; what it keeps is locked ${words}${isToItsEnd ? '' : longer}`;
}

function componentLines(component: ComponentRetention, zone: string): string[] {
  const { component: id, policy, snapshots, window, refused, generations, logObjects, log, garbagePacks } = component;
  const words = Object.entries(policy).map(([name, rules]) => `${name} ${rules}`);
  const head = `${id}  keeps ${words.join('; ')}`;
  const rows = table(snapshots.map((snapshot) => snapshotRow(snapshot, zone)));
  if (refused !== undefined) {
    return [head, ...rows.map((row) => `  ${row}`), `  REFUSED: ${refused.message}`, `    hint: ${refused.hint}`];
  }
  const windows = Object.entries(window).map(
    ([system, from]) =>
      `  log of cluster ${system}: all from the base before ${localTime(from, zone)}, and around each snapshot`,
  );
  const freed = generations.reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    head,
    ...rows.map((row) => `  ${row}`),
    ...windows,
    `  to be marked: ${counted(generations.length, 'generation')} (${bytesText(freed)}), ${counted(logObjects, 'object')} of log, ${counted(garbagePacks, 'stray pack')}`,
    ...log.map(({ words, objects, bytes }) => `    log ${words}: ${counted(objects, 'object')}, ${bytesText(bytes)}`),
  ];
}

function snapshotRow(
  { id, class: name, to, state, reasons, since, tombstone }: PlannedSnapshot,
  zone: string,
): string[] {
  const damage = state === 'clean' ? '' : ', DAMAGED';
  const kept = reasons.map(
    ({ words, until }) => `${words}${until === undefined ? '' : ` (until ${localTime(until, zone)})`}`,
  );
  const lost = since === undefined ? 'not needed' : `not needed since ${localTime(since, zone)}`;
  const named = tombstone === undefined ? 'to be marked' : `marked by ${tombstone}`;
  return [
    id,
    `${name}${damage}`,
    localTime(to, zone),
    reasons.length > 0 ? `kept: ${kept.join('; ')}` : `${lost}, ${named}`,
  ];
}

function tombstoneLine(tombstone: TombstoneSummary, zone: string): string {
  const { id, state, due, snapshots, generations, packs, logObjects, bytes, swept } = tombstone;
  const what = [
    counted(snapshots.length, 'snapshot'),
    counted(generations, 'generation'),
    counted(logObjects, 'object of log', 'objects of log'),
    ...(packs > 0 ? [counted(packs, 'stray pack')] : []),
  ].join(', ');
  const when = due === undefined ? 'waits until every copy has it' : `${state}, ${localTime(due, zone)}`;
  const done = swept.length === 0 ? '' : `; nothing left on ${swept.join(', ')}`;
  return `tombstone ${id}  ${what}, ${bytesText(bytes)}: ${when}${done}`;
}

function copyLines({ copies, graceSeconds }: RetentionPlan): string[] {
  const rows = Object.entries(copies).map(([copy, { total, mark, due }]) => [
    copy,
    bytesText(total.bytes),
    `${bytesText(due.bytes)} (${due.objects})`,
    `${bytesText(mark.bytes)} (${mark.objects})`,
  ]);
  const grace = writeDuration(graceSeconds);
  return table([['copy', 'holds', 'deleted now (objects)', `marked, deleted after ${grace}`], ...rows]);
}

export function heldLines({ held = [] }: Result): string[] {
  return held.flatMap(({ copy, extended, error }) => [
    ...(extended === 0 ? [] : [`  ${copy}: the locks of ${counted(extended, 'held object')} were extended`]),
    ...(error === undefined ? [] : [`  NOT KEPT LOCKED on ${copy}, though held: ${error.message}`]),
  ]);
}

export function sweepLines({ sweep }: Result): string[] {
  if (sweep === undefined) return [];
  const deleted = Object.entries(sweep.deleted).map(
    ([copy, { objects, bytes }]) => `${copy} ${bytesText(bytes)} in ${counted(objects, 'object')}`,
  );
  return [
    `  deleted ${deleted.join(', ')}; snapshots gone: ${sweep.snapshots.join(', ') || 'none'}`,
    ...Object.entries(sweep.kept).map(
      ([copy, count]) =>
        `  ${copy} refused to delete ${counted(count, 'object')} (locked?): tried again by the next run`,
    ),
    ...(sweep.released.length === 0 ? [] : [`  needed again and kept: ${sweep.released.join(', ')}`]),
    ...sweep.refused.map(({ error }) => `  REFUSED: ${error.message}`),
  ];
}

export function markLines({ mark, timezone = 'UTC' }: Result): string[] {
  if (mark === undefined) return [];
  return [
    ...(mark.tombstone === undefined ? ['  nothing new to mark'] : [`  ${tombstoneLine(mark.tombstone, timezone)}`]),
    ...mark.refused.map(({ error }) => `  REFUSED: ${error.message}`),
  ];
}
