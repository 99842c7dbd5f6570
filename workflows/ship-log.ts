// The way of the log (docs/architecture.md): watches the receiver of one database, and acts when the slot or a copy is lost.

import { continueAsNew, isCancellation, workflowInfo } from '@temporalio/workflow';
import type { SupervisedLog } from '../activities/contract.ts';
import { workflowIds } from '../src/domain/ids.ts';
import type { BackupDatabaseInput, RunStatus, ShipLogInput } from '../src/domain/operations.ts';
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
  readonly alarm?: LogAlarm;
  readonly handledLoss?: string;
}

/** About two days of quiet supervision: replayed at once after a restart of the worker. */
const historyLimit = 500;

export async function shipLog(input: ShipLogInput, state: ShipLogState = { version: 1 }): Promise<RunStatus> {
  const progress = new Progress('shipLog', input?.component, input?.by, ['ship the log']);
  let { alarm, handledLoss } = state;
  return operate('shipLog', progress, input, async (conduct) => {
    progress.alarm(alarm);
    await progress.step('ship the log', async () => {
      let away: readonly string[] = [];
      while (!isLong()) {
        if (alarm !== undefined) alarm = await backUpAfterLoss(conduct, alarm);
        const seen = await supervise(conduct, away, alarm !== undefined, handledLoss);
        away = seen.away;
        if (seen.outcome === 'copy away') await catchUpLaggards(progress, conduct.input.host, away);
        if (seen.outcome !== 'slot lost') continue;
        handledLoss = seen.loss;
        alarm = await raise(conduct, seen);
      }
    });
    return await continueAsNew<typeof shipLog>(input, {
      version: 1,
      ...(alarm === undefined ? {} : { alarm }),
      ...(handledLoss === undefined ? {} : { handledLoss }),
    });
  });
}

function isLong(): boolean {
  const info = workflowInfo();
  return info.continueAsNewSuggested || info.historyLength > historyLimit;
}

async function supervise(
  { input, progress, host }: Conduct<ShipLogInput>,
  ignoreAway: readonly string[],
  soon: boolean,
  handledLoss: string | undefined,
) {
  const { component } = input;
  progress.say('the receiver of the host ships the log; its heartbeats carry the positions');
  const seen = await host.ship.superviseLog(
    { component, ignoreAway, soon, ...(handledLoss === undefined ? {} : { handledLoss }) },
    `log of ${component}`,
  );
  progress.tell({ log: seen.positions, away: seen.away });
  return seen;
}

async function raise({ progress, input }: Conduct<ShipLogInput>, seen: SupervisedLog): Promise<LogAlarm> {
  const at = new Date().toISOString();
  const hole = `${seen.hole?.from ?? 'unknown'} to ${seen.hole?.to ?? 'unknown'}`;
  const lost = new HoldfastError('SLOT_LOST', `the slot of ${input.component} was lost: log from ${hole} is missing`, {
    ...(seen.hole === undefined ? {} : { details: { hole: seen.hole } }),
  });
  const alarm = { ...lost.toJSON(), at };
  progress.alarm(alarm);
  const record = { run: progress.run, name: `alarm-${at.replaceAll(/[-:.]/g, '')}`, data: alarm };
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
    if (status.startedAt < alarm.at) return alarm;
    progress.alarm(undefined);
    return undefined;
  } catch (error) {
    if (isCancellation(error)) throw error;
    progress.say(`the backup after the lost slot failed: ${errorData(error).message}`);
    return alarm;
  }
}
