// The id of a snapshot, chosen once by the run, so that a repeated attempt writes the same one.

import { workflowInfo } from '@temporalio/workflow';

/** `20261123T061407Z-3f9a1c2b`: start of the run, and the random part of its name. */
export function snapshotIdFor(run: string): string {
  const start = workflowInfo().startTime.toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
  return `${start}Z-${run.slice(-8)}`;
}
