// Activities of files: thin over the engine, with the component's own hooks around a capture.

import { type FilesSettings, stateDirectoryOf } from '../config/index.ts';
import { bytesText } from '../src/domain/size.ts';
import { filesWarnings } from '../src/domain/snapshot-words.ts';
import { fail } from '../src/errors/index.ts';
import { type CaptureFilesOptions, captureFiles, capturePulled, FILES, mirrorFiles } from '../src/files/index.ts';
import { mirrorDirectory, pulledDirectory } from '../src/host/check-pull.ts';
import { observeHeads } from '../src/host/put-back.ts';
import { summarizeSnapshot } from '../src/host/snapshot-summary.ts';
import { TokenBucket } from '../src/stores/bandwidth.ts';
import type { SnapshotId, SnapshotOnCopies } from '../src/vault/index.ts';
import type { FilesActivities } from './contract.ts';
import { createFilesRestoreActivities } from './files-restore-activities.ts';
import { type Running, runActivity } from './lib/activity-runner.ts';
import { withHooks } from './lib/hooks.ts';
import { filesOf, type HostServices } from './lib/host-services.ts';

export function createFilesActivities(services: HostServices): FilesActivities {
  const { frame, host, configuration } = services;
  return {
    captureFiles: ({ component, snapshot }) =>
      runActivity(frame, async (running) => {
        const { signal, report, logger } = running;
        const settings = filesOf(services, component);
        const vault = await services.vault();
        // Before anything is added: a snapshot with a higher number would hide that a copy was put back.
        await observeHeads(vault, stateDirectoryOf(configuration, host));
        const request = { snapshotId: snapshot as SnapshotId, component, class: FILES, host };
        const taken = await withHooks(settings.hooks, { signal, logger, report }, () =>
          capture(services, settings, { vault, request }, running),
        );
        const summary = summarizeSnapshot(taken);
        const warnings = filesWarnings(summary.files);
        return {
          snapshot: summary,
          ...(settings.mirror && { hasMirror: true }),
          ...(warnings.length === 0 ? {} : { warnings }),
        };
      }),
    mirrorFiles: ({ component, run, farFewer = false }) =>
      runActivity(frame, async ({ signal, report }) => {
        const { roots, rules, mirror, name } = filesOf(services, component);
        if (mirror === undefined) return fail('CONFIG_INVALID', `'${component}' has no mirror`);
        const { directory, remote, schedule: _, ...limits } = mirror;
        report({ note: `to ${remote ? `${remote.ssh}:` : ''}${directory}` });
        return await mirrorFiles({
          ...{ ...limits, estate: configuration.name, component, roots, oneFileSystem: rules.oneFileSystem, signal },
          target: { directory, ...(remote && { remote }) },
          ...{ farFewer, ...(run && { run }) },
          directory: mirrorDirectory(stateDirectoryOf(configuration, host), name),
        });
      }),
    ...createFilesRestoreActivities(services),
  };
}

/** What is here is read at the component's rate; of what is elsewhere the line has it. */
async function capture(
  { configuration, host }: HostServices,
  { roots, rules, bytesPerSecond, pull, name }: FilesSettings,
  what: Pick<CaptureFilesOptions, 'vault' | 'request'>,
  { signal, report }: Running,
): Promise<SnapshotOnCopies> {
  const onProgress: CaptureFilesOptions['onProgress'] = ({ files, bytes, readBytes }) =>
    report({ note: `${files} files, ${bytesText(bytes)} seen, ${bytesText(readBytes)} read` });
  const options = { ...what, source: { roots, rules }, onProgress, signal };
  if (pull === undefined) {
    const bucket = bytesPerSecond === undefined ? undefined : new TokenBucket(bytesPerSecond);
    return await captureFiles({ ...options, ...(bucket && { pace: (bytes) => bucket.take(bytes, signal) }) });
  }
  report({ note: `pulling from ${pull.ssh}` });
  const directory = pulledDirectory(stateDirectoryOf(configuration, host), name);
  return await capturePulled({
    ...options,
    pull: { remote: pull, directory, ...(bytesPerSecond !== undefined && { bytesPerSecond }) },
    onPulled: ({ receivedBytes, deleted }) =>
      report({ note: `pulled ${bytesText(receivedBytes)} from ${pull.ssh}, ${deleted} names gone; capturing` }),
  });
}
