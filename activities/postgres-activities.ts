// All activities that know PostgreSQL, for the queues of one host.

import { createBackupActivities } from './backup-activities.ts';
import type { PostgresActivities } from './contract.ts';
import type { HostServices } from './lib/host-services.ts';
import { createLogicalActivities } from './logical-activities.ts';
import { createPartActivities } from './part-activities.ts';
import { createRestoreActivities } from './restore-activities.ts';

export function createPostgresActivities(services: HostServices): PostgresActivities {
  return {
    ...createBackupActivities(services),
    ...createLogicalActivities(services),
    ...createRestoreActivities(services),
    ...createPartActivities(services),
  };
}
