// The way of a snapshot of configuration (docs/configuration-snapshots.md): capture with the commit in Git inside of it, committed last, then the push, then verify.

import type { BackupConfigurationInput, RunStatus } from '../src/domain/operations.ts';
import { proveSnapshot } from './lib/committed-snapshot.ts';
import { operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';
import { snapshotIdFor } from './lib/snapshot-id.ts';

const steps = ['capture', 'verify'] as const;

export async function backupConfiguration(input: BackupConfigurationInput): Promise<RunStatus> {
  const progress = new Progress('backupConfiguration', input?.component, input?.by, steps);
  return operate('backupConfiguration', progress, input, async ({ input, host }) => {
    const { component } = input;
    if (input.reason !== undefined) progress.tell({ reason: input.reason });
    const id = snapshotIdFor(progress.run);
    const captured = await progress.step('capture', () =>
      host.begin.captureConfiguration({ component, snapshot: id }, `commands, files and Git, snapshot ${id} committed`),
    );
    const { snapshot, push, warnings = [] } = captured;
    progress.tell({ snapshot, ...(push && { push }) });
    const unpushed = push?.because === undefined ? [] : [`not pushed: ${push.because}`];
    return await proveSnapshot({ progress, host, input }, snapshot, [...warnings, ...unpushed]);
  });
}
