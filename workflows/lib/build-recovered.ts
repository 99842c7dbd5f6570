// The steps that every recovery has in common, whatever becomes of it: up to a recovered, proven, promoted and checked server that harms nobody.

import type { RestoreRequest, PartialTimings as Timings } from '../../activities/contract.ts';
import type { RestoreResult } from '../../src/domain/run-data.ts';
import type { Conduct } from './operate.ts';

export const buildingSteps = ['prepare', 'fetch', 'recover', 'prove', 'promote', 'check'] as const;

export type Built = Timings & Pick<RestoreResult, 'checks' | 'warnings'>;

export interface BuildOptions {
  /** Left in recovery: promoted, it would be a primary of its own. */
  readonly standby?: boolean;
  /** Instead of `prepareRestore`. */
  readonly prepare?: () => Promise<void>;
}

export async function buildRecovered(
  { progress, saga, host }: Pick<Conduct<unknown>, 'progress' | 'saga' | 'host'>,
  restore: RestoreRequest,
  { standby = false, prepare }: BuildOptions = {},
): Promise<Built> {
  const ready = prepare ?? (() => host.recover.prepareRestore(restore, 'work directory, lock and journal'));
  saga.before('prepare', () => host.undo.abandonRestore(restore, 'remove the work directory'));
  await progress.step('prepare', ready);
  const fetched = await progress.step('fetch', () => host.recover.fetchBaseBackup(restore, 'base backup, verified'));

  saga.before('recover', () => host.undo.stopRecovered(restore, 'stop the recovered server'));
  const replayed = await progress.step('recover', () =>
    host.recover.replayLog(restore, 'quarantined server replays to the planned position'),
  );
  await progress.step('prove', () => host.recover.proveRecovery(restore, 'replayed position equals the plan'));
  const promoted = standby
    ? {}
    : await progress.step('promote', () =>
        host.recover.promoteRecovered(restore, 'new timeline, compared with the plan'),
      );
  const checked = await progress.step('check', () => host.recover.checkRecovered(restore, 'catalogues and own checks'));
  return { ...fetched, ...replayed, ...promoted, ...checked };
}
