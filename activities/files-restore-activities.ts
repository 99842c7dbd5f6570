// Activities of giving back files: thin over what the host does with them.

import {
  confirmFiles,
  confirmFilesWords,
  rollbackFiles,
  rollbackFilesWords,
  undoFiles,
} from '../src/host/end-files.ts';
import {
  compareFiles,
  type FilesRestoring,
  freezeFilesPlan,
  loadFilesPlan,
  planFilesRestore,
  requireSamePlan,
  storedFilesPlan,
  writeFiles,
} from '../src/host/restore-files.ts';
import type { FilesActivities, RestoreEnd, RunOnHost } from './contract.ts';
import { runActivity } from './lib/activity-runner.ts';
import type { HostServices } from './lib/host-services.ts';

export function createFilesRestoreActivities(
  services: HostServices,
): Omit<FilesActivities, 'captureFiles' | 'mirrorFiles'> {
  const { frame } = services;
  const restoring = restoringOf(services);
  return {
    planFiles: ({ run, input, keep }) =>
      runActivity(frame, async ({ signal, report }) => {
        report({ note: 'comparing the snapshot with what is there' });
        return await freezeFilesPlan(restoring, run, input, keep, signal);
      }),
    recheckFiles: ({ run, input }) =>
      runActivity(frame, async ({ signal }) => {
        const shown = await storedFilesPlan(restoring, run);
        // A snapshot that was taken meanwhile is not what was shown.
        const asShown = { ...input, to: `snapshot:${shown.snapshot.id}` };
        requireSamePlan(shown, await planFilesRestore(restoring, run, asShown, signal));
      }),
    restoreFiles: (request) =>
      runActivity(frame, async ({ signal, report }) => {
        const frozen = await loadFilesPlan(restoring, request);
        return await writeFiles(restoring, frozen, { signal, onNote: (note) => report({ note }) });
      }),
    compareFiles: (request) =>
      runActivity(frame, async ({ signal, report }) => {
        report({ note: 'comparing what is there with the snapshot' });
        const { lacking } = request;
        const frozen = await loadFilesPlan(restoring, request);
        return await compareFiles(restoring, frozen, { signal, ...(lacking !== undefined && { lacking }) });
      }),
    undoFiles: (request) => runActivity(frame, () => undoFiles(restoring, request)),
  };
}

export async function endFilesBack(services: HostServices, { component, run }: RunOnHost): Promise<RestoreEnd> {
  const ended = await rollbackFiles(restoringOf(services), component, run);
  return { dataDirectory: ended.roots.join(', '), message: rollbackFilesWords(run, ended) };
}

export async function endFilesConfirmed(services: HostServices, { component, run }: RunOnHost): Promise<RestoreEnd> {
  const ended = await confirmFiles(restoringOf(services), component, run);
  return { dataDirectory: ended.roots.join(', '), message: confirmFilesWords(run, ended) };
}

function restoringOf(services: HostServices): FilesRestoring {
  const { host, logger, configuration } = services;
  return { host, logger, configuration, vault: () => services.vault(), reading: () => services.vault('restore') };
}
