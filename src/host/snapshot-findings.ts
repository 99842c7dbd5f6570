// What of the snapshots of a component is not as its schedules promise: none, a damaged one, one that is late.

import type { DatabaseSettings } from '../../config/index.ts';
import type { Finding } from '../domain/component-report.ts';
import { momentFromDate, shortMoment, unixMicros } from '../domain/moment.ts';
import { parseSchedule, previousOccurrenceMs, schedulePeriodSeconds } from '../domain/schedule.ts';
import type { SnapshotKind } from '../domain/states.ts';
import type { ComponentFacts } from './component-status.ts';

/** A run may take this part of its period before it is called late, at most an hour. */
const LATE_AFTER = { partOfPeriod: 0.25, atMostSeconds: 3600 } as const;

/** What a line of `backup:` promises: which snapshots keep it, and the run that takes them. */
const promised: Readonly<
  Record<keyof DatabaseSettings['backup'], { readonly kind: SnapshotKind; readonly what: string; readonly run: string }>
> = {
  full: { kind: 'physical', what: 'backup', run: 'backup' },
  logical: { kind: 'logical', what: 'dump', run: 'dump' },
};

export function snapshotFindings(facts: ComponentFacts): Finding[] {
  const { database, snapshots } = facts;
  const findings: Finding[] = [];
  // A dump is no base for a recovery to a moment.
  const latest = snapshots.find(({ kind }) => kind !== 'logical');
  if (latest === undefined) {
    findings.push(late('there is no snapshot yet', `take one with \`holdfast backup ${database.id}\``));
  } else if (latest.state === 'damaged') {
    const show = `see \`holdfast show backup/${database.id}\``;
    findings.push(late(`the newest snapshot ${latest.id} has damaged pages`, show));
  }
  for (const [name, spec] of Object.entries(database.backup)) {
    findings.push(...lateness(facts, name as keyof DatabaseSettings['backup'], spec));
  }
  return findings;
}

function lateness(
  { configuration, database, snapshots, now }: ComponentFacts,
  name: keyof DatabaseSettings['backup'],
  spec: string,
): Finding[] {
  const { kind, what, run } = promised[name];
  const latest = snapshots.find((snapshot) => snapshot.kind === kind);
  // That there is no base backup at all is a finding of its own.
  if (latest === undefined && kind === 'physical') return [];
  const schedule = parseSchedule(spec);
  const grace = Math.min(schedulePeriodSeconds(schedule) * LATE_AFTER.partOfPeriod, LATE_AFTER.atMostSeconds);
  const dueMs = previousOccurrenceMs(schedule, configuration.timezone, now.getTime() - grace * 1000);
  if (latest !== undefined && Number(unixMicros(latest.from) / 1000n) >= dueMs) return [];
  const due = shortMoment(momentFromDate(new Date(dueMs)));
  return [
    late(
      `the ${what} of '${spec}' that was due at ${due} has not finished`,
      `see \`holdfast show ${run}/${database.id}\` and \`holdfast schedules list\``,
    ),
  ];
}

function late(message: string, hint: string): Finding {
  return { severity: 'late', message, hint };
}
