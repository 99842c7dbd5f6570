// The recovered server of one plan: started in quarantine, found, asked, stopped; and how far it is known to have come.

import path from 'node:path';
import { historyFileName, parseTimelineHistory } from '../../domain/timeline.ts';
import { fail } from '../../errors/index.ts';
import type { RestorePlan } from '../types.ts';
import { openWhenReady } from './await-server.ts';
import { readControlData } from './control-data.ts';
import { exists, ownerFor, readIfThere, writeDurably } from './durable-files.ts';
import { isFetched } from './fetch.ts';
import type { RestorePaths } from './paths.ts';
import { findPostmaster } from './postmaster.ts';
import { enterQuarantine, quarantinePort, quarantineSettings } from './quarantine.ts';
import { openSession, type RecoveredServer, type RecoveredSession } from './recovered-session.ts';
import { startServer, stopServer } from './recovery-server.ts';
import { pathsOf } from './work-directory.ts';

/** What the file says when the recovered server was promoted; from then on it is never started for recovery again. */
export interface Promoted {
  readonly newTimeline: number;
}

/** A server that was promoted and went down has at most its own crash recovery to do. */
const restartLimitMs = 60 * 60_000;

/** Starts the quarantined server, or finds it running. Idempotent. Throws `JOURNAL_STATE` before the base is fetched. */
export async function startRecovery(plan: RestorePlan): Promise<{ readonly started: boolean }> {
  const paths = pathsOf(plan);
  if (!(await isFilled(paths)) && (await readPromoted(paths)) !== undefined) return { started: false };
  if (!(await isFetched(paths))) fail('JOURNAL_STATE', `the base backup in '${paths.data}' is not whole yet`);
  if ((await findPostmaster(paths.data)) !== undefined) return { started: false };
  await proveIdentity(plan, paths);
  await enterQuarantine(plan, paths);
  if (!(await wasPromoted(paths))) {
    const owner = await ownerFor(plan.execution.runAs);
    await writeDurably(signalFile(paths), '', 0o600, owner);
  }
  await startServer(serverPlace(plan, paths));
  return { started: true };
}

/** False before the base backup is whole, and again once it was moved into its place. */
export const isFilled = ({ data }: RestorePaths) => exists(path.join(data, 'PG_VERSION'));

const signalFile = ({ data }: RestorePaths) => path.join(data, 'recovery.signal');
const promotingFile = ({ work }: RestorePaths) => path.join(work, 'promoting');

/** Written before the server is asked to leave recovery, or once it was proved that it left at the target by itself. */
export async function announcePromotion(paths: RestorePaths): Promise<void> {
  await writeDurably(promotingFile(paths), '');
}

/** The server removes its signal file as it leaves recovery; only once we had asked for that does its absence mean so. */
export async function wasPromoted(paths: RestorePaths): Promise<boolean> {
  return (await exists(promotingFile(paths))) && !(await exists(signalFile(paths)));
}

function serverPlace(plan: RestorePlan, paths: RestorePaths) {
  const { binDirectory, runAs } = plan.execution;
  const configFile = quarantineSettings(paths);
  return {
    binDirectory,
    dataDirectory: paths.data,
    configFile,
    logFile: paths.log,
    ...(runAs === undefined ? {} : { runAs }),
  };
}

async function proveIdentity(plan: RestorePlan, paths: RestorePaths): Promise<void> {
  const { systemId } = await readControlData(plan.execution.binDirectory, paths.data);
  if (systemId !== plan.source.systemId) {
    fail('DATABASE_IDENTITY', `'${paths.data}' is cluster ${systemId}, expected ${plan.source.systemId}`);
  }
}

export function recoveredServer(plan: RestorePlan): RecoveredServer {
  return { socketDirectory: pathsOf(plan).socket, port: quarantinePort, roles: plan.execution.roles };
}

/** A session on a server that may have gone down since it was promoted; one that is still recovering is not started here. */
export async function openRecovered(plan: RestorePlan): Promise<RecoveredSession> {
  const paths = pathsOf(plan);
  if (!(await wasPromoted(paths))) return openSession(recoveredServer(plan));
  if (!(await isFilled(paths)))
    fail('JOURNAL_STATE', `run '${plan.run}' is finished: its server is not in '${paths.data}'`);
  const { started } = await startRecovery(plan);
  const place = { dataDirectory: paths.data, logFile: paths.log };
  const awaited = { ...place, what: 'the recovered server', limitMs: restartLimitMs, hasRun: !started };
  try {
    return await openWhenReady(recoveredServer(plan), awaited);
  } catch (error) {
    // One that was found may have been on its way out.
    if (started || (await findPostmaster(paths.data)) !== undefined) throw error;
    await startRecovery(plan);
    return await openWhenReady(recoveredServer(plan), { ...awaited, hasRun: false });
  }
}

/** The timeline that the promoted server writes; the control file names it only after the next checkpoint. */
export async function currentTimeline(session: RecoveredSession): Promise<number> {
  const [named] = await session.query<{ file: string }>('select pg_walfile_name(pg_current_wal_lsn()) as file');
  return Number.parseInt(named?.file.slice(0, 8) ?? '', 16);
}

/** Compares where the new timeline left the old one, as its history file says, with the plan. Throws `RECOVERY_MISMATCH`. */
export async function proveSwitch({ resolved }: RestorePlan, paths: RestorePaths, newTimeline: number): Promise<void> {
  const file = path.join(paths.data, 'pg_wal', historyFileName(newTimeline));
  const history = parseTimelineHistory(newTimeline, (await readIfThere(file)) ?? '');
  const last = history.ancestors.at(-1);
  if (last?.timeline === resolved.timeline && last.switchLsn === resolved.endLsn) return;
  const got = last === undefined ? 'nothing' : `timeline ${last.timeline} at ${last.switchLsn}`;
  const wanted = `timeline ${resolved.timeline} at ${resolved.endLsn}`;
  fail('RECOVERY_MISMATCH', `timeline ${newTimeline} left ${got}, planned was ${wanted}`, {
    details: { newTimeline, got: last ?? null, wanted: { timeline: resolved.timeline, lsn: resolved.endLsn } },
  });
}

export async function readPromoted(paths: RestorePaths): Promise<Promoted | undefined> {
  const text = await readIfThere(path.join(paths.work, 'promoted.json'));
  return text === undefined ? undefined : (JSON.parse(text) as Promoted);
}

/** Stops the recovered server of this plan, wherever it is in its way. */
export async function stopRecovered(plan: RestorePlan): Promise<void> {
  const { binDirectory, runAs } = plan.execution;
  await stopServer({ binDirectory, dataDirectory: pathsOf(plan).data, ...(runAs === undefined ? {} : { runAs }) });
}
