// What the driver was asked for: one operation on the estate of a configuration file.

import { parseArgs } from 'node:util';
import { loadConfiguration } from '../../../config/index.ts';
import { fail } from '../../../src/errors/index.ts';
import type { Operation } from './operation.ts';

/** Loaded when asked for: a worker has loaded everything long before. */
const operations: Readonly<Record<string, () => Promise<Operation>>> = {
  setup: async () => (await import('./setup.ts')).setup,
  receive: async () => (await import('./receive.ts')).receive,
  backup: async () => (await import('./backup.ts')).backup,
  restore: async () => (await import('./restore.ts')).restore,
  verify: async () => (await import('./verify.ts')).verify,
};

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { config: text, home: text, target: text, to: text, incremental: flag, decrypt: flag },
});
const load = operations[positionals[0] ?? ''];
const { config, home, target, to, incremental = false, decrypt = false } = values;
if (!load || !config || !home) {
  fail('USAGE', 'expected: setup|receive|backup|restore|verify --config FILE --home DIR [--target DIR] [--to TARGET]');
}
const { configuration } = await loadConfiguration(config);
const database = configuration.database.main ?? fail('USAGE', "the configuration has no database 'main'");
const operation = await load();
await operation({
  ...{ configuration, database, target, to, incremental, decrypt },
  arrivals: `${home}/arrivals`,
  report: `${home}/restored.json`,
  steps: `${home}/steps.json`,
});
