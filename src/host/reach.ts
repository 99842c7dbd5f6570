// What each copy alone could recover: the windows of the log of a database, the moments of the snapshots of everything else.

import type { WindowSummary } from '../domain/component-report.ts';
import type { RecoveryWindow } from '../postgres/types.ts';
import type { SnapshotOnCopies } from '../vault/index.ts';

export interface Reach {
  readonly copy: string;
  readonly window: WindowSummary;
}

export function reachOfLog(windows: readonly RecoveryWindow[]): Reach[] {
  return windows.map((window) => ({ copy: window.copy, window: summarizeWindow(window) }));
}

export function summarizeWindow({ from, to, fromLsn, toLsn, timeline, holes }: RecoveryWindow): WindowSummary {
  return { from, to, fromLsn, toLsn, timeline, holes };
}

/** What was written after a snapshot began may be missing in it, so it counts for its beginning. */
export function reachOfSnapshots(snapshots: readonly SnapshotOnCopies[], copies: readonly string[]): Reach[] {
  return copies.flatMap((copy) => {
    const moments = snapshots
      .filter((snapshot) => snapshot.copies[copy] === 'present')
      .map(({ from }) => from)
      .sort();
    const [from, to] = [moments[0], moments.at(-1)];
    if (from === undefined || to === undefined) return [];
    return [{ copy, window: { from, to, snapshots: moments.length, holes: [] } }];
  });
}

/** The one that reaches furthest. */
export function furthest(reach: readonly Reach[]): WindowSummary | undefined {
  return reach.reduce<WindowSummary | undefined>(
    (best, { window }) => (best === undefined || window.to > best.to ? window : best),
    undefined,
  );
}
