// What an earlier attempt of the same backup left committed is taken as it is, and completed on the copies that lack it.

import type { SnapshotOnCopies } from '../../vault/types.ts';
import type { PhysicalDetails } from '../types.ts';
import type { TakeBaseBackupOptions } from './take-base-backup.ts';

/** The snapshot of this id on enough copies; `undefined` when none has it. Throws `POLICY_UNMET` when it stays on too few. */
export async function finishEarlierAttempt(
  options: Pick<TakeBaseBackupOptions, 'vault' | 'request' | 'waitForLog' | 'signal'>,
): Promise<SnapshotOnCopies | undefined> {
  const { vault, request, waitForLog, signal } = options;
  const found = await vault.findSnapshot(request.component, request.snapshotId);
  if (found === undefined) return undefined;
  const { timeline, startLsn, stopLsn } = found.engine as PhysicalDetails;
  return await vault.completeSnapshot(request.component, request.snapshotId, (copy, mayLeave) =>
    waitForLog(copy, timeline, startLsn, stopLsn, { signal, mayLeave }),
  );
}
