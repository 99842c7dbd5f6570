// The driver: one operation of Holdfast's vault on one directory, as a program that can be measured like its peers.

import { parseArgs } from 'node:util';
import { fail } from '../../src/errors/index.ts';
import { backup } from './holdfast/backup.ts';
import { check } from './holdfast/check.ts';
import { init } from './holdfast/init.ts';
import type { Operation } from './holdfast/operation.ts';
import { restore } from './holdfast/restore.ts';

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
