// The way of a backup (docs/architecture.md): identify, log runs, then capture, commit and verify, or a point of the log; production is only read.

import type { IdentifiedDatabase } from '../activities/contract.ts';
import type { ComponentId } from '../src/domain/component.ts';
import type { BackupDatabaseInput, BackupKind, RunStatus } from '../src/domain/operations.ts';
import { damageWarnings, factsWarnings } from '../src/domain/snapshot-words.ts';
import { proveSnapshot } from './lib/committed-snapshot.ts';
import { operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';
import type { HostCalls } from './lib/proxies.ts';
import { snapshotIdFor } from './lib/snapshot-id.ts';

const steps: Readonly<Record<BackupKind, readonly string[]>> = {
  physical: ['identify', 'log runs', 'capture', 'verify'],
  incremental: ['identify', 'log runs', 'capture', 'verify'],
  point: ['identify', 'log runs', 'point'],
};

/** `server_version_num`. */
const FIRST_WITH_INCREMENTAL = 170_000;

export async function backupDatabase(input: BackupDatabaseInput): Promise<RunStatus> {
  const progress = new Progress('backupDatabase', input?.component, input?.by, steps[input?.kind] ?? steps.physical);
  return operate('backupDatabase', progress, input, async ({ input, host }) => {
    const { component } = input;
    if (input.reason !== undefined) progress.tell({ reason: input.reason });
    const database = await progress.step('identify', () =>
      host.look.identifyDatabase({ component }, `who is ${component}`),
    );
    await progress.step('log runs', () =>
      host.work.ensureLog({ component }, 'the slot exists and the log is received'),
    );

    const { systemId } = database;
    const pointBecause = instead(input.kind, database);
    if (pointBecause !== undefined) {
      for (const step of ['capture', 'verify']) progress.skip(step, pointBecause);
      progress.tell({ warnings: [`made a point instead: ${pointBecause}`] });
    }
    if (input.kind === 'point' || pointBecause !== undefined) {
      const made = await pointOf(progress, host, component, systemId);
      return pointBecause === undefined ? made : `${made}, because ${pointBecause}`;
    }
    const snapshot = snapshotIdFor(progress.run);
    const captured = await progress.step('capture', () =>
      host.work.captureBaseBackup(
        { component, snapshot, systemId, ...(input.kind === 'incremental' ? { capture: 'incremental' as const } : {}) },
        `base backup ${snapshot}, committed last`,
      ),
    );
    progress.tell({ snapshot: captured });

    const { fullBecause } = captured;
    const inFull = fullBecause === undefined ? [] : [`captured in full instead of incrementally: ${fullBecause}`];
    const told = [...damageWarnings(captured), ...factsWarnings(captured.facts)];
    return await proveSnapshot({ progress, host, input }, captured, [...inFull, ...told]);
  });
}

/** Why a server gives a point where a capture was asked for. */
function instead(kind: BackupKind, { versionNum }: IdentifiedDatabase): string | undefined {
  if (kind !== 'incremental' || versionNum >= FIRST_WITH_INCREMENTAL) return undefined;
  return `PostgreSQL ${Math.floor(versionNum / 10_000)} has no incremental backups`;
}

/** No snapshot: log that is closed now, and can be recovered to. */
async function pointOf(progress: Progress, host: HostCalls, component: ComponentId, systemId: string): Promise<string> {
  const point = await progress.step('point', () =>
    host.work.makePoint({ component, systemId, name: `holdfast ${progress.run}` }, `log of ${component} closed now`),
  );
  progress.tell({ point });
  const reached = Object.keys(point.copies).filter((copy) => point.copies[copy] === 'reached');
  return `point at ${point.lsn} by a ${point.way} on ${reached.join(', ')}`;
}
