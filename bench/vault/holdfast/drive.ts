// What the driver was asked for: one operation on one directory.

import { parseArgs } from 'node:util';
import { fail } from '../../../src/errors/index.ts';
import { backup } from './backup.ts';
import { check } from './check.ts';
import { init } from './init.ts';
import type { Operation } from './operation.ts';
import { restore } from './restore.ts';

const operations: Readonly<Record<string, Operation>> = { init, backup, restore, check };

const text = { type: 'string' } as const;
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { copy: text, key: text, source: text, target: text },
});
const operation = operations[positionals[0] ?? ''];
const { copy, key, source, target } = values;
if (!operation || !copy || !key || !source || !target) {
  fail('USAGE', 'expected: init|backup|restore|check --copy DIR --key FILE --source DIR --target DIR');
}
await operation({ copy, key, source, target });
