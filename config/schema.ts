// What a configuration file may say: every key with its type, default and explanation; the reference documentation is made from this.

import type { z } from 'zod';
import { zoneOffsetMs } from '../src/domain/moment.ts';
import { configuration } from './schema/configuration.ts';
import { database } from './schema/database.ts';
import { host, site, temporal } from './schema/estate.ts';
import { files } from './schema/files.ts';
import { approval, retention, verify } from './schema/policies.ts';
import { redis } from './schema/redis.ts';
import { mapping, name, named, parsed } from './schema/values.ts';
import { vault } from './schema/vault.ts';

export const schema = mapping({
  name: name().describe('Name of the estate: part of every workflow id, queue, schedule and replication slot.'),
  timezone: parsed('an IANA time zone such as Europe/Berlin or UTC', (zone) => zoneOffsetMs(0, zone))
    .default('UTC')
    .describe('Time zone of schedules, and of moments written without one.'),
  temporal: temporal.prefault({}).describe('The Temporal server.'),
  sites: named(site, 'sites').describe(
    'Places that fail as one: regions, data centres, rooms. The mapping of a name may be empty.',
  ),
  hosts: named(host, 'hosts').describe('Machines that a worker runs on, by name.'),
  vault: vault.describe('The encrypted repository.'),
  database: named(database, 'databases')
    .default({})
    .describe('PostgreSQL clusters, by name; `database/NAME` on the command line.'),
  redis: named(redis, 'Redis servers')
    .default({})
    .describe('Servers of Redis or Valkey, by name; `redis/NAME` on the command line.'),
  files: named(files, 'trees of files')
    .default({})
    .describe('Trees of files, by name; `files/NAME` on the command line.'),
  configuration: named(configuration, 'configurations')
    .default({})
    .describe('Configuration of hosts, by name; `configuration/NAME` on the command line.'),
  retention: retention.prefault({}).describe('How what `keep` does not keep is deleted.'),
  verify: verify
    .optional()
    .describe('Verification of what the copies hold, by schedule. Without it only `holdfast test integrity` does it.')
    .meta({ defaultText: 'none: only by command' }),
  approval: approval.prefault({}).describe('Who must agree before harm.'),
});

/** The file's content with defaults, before names are resolved and units are turned into numbers. */
export type ConfigurationFile = z.output<typeof schema>;
