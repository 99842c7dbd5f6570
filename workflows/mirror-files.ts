// The warm mirror of a component of files, brought up by itself (docs/files.md): by its schedule, or because somebody asks.

import { patched } from '@temporalio/workflow';
import { heldWords } from '../src/domain/mirror.ts';
import type { MirrorFilesInput, RunStatus } from '../src/domain/operations.ts';
import { afterOthers } from './lib/after-others.ts';
import { type Conduct, operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';

/** What was begun before it keeps a record in any case. */
const NEWS_ALONE = 'a mirror keeps a record of news alone';

export async function mirrorFiles(input: MirrorFilesInput): Promise<RunStatus> {
  const progress = new Progress('mirrorFiles', input?.component, input?.by, ['mirror']);
  const keepsRecord = (status: RunStatus) => !patched(NEWS_ALONE) || isNews(status);
  const bringUp = async ({ input, host }: Conduct<MirrorFilesInput>) => {
    const { component } = input;
    // One that follows a snapshot may be under way.
    const mirror = await progress.step('mirror', () =>
      afterOthers(
        () => host.syncAlone.mirrorFiles({ component, run: progress.run }, 'as the files are now'),
        progress.noteRunning,
      ),
    );
    progress.tell({ mirror });
    if (mirror.state !== 'held back') return `mirror ${mirror.to} is up to date`;
    progress.tell({ warnings: [`the mirror keeps names that are gone: ${heldWords(mirror.heldBecause)}`] });
    return `mirror ${mirror.to} keeps names that are gone`;
  };
  return operate('mirrorFiles', progress, input, bringUp, { keepsRecord });
}

/** A schedule makes a hundred runs a day, and `status` tells how the last one ended; that they begin to fail is worth a record, that nothing was done is not. */
function isNews({ by, error }: RunStatus): boolean {
  if (by !== 'schedule') return true;
  return error !== undefined && error.code !== 'NO_WORKER' && error.details?.again !== true;
}
