// Names that more than one part must agree on.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRunName, runId, workflowIds } from '../../../src/domain/ids.ts';

test('a run of every operation is known by its name, and nothing else is', () => {
  const operations = [
    'backupDatabase',
    'dumpDatabase',
    'loadDump',
    'restorePart',
    'catchUpCopy',
    'mirrorFiles',
    'verifySnapshots',
  ] as const;
  for (const operation of operations) assert.ok(isRunName(runId(operation, '0192-3f9a1c2b')), operation);
  for (const other of [
    'part-3f9a',
    'database/main',
    workflowIds.restorePart('acme', 'database/main'),
    'plan-3f9a1c2b',
  ]) {
    assert.ok(!isRunName(other), other);
  }
});
