// What the driver was asked for: one operation on the estate of a configuration file.

import { parseArgs } from 'node:util';
import { loadConfiguration } from '../../../config/index.ts';
import { fail } from '../../../src/errors/index.ts';
import type { Operation } from './operation.ts';

/** Loaded when asked for: a worker has loaded everything long before. */
const operations: Readonly<Record<string, () => Promise<Operation>>> = {
  setup: async () => (await import('./setup.ts')).setup,
  capture: async () => (await import('./capture.ts')).capture,
  restore: async () => (await import('./restore.ts')).restore,
};

const text = { type: 'string' } as const;
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { config: text, home: text, target: text },
});
const load = operations[positionals[0] ?? ''];
const { config, home, target } = values;
if (!load || !config || !home || !target) {
  fail('USAGE', 'expected: setup|capture|restore --config FILE --home DIR --target DIR');
}
const { configuration } = await loadConfiguration(config);
const redis = configuration.redis.main ?? fail('USAGE', "the configuration has no redis 'main'");
const operation = await load();
await operation({ configuration, redis, target, steps: `${home}/steps.json`, report: `${home}/restored.json` });
