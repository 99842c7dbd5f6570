// The way of a logical backup (docs/architecture.md): identify, dump and commit, verify; production is only read.

import type { DumpDatabaseInput, RunStatus } from '../src/domain/operations.ts';
import { proveSnapshot } from './lib/committed-snapshot.ts';
import { operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';
import { snapshotIdFor } from './lib/snapshot-id.ts';

const steps = ['identify', 'dump', 'verify'] as const;

export async function dumpDatabase(input: DumpDatabaseInput): Promise<RunStatus> {
  const progress = new Progress('dumpDatabase', input?.component, input?.by, steps);
  return operate('dumpDatabase', progress, input, async ({ input, host }) => {
    const { component } = input;
    if (input.reason !== undefined) progress.tell({ reason: input.reason });
    const { systemId } = await progress.step('identify', () =>
      host.look.identifyDatabase({ component }, `who is ${component}`),
    );

    const id = snapshotIdFor(progress.run);
    const { snapshot, warnings = [] } = await progress.step('dump', () =>
      host.work.captureLogical({ component, snapshot: id, systemId }, `dump ${id}, committed last`),
    );
    progress.tell({ snapshot });

    return await proveSnapshot({ progress, host, input }, snapshot, warnings);
  });
}
