// The way of a snapshot of files (docs/files.md): capture with the hooks around it, committed last, then verify; the files are only read.

import type { BackupFilesInput, RunStatus } from '../src/domain/operations.ts';
import { proveSnapshot } from './lib/committed-snapshot.ts';
import { operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';
import { snapshotIdFor } from './lib/snapshot-id.ts';

const steps = ['capture', 'verify'] as const;

export async function backupFiles(input: BackupFilesInput): Promise<RunStatus> {
  const progress = new Progress('backupFiles', input?.component, input?.by, steps);
  return operate('backupFiles', progress, input, async ({ input, host }) => {
    const { component } = input;
    if (input.reason !== undefined) progress.tell({ reason: input.reason });
    const id = snapshotIdFor(progress.run);
    const { snapshot, warnings = [] } = await progress.step('capture', () =>
      host.begin.captureFiles({ component, snapshot: id }, `scan and read, snapshot ${id} committed last`),
    );
    progress.tell({ snapshot });
    return await proveSnapshot({ progress, host, input }, snapshot, warnings);
  });
}
