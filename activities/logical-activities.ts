// Activities of logical backups: thin over the engine and the vault.

import path from 'node:path';
import { resolveSecret, stateDirectoryOf } from '../config/index.ts';
import { fail } from '../src/errors/index.ts';
import { observeHeads } from '../src/host/put-back.ts';
import { summarizeSnapshot } from '../src/host/snapshot-summary.ts';
import { identify } from '../src/postgres/identity.ts';
import { dumpWarnings, takeDump } from '../src/postgres/logical/index.ts';
import type { Source } from '../src/postgres/types.ts';
import type { SnapshotId } from '../src/vault/index.ts';
import type { DatabaseRequest, PostgresActivities } from './contract.ts';
import { runActivity } from './lib/activity-runner.ts';
import { databaseOf, type HostServices } from './lib/host-services.ts';

export function createLogicalActivities(services: HostServices): Pick<PostgresActivities, 'captureLogical'> {
  const { frame, host, configuration } = services;
  return {
    captureLogical: ({ component, snapshot, systemId }) =>
      runActivity(frame, async ({ signal, report, logger }) => {
        const { name, logical } = databaseOf(services, component);
        const source = await dumpSourceOf(services, { component });
        const found = await identify(source);
        if (found.systemId !== systemId) {
          fail(
            'DATABASE_IDENTITY',
            `the server at 'logical.url' is cluster ${found.systemId}, that of 'url' ${systemId}`,
          );
        }
        const vault = await services.vault();
        const stateDirectory = stateDirectoryOf(configuration, host);
        // Before anything is added: a snapshot with a higher number would hide that a copy was put back.
        await observeHeads(vault, stateDirectory);
        const taken = await takeDump({
          ...{ source, vault, signal, logger },
          request: { snapshotId: snapshot as SnapshotId, component, host },
          choice: logical,
          jobs: logical.jobs,
          spoolDirectory: path.join(stateDirectory, 'dump', name),
          onProgress: (note) => report({ note }),
        });
        const warnings = dumpWarnings(taken);
        return { snapshot: summarizeSnapshot(taken), ...(warnings.length === 0 ? {} : { warnings }) };
      }),
  };
}

async function dumpSourceOf(services: HostServices, { component }: DatabaseRequest): Promise<Source> {
  const { url, logical } = databaseOf(services, component);
  return { component, url: await resolveSecret(logical.url ?? url) };
}
