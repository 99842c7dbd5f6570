// The way of the log (docs/architecture.md): watches the receiver of one database, and acts when log is lost, does not come, or a copy lags.

import { continueAsNew, isCancellation, workflowInfo } from '@temporalio/workflow';
import type { SupervisedLog, SuperviseRequest } from '../activities/contract.ts';
import type { LogOutage } from '../src/domain/component-report.ts';
import { workflowIds } from '../src/domain/ids.ts';
import type { BackupDatabaseInput, RunStatus, ShipLogInput } from '../src/domain/operations.ts';
import { judgeSlot } from '../src/domain/slot-pressure.ts';
import { type ErrorData, HoldfastError } from '../src/errors/index.ts';
import { catchUpLaggards } from './lib/catching-up.ts';
import { errorData } from './lib/failure.ts';
import { startBeside } from './lib/join.ts';
import { type Conduct, operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';
import { patientControlCalls } from './lib/proxies.ts';

export type LogAlarm = ErrorData & { readonly at: string };

/** What one run hands to the next; absent in the first. */
export interface ShipLogState {
  readonly version: 1;
  /** The slot was lost, and there is no full backup since. */
  readonly alarm?: LogAlarm;
  readonly handledLoss?: string;
  /** The log is not received. */
  readonly outage?: LogOutage;
  /** The slot keeps so much log that the server is in danger. */
  readonly pressure?: LogAlarm;
}

/** About two days of quiet supervision: replayed at once after a restart of the worker. */
const historyLimit = 500;
/** A copy that still lags is named again after so long, then after twice as long, at most an hour. */
const firstIgnoreMs = 5 * 60_000;
const longestIgnoreMs = 60 * 60_000;

export async function shipLog(input: ShipLogInput, state: ShipLogState = { version: 1 }): Promise<RunStatus> {
  const progress = new Progress('shipLog', input?.component, input?.by, ['ship the log']);
  let { alarm, handledLoss, outage, pressure } = state;
  return operate('shipLog', progress, input, async (conduct) => {
    await progress.step('ship the log', async () => {
      let asked: readonly string[] = [];
      let ignoreForMs = firstIgnoreMs;
      while (!isLong()) {
        progress.alarm(pressure ?? outageAlarm(outage) ?? alarm);
        // While no log comes no backup can be committed.
        if (alarm !== undefined && outage === undefined) {
          alarm = await backUpAfterLoss(conduct, alarm);
          progress.alarm(alarm);
        }
        const soon = alarm !== undefined && outage === undefined;
        const known = {
          ignoreAway: asked,
          ignoreForMs,
          soon,
          ...given({ handledLoss, knownOutage: outage, knownPressure: pressure && true }),
        };
        const seen = await supervise(conduct, known);
        const still = asked.filter((copy) => seen.away.includes(copy));
        ignoreForMs = still.length === 0 ? firstIgnoreMs : Math.min(ignoreForMs * 2, longestIgnoreMs);
        asked = seen.outcome === 'copy away' ? seen.away : still;
        if (seen.outcome === 'copy away') await catchUpLaggards(progress, conduct.input.host, asked);
        if (seen.outcome === 'received again') outage = undefined;
        if (seen.outcome === 'not received') outage = await raiseOutage(conduct, seen);
        if (seen.outcome === 'slot fills') pressure = await raisePressure(conduct, seen);
        if (seen.outcome === 'slot eased') pressure = undefined;
        if (seen.outcome !== 'slot lost') continue;
        handledLoss = seen.loss;
        alarm = await raiseLoss(conduct, seen);
      }
    });
    return await continueAsNew<typeof shipLog>(input, {
      version: 1,
      ...given({ alarm, handledLoss, outage, pressure }),
    });
  });
}

function isLong(): boolean {
  const info = workflowInfo();
  return info.continueAsNewSuggested || info.historyLength > historyLimit;
}

/** Without the fields that are not known. */
function given<T extends object>(fields: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

async function supervise(
  { input, progress, host }: Conduct<ShipLogInput>,
  known: Omit<SuperviseRequest, 'component'>,
): Promise<SupervisedLog> {
  const { component } = input;
  const { knownOutage } = known;
  progress.say(
    knownOutage === undefined
      ? 'the receiver of the host ships the log; its heartbeats carry the positions'
      : `the log is not received since ${knownOutage.since}: ${knownOutage.message}; it is tried again and again`,
  );
  const seen = await host.ship.superviseLog({ component, ...known }, `log of ${component}`);
  progress.tell({ log: seen.positions, away: seen.away });
  return seen;
}

function outageAlarm(outage: LogOutage | undefined): LogAlarm | undefined {
  if (outage === undefined) return undefined;
  const { since, message, ...rest } = outage;
  return { ...rest, message: `the log is not received since ${since}: ${message}`, at: since };
}

async function raiseOutage(conduct: Conduct<ShipLogInput>, seen: SupervisedLog): Promise<LogOutage | undefined> {
  const { outage } = seen.positions;
  const alarm = outageAlarm(outage);
  if (alarm !== undefined) await raise(conduct, alarm);
  return outage;
}

async function raisePressure(conduct: Conduct<ShipLogInput>, seen: SupervisedLog): Promise<LogAlarm | undefined> {
  const { slot } = seen.positions;
  const verdict = slot && judgeSlot(slot);
  if (verdict === undefined) return undefined;
  const { message, hint } = verdict;
  const filling = new HoldfastError('SLOT_FILLS', message, { hint, details: { ...slot } });
  return await raise(conduct, { ...filling.toJSON(), at: new Date().toISOString() });
}

async function raiseLoss(conduct: Conduct<ShipLogInput>, seen: SupervisedLog): Promise<LogAlarm> {
  const hole = `${seen.hole?.from ?? 'unknown'} to ${seen.hole?.to ?? 'unknown'}`;
  const { component } = conduct.input;
  const lost = new HoldfastError('SLOT_LOST', `the slot of ${component} was lost: log from ${hole} is missing`, {
    ...(seen.hole === undefined ? {} : { details: { hole: seen.hole } }),
  });
  return await raise(conduct, { ...lost.toJSON(), at: new Date().toISOString() });
}

async function raise({ progress }: Conduct<ShipLogInput>, alarm: LogAlarm): Promise<LogAlarm> {
  progress.alarm(alarm);
  const now = new Date().toISOString();
  const record = { run: progress.run, name: `alarm-${now.replaceAll(/[-:.]/g, '')}`, data: alarm };
  // As long as it takes: the hole is in the log either way, but the alarm must outlive Temporal's memory.
  await patientControlCalls(progress.estate, progress.noteRunning).putRunRecord(record, 'record the alarm');
  return alarm;
}

/** Moments before the loss stay recoverable; those after it need a backup that began after it. */
async function backUpAfterLoss(
  { input, progress }: Conduct<ShipLogInput>,
  alarm: LogAlarm,
): Promise<LogAlarm | undefined> {
  const { estate, component, host } = input;
  const workflowId = workflowIds.backup(estate, component);
  const backup: BackupDatabaseInput = {
    estate,
    component,
    host,
    kind: 'physical',
    reason: 'slot lost',
    by: progress.run,
  };
  try {
    await startBeside('backupDatabase', workflowId, backup);
    const join = patientControlCalls(progress.estate, progress.noteRunning);
    const status = await join.awaitRun({ workflowId, request: 'physical' }, 'full backup after the lost slot');
    return status.startedAt < alarm.at ? alarm : undefined;
  } catch (error) {
    if (isCancellation(error)) throw error;
    progress.say(`the backup after the lost slot failed: ${errorData(error).message}`);
    return alarm;
  }
}
