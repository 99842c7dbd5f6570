// A snapshot as reports and `--json` tell it.

import type { SnapshotSummary } from '../domain/component-report.ts';
import type { LogicalDetails } from '../postgres/logical/index.ts';
import type { PhysicalDetails } from '../postgres/types.ts';
import type { SnapshotOnCopies } from '../vault/index.ts';

export function summarizeSnapshot(snapshot: SnapshotOnCopies): SnapshotSummary {
  const { id, component, kind, from, to, state, statistics, copies } = snapshot;
  const bytes = { read: statistics.readBytes, new: statistics.newBytes, stored: statistics.storedBytes };
  const summary = { id, component, kind, from, to, state, bytes, copies };
  if (kind === 'logical') return { ...summary, databases: databasesOf(snapshot) };
  if (kind !== 'physical') return summary;
  const { startLsn, stopLsn, timeline, capture = 'full', parent, fullBecause } = snapshot.engine as PhysicalDetails;
  return {
    ...summary,
    capture,
    ...(parent === undefined ? {} : { parent }),
    ...(fullBecause === undefined ? {} : { fullBecause }),
    lsn: { from: startLsn, to: stopLsn, timeline },
  };
}

function databasesOf({ engine }: SnapshotOnCopies): NonNullable<SnapshotSummary['databases']> {
  const { databases } = engine as unknown as LogicalDetails;
  return databases.map(({ name, moment, dumpBytes: bytes }) => ({ name, moment, bytes }));
}
