// Takes a base backup: incrementally where that was asked for and can be done, else in full, saying why.

import type { Logger } from 'pino';
import type { ComponentId } from '../../domain/component.ts';
import type { Lsn } from '../../domain/lsn.ts';
import { HoldfastError } from '../../errors/index.ts';
import type { SnapshotId, SnapshotOnCopies, Vault } from '../../vault/types.ts';
import { openReplication } from '../connection/index.ts';
import type { FactsChoice } from '../facts/index.ts';
import type { Source } from '../types.ts';
import { BecomesFull } from './becomes-full.ts';
import { Capture, type CaptureWay } from './capture.ts';
import { finishEarlierAttempt } from './earlier-attempt.ts';

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
  readonly source: Source;
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
  readonly rateLimitBytesPerSecond?: number;
  /** What is read of each database before the backup begins; default what there is without a choice. */
  readonly facts?: FactsChoice;
}

/**
 * Resolves with the committed snapshot; `engine.capture` says how it was captured, `engine.fullBecause` why not as asked. Throws
 * `BACKUP_INVALID` when what arrived is not what the server says it sent, `POLICY_UNMET` when too few copies hold it, `CANCELLED`, and
 * the `DATABASE_…` errors of connecting. Nothing is committed then.
 */
export async function takeBaseBackup(options: TakeBaseBackupOptions): Promise<SnapshotOnCopies> {
  const earlier = await finishEarlierAttempt(options);
  if (earlier !== undefined) return earlier;
  if (options.incremental === undefined) return await capture(options, { capture: 'full' });
  try {
    return await capture(options, { capture: 'incremental', ...options.incremental });
  } catch (error) {
    if (!(error instanceof BecomesFull)) throw error;
    options.logger.warn({ snapshot: options.request.snapshotId }, `taken in full, because ${error.message}`);
    return await capture(options, { capture: 'full', fullBecause: error.message });
  }
}

/** On a connection of its own: one that was refused something is not used on. */
async function capture(options: TakeBaseBackupOptions, way: CaptureWay): Promise<SnapshotOnCopies> {
  const connection = await openReplication(options.source);
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
