// What the driver was asked for: one operation on the estate of a configuration file.

import { parseArgs } from 'node:util';
import { loadConfiguration } from '../../../config/index.ts';
import { fail } from '../../../src/errors/index.ts';
import { backup } from './backup.ts';
import type { Operation } from './operation.ts';
import { receive } from './receive.ts';
import { restore } from './restore.ts';
import { setup } from './setup.ts';
import { verify } from './verify.ts';

const operations: Readonly<Record<string, Operation>> = { setup, receive, backup, restore, verify };

const text = { type: 'string' } as const;
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { config: text, home: text, target: text, to: text, incremental: { type: 'boolean' } },
});
const operation = operations[positionals[0] ?? ''];
const { config, home, target, to, incremental = false } = values;
if (!operation || !config || !home) {
  fail('USAGE', 'expected: setup|receive|backup|restore|verify --config FILE --home DIR [--target DIR] [--to TARGET]');
}
const { configuration } = await loadConfiguration(config);
const database = configuration.database.main ?? fail('USAGE', "the configuration has no database 'main'");
await operation({
  ...{ configuration, database, target, to, incremental },
  arrivals: `${home}/arrivals`,
  report: `${home}/restored.json`,
});
