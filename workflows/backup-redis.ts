// The way of a snapshot of Redis (docs/redis.md): captured as a replica does, judged on its way, committed last, then verified.

import type { BackupRedisInput, RunStatus } from '../src/domain/operations.ts';
import { proveSnapshot } from './lib/committed-snapshot.ts';
import { operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';
import { snapshotIdFor } from './lib/snapshot-id.ts';

const steps = ['capture', 'verify'] as const;

export async function backupRedis(input: BackupRedisInput): Promise<RunStatus> {
  const progress = new Progress('backupRedis', input?.component, input?.by, steps);
  return operate('backupRedis', progress, input, async ({ input, host }) => {
    const { component, kind } = input;
    if (input.reason !== undefined) progress.tell({ reason: input.reason });
    const id = snapshotIdFor(progress.run);
    const { snapshot, warnings = [] } = await progress.step('capture', () =>
      host.begin.captureRedis({ component, snapshot: id, kind }, `read and check, snapshot ${id} committed last`),
    );
    progress.tell({ snapshot });
    return await proveSnapshot({ progress, host, input }, snapshot, warnings);
  });
}
