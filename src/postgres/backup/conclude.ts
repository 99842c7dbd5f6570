// What every base backup begins and ends with, however its files came: a writer, links, settings outside, and the commit that waits for the log.

import type { Lsn } from '../../domain/lsn.ts';
import { HoldfastError, isHoldfastError } from '../../errors/index.ts';
import type { SnapshotOnCopies, SnapshotWriter } from '../../vault/types.ts';
import { noChoice, type SnapshotFacts, takeFacts } from '../facts/index.ts';
import type { CaptureDetails, PhysicalDetails, Source, Tablespace } from '../types.ts';
import { captureClasses } from './choose-parent.ts';
import type { DamageLog } from './damage-log.ts';
import { addOutsideConfiguration, readOutsideConfiguration } from './outside-configuration.ts';
import { readServerClock, type SourceFacts } from './physical-details.ts';
import type { TakeBaseBackupOptions } from './take-base-backup.ts';

export interface Captured {
  readonly systemId: string;
  readonly timeline: number;
  readonly startLsn: Lsn;
  readonly stopLsn: Lsn;
  readonly tablespaces: readonly Tablespace[];
  /** Plain bytes of the files so far. */
  readonly sizeBytes: number;
  readonly damage: DamageLog;
  readonly facts: SnapshotFacts;
  readonly details: CaptureDetails;
}

export async function openWriter(options: TakeBaseBackupOptions, facts: SourceFacts): Promise<SnapshotWriter> {
  const { vault, request, incremental } = options;
  const { snapshotId: id, component, host } = request;
  const retained =
    incremental === undefined
      ? { class: captureClasses.full }
      : { class: captureClasses.incremental, longerLived: [captureClasses.full] };
  return await vault.writeSnapshot({ id, component, host, kind: 'physical', from: facts.now, ...retained });
}

/**
 * The facts and what `work` gives, at once: the server counts while something else is waited for. Before the checkpoint that the backup begins with: so every
 * recovery from the backup goes beyond them, and what counting changes on pages (hints of rows that nobody has read before) is no change since the backup. After
 * that checkpoint the server would log each such page whole, and the next incremental capture would have to take it. `origin`: the server that is read. When
 * one of both throws, the other is over too: `undo` takes back what was made.
 */
export async function readFactsBeside<T>(
  options: TakeBaseBackupOptions,
  origin: Source,
  work: () => Promise<T>,
  undo: (made: T) => Promise<void> = async () => undefined,
): Promise<{ readonly noted: SnapshotFacts; readonly made: T }> {
  const { facts: choice = noChoice, signal, logger } = options;
  const given = new AbortController();
  const noting = takeFacts(origin, choice, AbortSignal.any([signal, given.signal]));
  const making = work();
  noting.catch(() => undefined);
  const made = await making.catch(async (error: unknown) => {
    given.abort();
    await Promise.allSettled([noting]);
    throw error;
  });
  const noted = await noting.catch(async (error: unknown) => {
    await undo(made);
    throw error;
  });
  if (noted.missing !== undefined) logger.warn({ missing: noted.missing }, 'not all facts could be captured');
  return { noted, made };
}

/** Links first: a restore must have them before the files behind them. */
export async function addLinks(writer: SnapshotWriter, tablespaces: readonly Tablespace[]): Promise<void> {
  const mtimeSeconds = Math.floor(Date.now() / 1000);
  for (const { oid, location } of tablespaces) {
    await writer.addSymlink({ path: `pg_tblspc/${oid}`, mode: 0o777, mtimeSeconds, linkTarget: location });
  }
}

export async function addManifest(writer: SnapshotWriter, bytes: Buffer): Promise<void> {
  const entry = { path: 'backup_manifest', mode: 0o600, mtimeSeconds: Math.floor(Date.now() / 1000) };
  await writer.addFile({ ...entry, chunking: 'content' }, once(bytes));
}

/** Adds the settings outside of the data directory and commits; the copies put their manifests when they have the log. */
export async function conclude(
  options: TakeBaseBackupOptions,
  writer: SnapshotWriter,
  facts: SourceFacts,
  captured: Captured,
): Promise<SnapshotOnCopies> {
  const { source, vault, request, waitForLog, signal, logger } = options;
  const { systemId, timeline, startLsn, stopLsn, damage } = captured;
  const found = await readOutsideConfiguration(source, systemId);
  if (found.left.length > 0) logger.warn({ left: found.left }, 'settings files outside were not taken');
  const outsideBytes = await addOutsideConfiguration(writer, found);
  const { now: _, summarizesLog: _summarizes, sharedPreloadLibraries, ...known } = facts;
  if (sharedPreloadLibraries === undefined)
    logger.warn('the role may not see shared_preload_libraries: none are recorded');
  const details: PhysicalDetails = {
    ...known,
    systemId,
    timeline,
    startLsn,
    stopLsn,
    tablespaces: captured.tablespaces,
    sharedPreloadLibraries: sharedPreloadLibraries ?? [],
    sizeBytes: captured.sizeBytes + outsideBytes,
    ...(await damage.details({ source, vault, component: request.component, logger })),
    facts: captured.facts,
    ...captured.details,
  };
  const to = await readServerClock(source);
  signal.throwIfAborted();
  const snapshot = await writer.commit({
    to,
    state: damage.state,
    engine: details,
    ready: (copy, mayLeave) => waitForLog(copy, timeline, startLsn, stopLsn, { signal, mayLeave }),
  });
  logger.info({ snapshot: snapshot.id, copies: snapshot.copies, startLsn, stopLsn }, 'base backup committed');
  return snapshot;
}

export async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

export function cancelled(cause: unknown): HoldfastError {
  return isHoldfastError(cause, 'CANCELLED')
    ? cause
    : new HoldfastError('CANCELLED', 'the backup was cancelled', { cause });
}
