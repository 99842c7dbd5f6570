// Activities of files: thin over the engine, with the component's own hooks around a capture.

import { stateDirectoryOf } from '../config/index.ts';
import { bytesText } from '../src/domain/size.ts';
import { filesWarnings } from '../src/domain/snapshot-words.ts';
import { captureFiles, FILES } from '../src/files/index.ts';
import { observeHeads } from '../src/host/put-back.ts';
import { summarizeSnapshot } from '../src/host/snapshot-summary.ts';
import { TokenBucket } from '../src/stores/bandwidth.ts';
import type { SnapshotId } from '../src/vault/index.ts';
import type { FilesActivities } from './contract.ts';
import { createFilesRestoreActivities } from './files-restore-activities.ts';
import { runActivity } from './lib/activity-runner.ts';
import { withHooks } from './lib/hooks.ts';
import { filesOf, type HostServices } from './lib/host-services.ts';

export function createFilesActivities(services: HostServices): FilesActivities {
  const { frame, host, configuration } = services;
  return {
    captureFiles: ({ component, snapshot }) =>
      runActivity(frame, async ({ signal, report, logger }) => {
        const { roots, rules, hooks, bytesPerSecond } = filesOf(services, component);
        const vault = await services.vault();
        // Before anything is added: a snapshot with a higher number would hide that a copy was put back.
        await observeHeads(vault, stateDirectoryOf(configuration, host));
        const bucket = bytesPerSecond === undefined ? undefined : new TokenBucket(bytesPerSecond);
        const taken = await withHooks(hooks, { signal, logger, report }, () =>
          captureFiles({
            vault,
            source: { roots, rules },
            request: { snapshotId: snapshot as SnapshotId, component, class: FILES, host },
            ...(bucket && { pace: (bytes) => bucket.take(bytes, signal) }),
            onProgress: ({ files, bytes, readBytes }) =>
              report({ note: `${files} files, ${bytesText(bytes)} seen, ${bytesText(readBytes)} read` }),
            signal,
          }),
        );
        const summary = summarizeSnapshot(taken);
        const warnings = filesWarnings(summary.files);
        return { snapshot: summary, ...(warnings.length === 0 ? {} : { warnings }) };
      }),
    ...createFilesRestoreActivities(services),
  };
}
