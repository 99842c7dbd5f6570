// What of the snapshots of a component is not as its schedules promise: none, a damaged one, one that is late.

import type { ComponentSettings } from '../../config/index.ts';
import type { Finding } from '../domain/component-report.ts';
import { momentFromDate, shortMoment, unixMicros } from '../domain/moment.ts';
import type { PointResult } from '../domain/run-data.ts';
import { parseSchedule, previousOccurrenceMs, schedulePeriodSeconds } from '../domain/schedule.ts';
import { fewerFiles, hasFarFewer } from '../domain/snapshot-words.ts';
import type { FilesDetails } from '../files/index.ts';
import type { PhysicalDetails } from '../postgres/types.ts';
import type { SnapshotOnCopies } from '../vault/index.ts';
import type { ComponentFacts } from './component-status.ts';

/** A run may take this part of its period before it is called late, at most an hour. */
const LATE_AFTER = { partOfPeriod: 0.25, atMostSeconds: 3600 } as const;

interface Promised {
  readonly what: string;
  /** As `show` takes it. */
  readonly run: string;
  /** Whether the snapshot keeps the promise. */
  readonly keeps: (snapshot: SnapshotOnCopies) => boolean;
  /** A point keeps it too: what servers give that take no incremental backups. */
  readonly orPoint?: true;
}

type Promises<Kind extends ComponentSettings['kind']> = Readonly<
  Record<keyof Extract<ComponentSettings, { kind: Kind }>['backup'], Promised>
>;

/** What each line of `backup:` promises; of a database, a full one keeps what an incremental one would. */
const promises: { readonly [Kind in ComponentSettings['kind']]: Promises<Kind> } = {
  database: {
    full: { what: 'backup', run: 'backup', keeps: (snapshot) => isBase(snapshot) && snapshot.class !== 'incremental' },
    incremental: { what: 'incremental backup', run: 'incremental', keeps: isBase, orPoint: true },
    logical: { what: 'dump', run: 'dump', keeps: (snapshot) => !isBase(snapshot) },
  },
  redis: {
    rdb: { what: 'snapshot', run: 'backup', keeps: ({ kind }) => kind === 'rdb' },
    aof: { what: 'capture of append-only files', run: 'aof', keeps: ({ kind }) => kind === 'aof' },
  },
  files: { snapshot: { what: 'snapshot', run: 'backup', keeps: () => true } },
  configuration: { snapshot: { what: 'snapshot', run: 'backup', keeps: () => true } },
};

export function snapshotFindings(facts: ComponentFacts): Finding[] {
  const { settings, snapshots } = facts;
  const findings: Finding[] = [];
  const latest = snapshots.find(isBase);
  if (latest === undefined) {
    findings.push(late('there is no snapshot yet', `take one with \`holdfast backup ${settings.id}\``));
  } else if (latest.state === 'damaged') {
    const run = latest.class === 'incremental' ? 'incremental' : 'backup';
    findings.push(
      late(`the newest snapshot ${latest.id} ${lacks(latest)}`, `see \`holdfast show ${run}/${settings.id}\``),
    );
  }
  if (latest !== undefined) findings.push(...farFewer(latest, snapshots));
  const own: Readonly<Record<string, Promised>> = promises[settings.kind];
  for (const [name, spec] of Object.entries(settings.backup)) {
    const promise = own[name];
    // That there is no base backup at all is a finding of its own.
    if (promise === undefined || spec === undefined || (latest === undefined && name !== 'logical')) continue;
    findings.push(...lateness(facts, promise, spec));
  }
  return findings;
}

/** Whoever lost the files may be who asks for the status. Until the next snapshot: what is gone then is what there is. */
function farFewer({ id, component, engine }: SnapshotOnCopies, snapshots: readonly SnapshotOnCopies[]): Finding[] {
  const { files, filesBefore = 0 } = (engine ?? {}) as Partial<FilesDetails>;
  if (files === undefined || !hasFarFewer({ files, filesBefore })) return [];
  const before = snapshots[snapshots.findIndex((each) => each.id === id) + 1];
  const diff = component.startsWith('files/')
    ? `holdfast files diff ${before?.id} ${id} ${component}`
    : `holdfast configuration diff ${before?.id} ${id}`;
  const hint = before ? `\`${diff}\` tells what is gone` : `\`holdfast list ${component}\` shows the snapshots`;
  return [{ severity: 'warning', message: `snapshot ${id} has ${fewerFiles(files, filesBefore)}`, hint }];
}

function lacks(snapshot: SnapshotOnCopies): string {
  return snapshot.kind === 'physical'
    ? `has damaged pages${damagedIn(snapshot)}`
    : 'lacks what could not be read, or was not whole';
}

/** The first relations by name; the run tells all. */
const MOST_NAMED = 3;

function damagedIn({ engine }: SnapshotOnCopies): string {
  const { relations = [], moreRelations = 0 } = (engine as PhysicalDetails).damaged ?? {};
  if (relations.length === 0) return '';
  const named = relations
    .slice(0, MOST_NAMED)
    .map(({ kind, name, path }) => (name === undefined ? `'${path}'` : `${kind} ${name}`));
  const more = relations.length - named.length + moreRelations;
  return ` in ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** A dump is no base for a recovery to a moment. */
function isBase({ kind }: SnapshotOnCopies): boolean {
  return kind !== 'logical';
}

function lateness(facts: ComponentFacts, { what, run, keeps, orPoint }: Promised, spec: string): Finding[] {
  const { configuration, settings, snapshots, now } = facts;
  const schedule = parseSchedule(spec);
  const grace = Math.min(schedulePeriodSeconds(schedule) * LATE_AFTER.partOfPeriod, LATE_AFTER.atMostSeconds);
  const dueMs = previousOccurrenceMs(schedule, configuration.timezone, now.getTime() - grace * 1000);
  const snapshot = snapshots.find(keeps);
  const moments = [snapshot?.from, orPoint && newestPoint(facts)].filter((moment) => moment !== undefined);
  if (moments.some((moment) => Number(unixMicros(moment) / 1000n) >= dueMs)) return [];
  const due = shortMoment(momentFromDate(new Date(dueMs)));
  return [
    late(
      `the ${what} of '${spec}' that was due at ${due} has not finished`,
      `see \`holdfast show ${run}/${settings.id}\` and \`holdfast schedules list\``,
    ),
  ];
}

/** When the newest point was made that a run has shown to be on enough copies. */
function newestPoint({ history }: ComponentFacts): PointResult['at'] | undefined {
  const points = history.flatMap(({ state, data }) => {
    const point = data?.point as PointResult | undefined;
    return state === 'completed' && point !== undefined ? [point.at] : [];
  });
  return points.sort().at(-1);
}

export function late(message: string, hint: string): Finding {
  return { severity: 'late', message, hint };
}
