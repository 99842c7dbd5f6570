// Ends a restore beside production: the recovered directory gets its name, its own settings back, and is started if that was asked.

import { rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import type { StoppedServer } from '../../domain/run-data.ts';
import { fail } from '../../errors/index.ts';
import type { RestorePlan } from '../types.ts';
import { openWhenReady } from './await-server.ts';
import { readControlData } from './control-data.ts';
import { exists, ifAbsent, linkTo, ownerFor, readIfThere, renameDurably, writeDurably } from './durable-files.ts';
import { requireLeft, runsAsLeft } from './left-server.ts';
import { markerFile, type RestorePaths } from './paths.ts';
import { findPostmaster } from './postmaster.ts';
import { asideSettings, enterQuarantine, quarantinePort, quarantineSettings, quote } from './quarantine.ts';
import { readPromoted, stopRecovered } from './recovered-place.ts';
import type { RecoveredServer } from './recovered-session.ts';
import { startServer, stopServer } from './recovery-server.ts';
import { pathsOf } from './work-directory.ts';

export interface FinishedBeside {
  readonly dataDirectory: string;
  /** Connection string of the running server, by its private socket; absent when it was not to be started. */
  readonly connection?: string;
}

const startLimitMs = 10 * 60_000;

/** Idempotent. A server that is left running stays in quarantine: it listens on no network and archives nothing. */
export async function finishBeside(plan: RestorePlan): Promise<FinishedBeside> {
  const { place } = plan;
  if (place.mode !== 'beside') fail('INTERNAL', 'a restore in place ends with its swap');
  const paths = pathsOf(plan);
  if ((await readPromoted(paths)) === undefined) fail('JOURNAL_STATE', 'the recovered server is not promoted yet');
  if (await exists(paths.data)) {
    await stopRecovered(plan);
    await leaveQuarantine(plan, paths);
    await moveIntoPlace(plan, paths, place.dataDirectory);
  }
  await proveFinished(plan, place.dataDirectory);
  const { dataDirectory } = place;
  await rm(path.join(dataDirectory, markerFile), { force: true });
  return place.start ? { dataDirectory, connection: await startBeside(plan, paths, dataDirectory) } : { dataDirectory };
}

/**
 * What a directory that was recovered beside production must not do when somebody starts it by hand: its place in the last file
 * that a server reads makes it the last word; `ALTER SYSTEM RESET` takes it back.
 */
const harmless = ({ execution }: RestorePlan) => `
# A copy made by a restore: it archives nothing, follows nobody, subscribes to nothing, and preloads nothing that works by itself.
archive_mode = 'off'
primary_conninfo = ''
synchronous_standby_names = ''
max_logical_replication_workers = '0'
shared_preload_libraries = ${quote(execution.preloadLibraries.join(','))}
`;

/** Idempotent. Ours go last: as long as they are there, the directory has not got its own back. */
export async function leaveQuarantine(plan: RestorePlan, paths: RestorePaths): Promise<void> {
  const owner = await ownerFor(plan.execution.runAs);
  const settings = await asideSettings(paths);
  for (const [file, text] of settings) {
    const content = file === 'postgresql.auto.conf' ? `${text}${harmless(plan)}` : text;
    await writeDurably(path.join(paths.data, file), content, 0o600, owner);
  }
  if (!settings.has('postgresql.auto.conf')) {
    await writeDurably(path.join(paths.data, 'postgresql.auto.conf'), harmless(plan), 0o600, owner);
  }
  await rm(quarantineSettings(paths), { force: true });
}

export async function moveIntoPlace(plan: RestorePlan, paths: RestorePaths, dataDirectory: string): Promise<void> {
  for (const { oid, location } of plan.execution.tablespaces) {
    await linkTo(location, path.join(paths.data, 'pg_tblspc', String(oid)));
  }
  // Until the directory is known to be good, whoever undoes the run can tell that it is ours.
  await writeDurably(path.join(paths.data, markerFile), `${JSON.stringify({ run: plan.run })}\n`);
  // Fails when something was put there since the plan looked; what is there is never replaced.
  await rmdir(dataDirectory).catch(ifAbsent(undefined));
  await renameDurably(paths.data, dataDirectory);
}

export async function proveFinished(plan: RestorePlan, dataDirectory: string): Promise<void> {
  const { systemId } = await readControlData(plan.execution.binDirectory, dataDirectory);
  if (systemId === plan.source.systemId) return;
  fail('DATABASE_IDENTITY', `'${dataDirectory}' is cluster ${systemId}, expected ${plan.source.systemId}`);
}

async function startBeside(plan: RestorePlan, paths: RestorePaths, dataDirectory: string): Promise<string> {
  const { binDirectory, runAs, roles } = plan.execution;
  if ((await findPostmaster(dataDirectory)) === undefined) {
    await enterQuarantine(plan, { ...paths, data: dataDirectory });
    const configFile = quarantineSettings(paths);
    const user = runAs === undefined ? {} : { runAs };
    await startServer({ binDirectory, dataDirectory, configFile, logFile: paths.log, ...user });
  }
  const server: RecoveredServer = { socketDirectory: paths.socket, port: quarantinePort, roles };
  const place = { dataDirectory, logFile: paths.log };
  const session = await openWhenReady(server, { ...place, what: 'the recovered server', limitMs: startLimitMs });
  await session.close();
  return connectionString(server, session.role);
}

/** As libpq and `pg` read it; the directory of the socket stands for the host. */
export function connectionString({ socketDirectory, port }: RecoveredServer, role: string): string {
  return `postgresql://${encodeURIComponent(role)}@/postgres?host=${encodeURIComponent(socketDirectory)}&port=${port}`;
}

/** Undoes a finish that was cut short after the directory had its name: takes the name away again. */
export async function takeBackBeside(plan: Pick<RestorePlan, 'run' | 'place' | 'execution'>): Promise<void> {
  const { dataDirectory } = plan.place;
  const paths = pathsOf(plan);
  const marker = await readIfThere(path.join(dataDirectory, markerFile));
  if (marker === undefined || (JSON.parse(marker) as { run?: string }).run !== plan.run) return;
  const { binDirectory, runAs } = plan.execution;
  await stopServer({ binDirectory, dataDirectory, ...(runAs === undefined ? {} : { runAs }) });
  if (!(await exists(paths.data))) await renameDurably(dataDirectory, paths.data);
}

/** Stops a server that a restore beside left running, and gives the directory its own settings back, once: later ones are its user's. Idempotent. */
export async function stopBeside(plan: RestorePlan): Promise<void> {
  const { binDirectory, runAs } = plan.execution;
  const { dataDirectory } = plan.place;
  if (!(await exists(dataDirectory))) return;
  await stopServer({ binDirectory, dataDirectory, ...(runAs === undefined ? {} : { runAs }) });
  const paths = pathsOf(plan);
  if (await exists(quarantineSettings(paths))) await leaveQuarantine(plan, { ...paths, data: dataDirectory });
}

/**
 * Stops what a restore has left running, wherever it is in its way, and tells on which directory; `isFinished`: by its journal. Idempotent. A server on
 * the directory's final name is ours before the journal says so when it runs with our settings. Throws `DATABASE_IDENTITY` for one that somebody has
 * made production of.
 */
export async function stopLeft(plan: RestorePlan, isFinished: boolean): Promise<Omit<StoppedServer, 'run'>> {
  const { mode, dataDirectory } = plan.place;
  const { data } = pathsOf(plan);
  const named = mode === 'beside' ? await findPostmaster(dataDirectory) : undefined;
  if (isFinished || (named !== undefined && (await runsAsLeft(plan, named)))) {
    await requireLeft(plan, named);
    await stopBeside(plan);
    return { dataDirectory, stopped: named !== undefined };
  }
  const stopped = (await findPostmaster(data)) !== undefined;
  await stopRecovered(plan);
  return { dataDirectory: stopped ? data : dataDirectory, stopped };
}
