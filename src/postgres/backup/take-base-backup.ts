// Takes a base backup in the first of the ways asked for that can be done, saying why not in another.

import type { Logger } from 'pino';
import type { ComponentId } from '../../domain/component.ts';
import type { Lsn } from '../../domain/lsn.ts';
import { fail, HoldfastError } from '../../errors/index.ts';
import type { BandwidthClock } from '../../stores/bandwidth.ts';
import type { SnapshotId, SnapshotOnCopies, Vault } from '../../vault/types.ts';
import { openReplication } from '../connection/index.ts';
import type { FactsChoice } from '../facts/index.ts';
import type { Source } from '../types.ts';
import { type Attempt, attemptsFor, Obstacles, type Reasons } from './attempts.ts';
import { becomesPrimary, standbysFault } from './becomes-primary.ts';
import { Capture, type CaptureWay } from './capture.ts';
import { FilesCapture } from './capture-files.ts';
import { finishEarlierAttempt } from './earlier-attempt.ts';
import { TakenOtherwise } from './otherwise.ts';
import { requireFitStandby, type Standby } from './standby.ts';

export interface BaseBackupRequest {
  /** Chosen by the run: a repeated attempt has the same and finds what an earlier one committed. */
  readonly snapshotId: SnapshotId;
  readonly component: ComponentId;
  readonly host: string;
}

export interface BaseBackupProgress {
  readonly doneBytes: number;
  /** The server's estimate; grows with `doneBytes` where it was too low. */
  readonly totalBytes: number;
}

export interface WaitForLog {
  readonly signal: AbortSignal;
  readonly mayLeave: () => boolean;
}

export interface TakeBaseBackupOptions {
  /** The primary. */
  readonly source: Source;
  /** Asked before the primary, which is asked where the standby is not fit; default there is none. */
  readonly standby?: Standby;
  readonly vault: Vault;
  readonly request: BaseBackupRequest;
  /** Resolves when the log from `from` to `to` is durable on that copy; may throw instead once `mayLeave` says that it can be done without. */
  readonly waitForLog: (copy: string, timeline: number, from: Lsn, to: Lsn, wait: WaitForLog) => Promise<void>;
  readonly onProgress?: (progress: BaseBackupProgress) => void;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /**
   * Incrementally where that can be, in the retention class `incremental` either way; `spoolDirectory`: where the parent's tree is kept
   * meanwhile. Default in full.
   */
  readonly incremental?: { readonly spoolDirectory: string };
  /** `spread` is kind to a busy server and may take minutes to begin; default `fast`. */
  readonly checkpoint?: 'fast' | 'spread';
  /** Most bytes read from the server in a second; default no limit. */
  readonly rateLimitBytesPerSecond?: number;
  /** What is read of each database before the backup begins; default what there is without a choice. */
  readonly facts?: FactsChoice;
  /** Of the limit, where files are read at hand; default the machine's. */
  readonly rateClock?: BandwidthClock;
  /**
   * How a full one is read: `auto`, by the files of the server's data directory where they are at hand, several at once, else by the stream;
   * `stream`, always so. Default `stream`.
   */
  readonly way?: 'auto' | 'stream';
}

/**
 * Resolves with the committed snapshot; `engine.capture` says how it was captured, `engine.fullBecause` why not as asked, `engine.way` and
 * `engine.streamBecause` the same of how it was read, `engine.server` and `engine.primaryBecause` of where. Throws `BACKUP_INVALID` when what arrived is not what the server says it sent, `POLICY_UNMET` when too few copies hold it, `CANCELLED`, and
 * the `DATABASE_…` errors of connecting. Nothing is committed then.
 */
export async function takeBaseBackup(options: TakeBaseBackupOptions): Promise<SnapshotOnCopies> {
  const earlier = await finishEarlierAttempt(options);
  if (earlier !== undefined) return earlier;
  const { incremental, standby, way, signal, logger, request } = options;
  const obstacles = new Obstacles();
  const asked = { incremental: incremental !== undefined, hasStandby: standby !== undefined, files: way === 'auto' };
  for (const attempt of attemptsFor(asked)) {
    if (obstacles.ruleOut(attempt)) continue;
    try {
      return await take(options, attempt, obstacles.reasons(attempt));
    } catch (error) {
      const reason = error instanceof TakenOtherwise || attempt.server === 'primary' ? error : standbysFault(error);
      if (!(reason instanceof TakenOtherwise) || signal.aborted) throw error;
      obstacles.note(attempt, reason);
      logger.warn({ snapshot: request.snapshotId, ...attempt }, `taken otherwise, because ${reason.message}`);
    }
  }
  return fail('INTERNAL', 'no way is left to take a base backup');
}

async function take(options: TakeBaseBackupOptions, attempt: Attempt, reasons: Reasons): Promise<SnapshotOnCopies> {
  const { source, standby, incremental } = options;
  if (attempt.way === 'files') return await new FilesCapture(options, reasons).run();
  const { capture } = attempt;
  const own = { capture, details: { capture, way: 'stream', ...reasons }, ...incremental } as const;
  if (attempt.server === 'primary' || standby === undefined) return await stream(options, { ...own, origin: source });
  await requireFitStandby(source, standby);
  const details = { ...own.details, server: 'standby' } as const;
  const onStart: CaptureWay['onStart'] = async (systemId, { timeline, startLsn }) => {
    if (!(await standby.hasLog(systemId, timeline, startLsn)))
      becomesPrimary(`the standby begins at ${startLsn}, from where on the vault has no log`);
  };
  return await stream(options, { ...own, details, origin: standby.source, onStart });
}

/** On a connection of its own: one that was refused something is not used on. */
async function stream(options: TakeBaseBackupOptions, way: CaptureWay): Promise<SnapshotOnCopies> {
  const connection = await openReplication(way.origin);
  const onAbort = () => void connection.wire.broken(new HoldfastError('CANCELLED', 'the backup was cancelled'));
  options.signal.addEventListener('abort', onAbort, { once: true });
  if (options.signal.aborted) onAbort();
  try {
    return await new Capture(options, way, connection).run();
  } finally {
    options.signal.removeEventListener('abort', onAbort);
    connection.close();
  }
}
