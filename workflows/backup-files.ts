// The way of a snapshot of files (docs/files.md): capture with the hooks around it, committed last, then verify, then the mirror where there is one; the files are only read.

import { isCancellation } from '@temporalio/workflow';
import { heldWords } from '../src/domain/mirror.ts';
import type { BackupFilesInput, RunStatus } from '../src/domain/operations.ts';
import { hasFarFewer } from '../src/domain/snapshot-words.ts';
import { proveSnapshot } from './lib/committed-snapshot.ts';
import { errorData } from './lib/failure.ts';
import { type Conduct, operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';
import { snapshotIdFor } from './lib/snapshot-id.ts';

const steps = ['capture', 'verify'] as const;

export async function backupFiles(input: BackupFilesInput): Promise<RunStatus> {
  const progress = new Progress('backupFiles', input?.component, input?.by, steps);
  return operate('backupFiles', progress, input, async ({ input, host }) => {
    const { component } = input;
    if (input.reason !== undefined) progress.tell({ reason: input.reason });
    const id = snapshotIdFor(progress.run);
    const {
      snapshot,
      hasMirror,
      warnings = [],
    } = await progress.step('capture', () =>
      (input.isPulled === true ? host.sync : host.begin).captureFiles(
        { component, snapshot: id },
        `scan and read, snapshot ${id} committed last`,
      ),
    );
    progress.tell({ snapshot });
    const proven = await proveSnapshot({ progress, host, input }, snapshot, warnings);
    if (hasMirror !== true) return proven;
    const farFewer = snapshot.files !== undefined && hasFarFewer(snapshot.files);
    return `${proven}; ${await bringUpMirror({ progress, host, input }, farFewer)}`;
  });
}

/** The snapshot is committed and proven: a mirror that is away makes it no worse, and is told. */
async function bringUpMirror(
  { progress, host, input }: Pick<Conduct<BackupFilesInput>, 'progress' | 'host' | 'input'>,
  farFewer: boolean,
): Promise<string> {
  const { component } = input;
  try {
    const mirror = await progress.step('mirror', () =>
      // What was killed a moment ago may hold the lock a little longer: only who stays is another run.
      host.sync.mirrorFiles({ component, run: progress.run, ...(farFewer && { farFewer }) }, 'as the files are now'),
    );
    progress.tell({ mirror });
    if (mirror.state !== 'held back') return `mirror ${mirror.to} is up to date`;
    warn(progress, `the mirror keeps names that are gone: ${heldWords(mirror.heldBecause)}`);
    return `mirror ${mirror.to} keeps names that are gone`;
  } catch (error) {
    if (isCancellation(error)) throw error;
    const { code, message } = errorData(error);
    if (code === 'LOCKED') return 'another run is bringing its mirror up';
    warn(progress, `the mirror was not brought up: ${message}`);
    return 'its mirror was not brought up';
  }
}

function warn(progress: Progress, warning: string): void {
  const { warnings = [] } = (progress.status().data ?? {}) as { readonly warnings?: readonly string[] };
  progress.tell({ warnings: [...warnings, warning] });
}
