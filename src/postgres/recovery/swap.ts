// Puts the recovered directory in production's place, step by journaled step; started again, it goes on where it was.

import { cp, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { compareLsn, type Lsn, segmentName, segmentNumber, segmentStart } from '../../domain/lsn.ts';
import { fail, isHoldfastError } from '../../errors/index.ts';
import type { RestorePlan } from '../types.ts';
import { verifyRecord } from '../wal/index.ts';
import { type ControlData, readControlData } from './control-data.ts';
import { exists, give, ifAbsent, type Owner, ownerFor, readIfThere, writeDurably } from './durable-files.ts';
import { exchange, listPieces, proveExchanged } from './exchange.ts';
import { type Guard, Journal, type JournalHead, journalHead } from './journal.ts';
import { dropOutsideSettings, restoreOutsideSettings } from './outside-settings.ts';
import { isExchanged } from './own-place.ts';
import { markerFile, restorePaths } from './paths.ts';
import { findPostmaster } from './postmaster.ts';
import { asideSettings } from './quarantine.ts';
import { stopServer } from './recovery-server.ts';
import { startService, stopService } from './service.ts';
import { underLock } from './under-lock.ts';
import { pathsOf } from './work-directory.ts';

export interface StoppedProduction {
  readonly timeline: number;
  /** End of the last checkpoint's record; after a clean stop the end of this branch of the log. */
  readonly endLsn: Lsn;
  /** False when the server was down or crashed: what it had not shipped is only in the old directory. */
  readonly clean: boolean;
}

export interface SwapOptions extends Guard {
  /** Waits until the log is durable through the position, or says that it cannot be; the old directory keeps it in any case. */
  readonly shipped?: (stopped: StoppedProduction) => Promise<{ readonly durable: boolean; readonly note?: string }>;
  /** Asks the started server by its configured address; throws when it is not the one expected, gives warnings when it cannot be asked. */
  readonly verify?: (expected: { readonly systemId: string; readonly timeline: number }) => Promise<readonly string[]>;
}

export interface SwapResult {
  readonly dataDirectory: string;
  readonly keptAt?: string;
  readonly systemId: string;
  readonly timeline: number;
  readonly swapMs: number;
  /** What the last check found and let pass, with the statement that mends it. */
  readonly warnings: readonly string[];
}

export async function swapIn(plan: RestorePlan, options: SwapOptions): Promise<SwapResult> {
  return underLock(pathsOf(plan), options, async (guard) => {
    const journal = await Journal.open(pathsOf(plan), guard, journalHead(plan));
    return swap(journal, options);
  });
}

/** Goes on with a swap that was begun, from the journal alone. Throws `JOURNAL_STATE` when none was, or it was undone. */
export async function resumeSwap(dataDirectory: string, run: string, options: SwapOptions): Promise<SwapResult> {
  const paths = restorePaths(dataDirectory, run);
  return underLock(paths, options, async (guard) => {
    const journal = await Journal.open(paths, guard);
    if (!journal.has('swap')) {
      fail('JOURNAL_STATE', `run '${run}' has not begun its swap`, { hint: 'start the restore again, or abandon it' });
    }
    return swap(journal, options);
  });
}

async function swap(journal: Journal, options: SwapOptions): Promise<SwapResult> {
  const { head, phase } = journal;
  if (head.mode !== 'in place') fail('INTERNAL', 'a restore beside has no swap');
  if (!['preparing', 'swapping', 'swapped'].includes(phase)) {
    fail('JOURNAL_STATE', `run '${head.run}' is ${phase}: it cannot be swapped in`);
  }
  const startedAt = performance.now();
  if (phase !== 'swapped') {
    if (!journal.has('swap')) await proveReady(journal);
    if (!journal.is('swap', 'begin')) await journal.append('swap', 'begin');
    await journal.step('close recovered', () => closeRecovered(journal));
    await journal.step('stop production', () => stopProduction(head));
    await journal.step('ship log', () => shipLog(journal, options));
    await journal.step('settings', () => takeSettings(journal));
    if (!journal.has('keep old')) await journal.step('list', async () => ({ pieces: await listPieces(journal) }));
    await exchange(journal, () => proveStopped(head));
    await journal.step('prove', () => proveWhole(journal));
    await journal.step('start', () => startService(head).then(() => undefined));
    await journal.step('verify', () => verify(journal, options));
    await journal.append('swap', 'done');
  } else {
    await startService(head);
  }
  return resultOf(journal, Math.round(performance.now() - startedAt));
}

function resultOf(journal: Journal, swapMs: number): SwapResult {
  const { dataDirectory, keepOldAt, systemId } = journal.head;
  const timeline = Number(journal.dataOf('close recovered')?.timeline);
  const hasOld = journal.head.production !== undefined;
  const { warnings } = journal;
  return { dataDirectory, systemId, timeline, swapMs, warnings, ...(hasOld && keepOldAt ? { keptAt: keepOldAt } : {}) };
}

/** Nothing is stopped before what will replace it is known to be good. */
async function proveReady({ paths, head }: Journal): Promise<void> {
  if (!(await exists(path.join(paths.work, 'promoted.json')))) {
    fail('JOURNAL_STATE', `run '${head.run}' has no promoted server to swap in`);
  }
  const { systemId } = await readControlData(head.execution.binDirectory, paths.data);
  if (systemId !== head.systemId) {
    fail('DATABASE_IDENTITY', `'${paths.data}' is cluster ${systemId}, expected ${head.systemId}`);
  }
}

async function closeRecovered({ paths, head }: Journal): Promise<Record<string, unknown>> {
  const { binDirectory, runAs } = head.execution;
  await stopServer({ binDirectory, dataDirectory: paths.data, ...(runAs === undefined ? {} : { runAs }) });
  const { systemId, timeline, state, checkpointLsn } = await readControlData(binDirectory, paths.data);
  if (systemId !== head.systemId || state !== 'shut down' || timeline <= head.timeline) {
    fail('RECOVERY_MISMATCH', `the recovered cluster is ${systemId} on timeline ${timeline}, '${state}'`, {
      details: { systemId, timeline, state, expected: head.systemId },
    });
  }
  return { timeline, checkpointLsn };
}

/** Right before it is stopped, production must still be what the plan saw. */
async function stopProduction(head: JournalHead): Promise<Record<string, unknown>> {
  const { production, dataDirectory, execution } = head;
  await proveProduction(head);
  if (production === undefined) return { clean: false, running: false };
  const wasRunning = (await findPostmaster(dataDirectory)) !== undefined;
  const warnings = await stopService(head);
  const { state, timeline, checkpointLsn } = await readControlData(execution.binDirectory, dataDirectory);
  const endLsn = await endOfRecord(dataDirectory, timeline, checkpointLsn);
  const told = warnings.length > 0 ? { warnings } : {};
  return { clean: state === 'shut down', running: wasRunning, timeline, endLsn, ...told };
}

/** From the segment in the stopped directory; where that does not hold the whole record, its start has to do. */
async function endOfRecord(dataDirectory: string, timeline: number, lsn: Lsn): Promise<Lsn> {
  const log = path.join(dataDirectory, 'pg_wal');
  const names = (await readdir(log)).filter((name) => /^[0-9A-F]{24}$/.test(name));
  const first = names[0];
  if (first === undefined) return lsn;
  const segmentSizeBytes = (await stat(path.join(log, first))).size;
  const segment = segmentNumber(lsn, segmentSizeBytes);
  const bytes = await readFile(path.join(log, segmentName(timeline, segment, segmentSizeBytes))).catch(
    ifAbsent(undefined),
  );
  if (bytes === undefined) return lsn;
  try {
    return verifyRecord({ startLsn: segmentStart(segment, segmentSizeBytes), bytes, segmentSizeBytes }, lsn).endLsn;
  } catch (error) {
    if (isHoldfastError(error, 'OBJECT_DAMAGED')) return lsn;
    throw error;
  }
}

async function proveProduction({ production, dataDirectory, execution }: JournalHead): Promise<void> {
  if (production === undefined) {
    const content = await readdir(dataDirectory).catch(ifAbsent([]));
    if (!content.some(isExchanged)) return;
    fail('DATABASE_IDENTITY', `'${dataDirectory}' was empty when the plan was made, and is not any more`);
  }
  if (await exists(path.join(dataDirectory, markerFile))) {
    fail('JOURNAL_STATE', `'${dataDirectory}' holds a restore that was not confirmed`);
  }
  const { systemId } = await readControlData(execution.binDirectory, dataDirectory);
  if (systemId !== production.systemId) {
    fail(
      'DATABASE_IDENTITY',
      `'${dataDirectory}' is cluster ${systemId}, the plan was made for ${production.systemId}`,
    );
  }
}

async function shipLog(journal: Journal, { shipped }: SwapOptions): Promise<Record<string, unknown>> {
  const stopped = journal.dataOf('stop production') as Partial<StoppedProduction> | undefined;
  if (shipped === undefined || stopped?.endLsn === undefined || stopped.timeline === undefined) {
    return {
      durable: false,
      note: 'nobody was there to ship the log: what was not shipped before is only in the old directory',
    };
  }
  const { timeline, endLsn, clean = false } = stopped;
  return { ...(await shipped({ timeline, endLsn, clean })) };
}

const settingsNames = ['postgresql.conf', 'pg_hba.conf', 'pg_ident.conf', 'postgresql.auto.conf'];
const recoverySetting = /^\s*(recovery_target\w*|restore_command|recovery_end_command|promote_trigger_file)\s*=/;

/**
 * The new data gets the settings that production runs with at this moment, because clients, limits and rights are of today
 * whatever the data's moment is; those of the snapshot stand in where production's directory is gone, and stay in the work
 * directory. Settings that steer a recovery are left out.
 */
async function takeSettings({ head, paths }: Journal): Promise<Record<string, unknown>> {
  const owner = await ownerFor(head.execution.runAs);
  const restored = await asideSettings(paths);
  const taken: Record<string, string> = {};
  for (const name of settingsNames) {
    const current = await readIfThere(path.join(head.dataDirectory, name));
    const text = current ?? restored.get(name);
    if (text === undefined) continue;
    taken[name] = current === undefined ? 'snapshot' : 'production';
    const kept = text.split('\n').filter((line) => !recoverySetting.test(line));
    await writeDurably(path.join(paths.data, name), kept.join('\n'), 0o600, owner);
  }
  for (const from of [path.join(head.dataDirectory, 'conf.d'), path.join(paths.aside, 'conf.d')]) {
    const to = path.join(paths.data, 'conf.d');
    if ((await exists(from)) && !(await exists(to))) await copyTree(from, to, owner);
  }
  await writeDurably(path.join(paths.data, markerFile), `${JSON.stringify({ run: head.run })}\n`, 0o600, owner);
  if (head.production !== undefined) {
    await dropOutsideSettings(paths.data);
    return { taken };
  }
  const outside = await restoreOutsideSettings(paths.data, owner);
  const told = outside.warnings.length > 0 ? { warnings: outside.warnings } : {};
  return { taken, restored: outside.restored, ...told };
}

async function copyTree(from: string, to: string, owner: Owner | undefined): Promise<void> {
  await cp(from, to, { recursive: true });
  await give(to, owner);
  for (const name of await readdir(to, { recursive: true })) await give(path.join(to, name), owner);
}

/** Right before the first rename. */
async function proveStopped(head: JournalHead): Promise<void> {
  const { dataDirectory } = head;
  if ((await findPostmaster(dataDirectory)) !== undefined) {
    fail('DATABASE_IDENTITY', `a server was started on '${dataDirectory}' meanwhile`, { hint: 'stop what starts it' });
  }
  await proveProduction(head);
}

async function proveWhole(journal: Journal): Promise<undefined> {
  await proveExchanged(journal);
  await provePosition(journal);
  return undefined;
}

/** Identity and position by the directory's own files: a login is of the data's moment, and may be refused today. */
async function provePosition(journal: Journal): Promise<ControlData> {
  const { head } = journal;
  const closed = journal.dataOf('close recovered') as { readonly timeline?: number; readonly checkpointLsn?: Lsn };
  const control = await readControlData(head.execution.binDirectory, head.dataDirectory);
  const isBehind = closed?.checkpointLsn !== undefined && compareLsn(control.checkpointLsn, closed.checkpointLsn) < 0;
  if (control.systemId !== head.systemId || control.timeline < Number(closed?.timeline) || isBehind) {
    const { systemId, timeline: now, checkpointLsn } = control;
    fail('DATABASE_IDENTITY', `'${head.dataDirectory}' is cluster ${systemId} on timeline ${now} at ${checkpointLsn}`);
  }
  return control;
}

async function verify(journal: Journal, options: SwapOptions): Promise<Record<string, unknown>> {
  const { systemId, timeline, checkpointLsn } = await provePosition(journal);
  const expected = { systemId: journal.head.systemId, timeline: Number(journal.dataOf('close recovered')?.timeline) };
  const warnings = (await options.verify?.(expected)) ?? [];
  return { systemId, timeline, checkpointLsn, ...(warnings.length > 0 ? { warnings } : {}) };
}
