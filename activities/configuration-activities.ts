// Activities of configuration: thin over the engine; secrets are resolved for as long as the capture takes.

import { stateDirectoryOf } from '../config/index.ts';
import { CONFIGURATION, captureConfiguration } from '../src/configuration/index.ts';
import { bytesText } from '../src/domain/size.ts';
import { configurationWarnings, filesWarnings } from '../src/domain/snapshot-words.ts';
import { configurationPlace, configurationRemote, configurationSource } from '../src/host/configuration-source.ts';
import { observeHeads } from '../src/host/put-back.ts';
import { summarizeSnapshot } from '../src/host/snapshot-summary.ts';
import type { SnapshotId } from '../src/vault/index.ts';
import type { ConfigurationActivities } from './contract.ts';
import { runActivity } from './lib/activity-runner.ts';
import { type HostServices, hostConfigurationOf } from './lib/host-services.ts';

export function createConfigurationActivities(services: HostServices): ConfigurationActivities {
  const { frame, host, configuration } = services;
  return {
    captureConfiguration: ({ component, snapshot }) =>
      runActivity(frame, async ({ signal, report, logger }) => {
        const settings = hostConfigurationOf(services, component);
        const vault = await services.vault();
        // Before anything is added: a snapshot with a higher number would hide that a copy was put back.
        await observeHeads(vault, stateDirectoryOf(configuration, host));
        const remote = configurationRemote(settings);
        const taken = await captureConfiguration({
          vault,
          place: configurationPlace(configuration, settings),
          source: await configurationSource(configuration, settings),
          ...(remote && { remote }),
          request: { snapshotId: snapshot as SnapshotId, component, class: CONFIGURATION, host },
          onProgress: ({ files, bytes, readBytes }) =>
            report({ note: `${files} files, ${bytesText(bytes)} seen, ${bytesText(readBytes)} read` }),
          onText: (texts) => report({ note: `${texts} texts looked through for secrets` }),
          signal,
        });
        for (const words of taken.mended) logger.warn({ component }, words);
        const summary = summarizeSnapshot(taken.snapshot);
        const warnings = [
          ...filesWarnings(summary.files),
          ...configurationWarnings(summary.configuration),
          ...taken.mended,
        ];
        const { push } = taken;
        return { snapshot: summary, ...(push && { push }), ...(warnings.length === 0 ? {} : { warnings }) };
      }),
  };
}
