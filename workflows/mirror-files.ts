// The warm mirror of a component of files, brought up by itself (docs/files.md): by its schedule, or because somebody asks.

import { heldWords } from '../src/domain/mirror.ts';
import type { MirrorFilesInput, RunStatus } from '../src/domain/operations.ts';
import { operate } from './lib/operate.ts';
import { Progress } from './lib/progress.ts';

export async function mirrorFiles(input: MirrorFilesInput): Promise<RunStatus> {
  const progress = new Progress('mirrorFiles', input?.component, input?.by, ['mirror']);
  return operate('mirrorFiles', progress, input, async ({ input, host }) => {
    const { component } = input;
    // One that follows a snapshot may be under way.
    const mirror = await progress.step('mirror', () =>
      host.begin.mirrorFiles({ component, wait: true }, 'as the files are now'),
    );
    progress.tell({ mirror });
    if (mirror.state !== 'held back') return `mirror ${mirror.to} is up to date`;
    progress.tell({ warnings: [`the mirror keeps names that are gone: ${heldWords(mirror.heldBecause)}`] });
    return `mirror ${mirror.to} keeps names that are gone`;
  });
}
