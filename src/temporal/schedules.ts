// The `backup:` lines, the mirrors, the retention and the verification of the configuration as Temporal Schedules: made, changed and removed until both say the same.

import { type Client, type ScheduleDescription, ScheduleNotFoundError, type ScheduleOptions } from '@temporalio/client';
import { type ComponentSettings, type Configuration, componentsOf, retentionHost } from '../../config/index.ts';
import type { ComponentId } from '../domain/component.ts';
import { isOperation, runId, scheduleIds, taskQueues } from '../domain/ids.ts';
import type {
  ApplyRetentionInput,
  BackupConfigurationInput,
  BackupDatabaseInput,
  BackupFilesInput,
  BackupRedisInput,
  DumpDatabaseInput,
  MirrorFilesInput,
  RunStatus,
  VerifySnapshotsInput,
} from '../domain/operations.ts';
import { parseSchedule } from '../domain/schedule.ts';
import type { ScheduleChange, ScheduleStatus } from '../domain/schedule-report.ts';
import { startAttributes } from './search-attributes.ts';

/** A worker that was down longer than this makes one backup when it is back, not all that were missed. */
const catchupWindowMs = 6 * 3_600_000;

interface Wanted {
  readonly id: string;
  readonly component: ScheduleStatus['component'];
  readonly kind: string;
  readonly spec: string;
  readonly options: ScheduleOptions;
}

export async function applySchedules(
  client: Client,
  configuration: Configuration,
  { dryRun }: { readonly dryRun: boolean },
): Promise<readonly ScheduleChange[]> {
  const wanted = wantedSchedules(configuration);
  const present = await presentSchedules(client, configuration.name, wanted);
  const changes: ScheduleChange[] = [];
  for (const schedule of wanted) {
    const found = present.get(schedule.id);
    const change = found === undefined ? 'created' : isSame(schedule, found) ? 'unchanged' : 'updated';
    if (!dryRun) await applyOne(client, schedule, change);
    changes.push({ id: schedule.id, change, spec: schedule.spec });
  }
  for (const [id, found] of present) {
    if (wanted.some((schedule) => schedule.id === id)) continue;
    if (!dryRun) await client.schedule.getHandle(id).delete();
    changes.push({ id, change: 'removed', spec: specOf(found) });
  }
  return changes;
}

async function applyOne(client: Client, { id, options }: Wanted, change: ScheduleChange['change']): Promise<void> {
  if (change === 'created') await client.schedule.create(options);
  if (change !== 'updated') return;
  const { scheduleId: _id, memo: _memo, ...rest } = options;
  // Whether it is paused is the operator's decision, not the configuration's.
  await client.schedule
    .getHandle(id)
    .update(({ state }) => ({ ...rest, state: { ...rest.state, paused: state.paused } }));
}

export async function listSchedules(client: Client, configuration: Configuration): Promise<readonly ScheduleStatus[]> {
  const wanted = wantedSchedules(configuration);
  const present = await presentSchedules(client, configuration.name, wanted);
  const statuses = wanted.map(async (schedule): Promise<ScheduleStatus> => {
    const { id, component, kind, spec } = schedule;
    const named = { id, component, kind, spec, timezone: configuration.timezone };
    const found = present.get(id);
    if (found === undefined) return { ...named, paused: false, missed: 0, drift: 'missing' };
    return {
      ...named,
      ...(await seen(client, found)),
      ...(isSame(schedule, found) ? {} : { drift: 'different' as const }),
    };
  });
  const surplus = [...present.values()]
    .filter((found) => !wanted.some(({ id }) => id === found.scheduleId))
    .map(async (found): Promise<ScheduleStatus> => {
      const [component, kind] = namesIn(configuration.name, found.scheduleId);
      const { timezone = 'UTC' } = found.spec;
      const named = { id: found.scheduleId, component, kind, spec: specOf(found), timezone };
      return { ...named, ...(await seen(client, found)), drift: 'surplus' };
    });
  return await Promise.all([...statuses, ...surplus]);
}

function wantedSchedules(configuration: Configuration): Wanted[] {
  const backups = componentsOf(configuration).flatMap((settings) =>
    Object.entries(settings.backup).map(([kind, spec]) => backupSchedule(configuration, settings, kind, spec)),
  );
  return [
    ...backups,
    ...mirrorSchedules(configuration),
    ...retentionSchedule(configuration),
    ...verifySchedule(configuration),
  ];
}

function backupSchedule(
  configuration: Configuration,
  { id: component, kind: componentKind, host }: ComponentSettings,
  kind: string,
  text: string,
): Wanted {
  const { name } = configuration;
  const asked = { estate: name, component, host, by: 'schedule' };
  const id = scheduleIds.backup(name, component, kind);
  const what = kind === 'snapshot' ? `snapshot of ${component}` : `${kind} backup of ${component}`;
  const lines: Readonly<Record<string, Begins>> = backupLines[componentKind];
  const begun = (lines[kind] as Begins)(asked);
  return wantedSchedule(configuration, { id, component, kind, text, what, ...begun });
}

/** Beside the runs that follow each snapshot. */
function mirrorSchedules(configuration: Configuration): Wanted[] {
  const { name, files } = configuration;
  return Object.values(files).flatMap(({ id: component, host, mirror }) => {
    const text = mirror?.schedule;
    if (text === undefined) return [];
    const input: MirrorFilesInput = { estate: name, component, host, by: 'schedule' };
    const named = { id: scheduleIds.mirror(name, component), component, kind: 'mirror' } as const;
    const what = `mirror of ${component}`;
    return [wantedSchedule(configuration, { ...named, text, what, workflowType: 'mirrorFiles', input })];
  });
}

/** Only where something is to be kept for a time, or to be kept locked while it is held. */
function retentionSchedule(configuration: Configuration): Wanted[] {
  const { name, retention } = configuration;
  const host = retentionHost(configuration);
  if (host === undefined) return [];
  const input: ApplyRetentionInput = { estate: name, host, by: 'schedule' };
  const named = { id: scheduleIds.retention(name), component: 'vault', kind: 'retention' } as const;
  const what = 'retention of the vault';
  return [
    wantedSchedule(configuration, { ...named, text: retention.schedule, what, workflowType: 'applyRetention', input }),
  ];
}

/** Only where the configuration asks for it. */
function verifySchedule(configuration: Configuration): Wanted[] {
  const { name, verify } = configuration;
  const [first] = componentsOf(configuration);
  if (verify === undefined || first === undefined) return [];
  const { schedule: text, ...scope } = verify;
  const input: VerifySnapshotsInput = { estate: name, host: first.host, by: 'schedule', ...scope };
  const named = { id: scheduleIds.verify(name), component: 'vault', kind: 'verify' } as const;
  const what = 'verification of the vault';
  return [wantedSchedule(configuration, { ...named, text, what, workflowType: 'verifySnapshots', input })];
}

type Asked = Pick<BackupDatabaseInput, 'estate' | 'component' | 'host' | 'by'>;

type Begins = (asked: Asked) => Pick<Timed, 'workflowType' | 'input'>;
type Lines<Kind extends ComponentSettings['kind']> = Readonly<
  Record<keyof Extract<ComponentSettings, { kind: Kind }>['backup'], Begins>
>;

/** What a line of `backup:` starts, by the kind of component. */
const backupLines: { readonly [Kind in ComponentSettings['kind']]: Lines<Kind> } = {
  database: {
    full: (asked) => ({ workflowType: 'backupDatabase', input: { ...asked, kind: 'physical' } }),
    incremental: (asked) => ({ workflowType: 'backupDatabase', input: { ...asked, kind: 'incremental' } }),
    logical: (asked) => ({ workflowType: 'dumpDatabase', input: asked }),
  },
  redis: {
    rdb: (asked) => ({ workflowType: 'backupRedis', input: { ...asked, kind: 'rdb' } }),
    aof: (asked) => ({ workflowType: 'backupRedis', input: { ...asked, kind: 'aof' } }),
  },
  files: { snapshot: (asked) => ({ workflowType: 'backupFiles', input: asked }) },
  configuration: { snapshot: (asked) => ({ workflowType: 'backupConfiguration', input: asked }) },
};

interface Timed {
  readonly id: string;
  readonly component: ScheduleStatus['component'];
  readonly kind: string;
  /** As written in the configuration. */
  readonly text: string;
  readonly what: string;
  readonly workflowType: RunStatus['operation'];
  readonly input:
    | BackupDatabaseInput
    | DumpDatabaseInput
    | BackupRedisInput
    | BackupFilesInput
    | BackupConfigurationInput
    | MirrorFilesInput
    | ApplyRetentionInput
    | VerifySnapshotsInput;
}

function wantedSchedule({ name, timezone }: Configuration, timed: Timed): Wanted {
  const { id, component, kind, text, what, workflowType, input } = timed;
  const schedule = parseSchedule(text);
  const spec =
    schedule.type === 'interval'
      ? { intervals: [{ every: schedule.everySeconds * 1000 }], timezone }
      : {
          calendars: [
            {
              hour: schedule.hour,
              minute: schedule.minute,
              ...(schedule.weekday === undefined ? {} : { dayOfWeek: schedule.weekday.toUpperCase() as 'SUNDAY' }),
            },
          ],
          timezone,
        };
  const options: ScheduleOptions = {
    scheduleId: id,
    spec,
    action: {
      type: 'startWorkflow',
      workflowType,
      workflowId: id,
      taskQueue: taskQueues.control(name),
      args: [input],
      staticSummary: `${what}, ${text}`,
      typedSearchAttributes: startAttributes(workflowType, input),
    },
    // A run that failed is tried again at its next time: pausing would make one failure many.
    policies: { overlap: 'SKIP', catchupWindow: catchupWindowMs, pauseOnFailure: false },
    state: { note: noteFor(text, timezone, what) },
  };
  return { id, component, kind, spec: text, options };
}

/** What the UI shows, and by which a schedule that says something else is known. */
function noteFor(spec: string, timezone: string, what: string): string {
  return `${spec} (${timezone}): ${what}, from the configuration file`;
}

function specOf(found: ScheduleDescription): string {
  return found.state.note?.split(' (')[0] ?? 'unknown';
}

/**
 * The server's list learns of what was made or removed a moment later: those that are wanted are asked for by name, and of those that are listed
 * some may be gone.
 */
async function presentSchedules(
  client: Client,
  estate: string,
  wanted: readonly Wanted[],
): Promise<Map<string, ScheduleDescription>> {
  const ids = new Set(wanted.map(({ id }) => id));
  for await (const { scheduleId } of client.schedule.list()) {
    if (['backup', 'mirror', 'retention', 'verify'].some((kind) => scheduleId.startsWith(`${estate}/${kind}/`)))
      ids.add(scheduleId);
  }
  const present = new Map<string, ScheduleDescription>();
  for (const id of ids) {
    const found = await client.schedule.getHandle(id).describe().catch(ifNotFound);
    if (found !== undefined) present.set(id, found);
  }
  return present;
}

function ifNotFound(error: unknown): undefined {
  if (!(error instanceof ScheduleNotFoundError)) throw error;
}

function isSame({ options }: Wanted, found: ScheduleDescription): boolean {
  const { action, policies, state } = options;
  return (
    sameTimes(options.spec, found) &&
    found.state.note === state?.note &&
    found.action.workflowType === action.workflowType &&
    found.action.taskQueue === action.taskQueue &&
    JSON.stringify(found.action.args) === JSON.stringify(action.args) &&
    found.policies.overlap === policies?.overlap &&
    found.policies.catchupWindow === policies?.catchupWindow &&
    found.policies.pauseOnFailure === policies?.pauseOnFailure
  );
}

/** Compares what the server made of the times; the note alone could be right beside a spec that somebody changed. */
function sameTimes(wanted: ScheduleOptions['spec'], { spec }: ScheduleDescription): boolean {
  const [calendar, ...moreCalendars] = spec.calendars ?? [];
  const [interval, ...moreIntervals] = spec.intervals ?? [];
  if (moreCalendars.length > 0 || moreIntervals.length > 0 || spec.timezone !== wanted.timezone) return false;
  const wantedInterval = wanted.intervals?.[0];
  if (wantedInterval !== undefined) return calendar === undefined && interval?.every === wantedInterval.every;
  const wantedCalendar = wanted.calendars?.[0];
  const days = (calendar?.dayOfWeek ?? []).filter(
    ({ start, end }) => wantedCalendar?.dayOfWeek === undefined || start === end,
  );
  return (
    interval === undefined &&
    calendar?.hour[0]?.start === wantedCalendar?.hour &&
    calendar?.minute[0]?.start === wantedCalendar?.minute &&
    (wantedCalendar?.dayOfWeek === undefined
      ? coversWeek(calendar?.dayOfWeek)
      : days[0]?.start === wantedCalendar.dayOfWeek)
  );
}

function coversWeek(days: readonly { start: string; end: string }[] | undefined): boolean {
  return days?.[0]?.start === 'SUNDAY' && days[0].end === 'SATURDAY';
}

async function seen(
  client: Client,
  found: ScheduleDescription,
): Promise<Pick<ScheduleStatus, 'paused' | 'next' | 'last' | 'missed'>> {
  const [next] = found.info.nextActionTimes;
  const last = found.info.recentActions.at(-1);
  return {
    paused: found.state.paused,
    missed: found.info.numActionsMissedCatchupWindow + found.info.numActionsSkippedOverlap,
    ...(next === undefined ? {} : { next: next.toISOString() }),
    ...(last === undefined ? {} : { last: await lastRun(client, found, last) }),
  };
}

async function lastRun(
  client: Client,
  found: ScheduleDescription,
  { takenAt, action }: ScheduleDescription['info']['recentActions'][number],
) {
  const { workflowId, firstExecutionRunId } = action.workflow;
  const type = found.action.workflowType;
  const run = runId(isOperation(type) ? type : 'backupDatabase', firstExecutionRunId);
  const at = takenAt.toISOString();
  try {
    const { status } = await client.workflow.getHandle(workflowId, firstExecutionRunId).describe();
    return { at, run, state: status.name.toLowerCase() };
  } catch {
    // Temporal has forgotten it, which says nothing about how it ended.
    return { at, run };
  }
}

function namesIn(estate: string, id: string): [ScheduleStatus['component'], string] {
  if (id === scheduleIds.retention(estate)) return ['vault', 'retention'];
  if (id === scheduleIds.verify(estate)) return ['vault', 'verify'];
  const isMirror = id.startsWith(`${estate}/mirror/`);
  const parts = id.slice(`${estate}/${isMirror ? 'mirror' : 'backup'}/`.length).split('/');
  if (isMirror) return [parts.slice(0, -1).join('/') as ComponentId, 'mirror'];
  return [parts.slice(0, -1).join('/') as ComponentId, parts.at(-1) ?? ''];
}
