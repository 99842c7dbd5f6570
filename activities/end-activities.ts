// The ends of a restore in place: the journal of each kind of component is with its own engine.

import { type ComponentSettings, componentOf } from '../config/index.ts';
import type { EndActivities, RestoreEnd, RunOnHost } from './contract.ts';
import { endFilesBack, endFilesConfirmed } from './files-restore-activities.ts';
import { runActivity } from './lib/activity-runner.ts';
import type { HostServices } from './lib/host-services.ts';
import { endRedisBack, endRedisConfirmed } from './redis-restore-activities.ts';
import { confirmDatabase, rollbackDatabase } from './restore-activities.ts';

type End = (services: HostServices, request: RunOnHost) => Promise<RestoreEnd>;

const ends: Readonly<Record<ComponentSettings['kind'], { readonly rollback: End; readonly confirm: End }>> = {
  database: { rollback: rollbackDatabase, confirm: confirmDatabase },
  redis: { rollback: endRedisBack, confirm: endRedisConfirmed },
  files: { rollback: endFilesBack, confirm: endFilesConfirmed },
  configuration: { rollback: endFilesBack, confirm: endFilesConfirmed },
};

export function createEndActivities(services: HostServices): EndActivities {
  const { frame, configuration } = services;
  const kindOf = ({ component }: RunOnHost) => componentOf(configuration, component).kind;
  return {
    rollbackRestore: (request) => runActivity(frame, () => ends[kindOf(request)].rollback(services, request)),
    confirmRestore: (request) => runActivity(frame, () => ends[kindOf(request)].confirm(services, request)),
  };
}
