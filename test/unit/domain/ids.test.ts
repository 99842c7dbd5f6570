// Names that more than one part must agree on.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { componentInId, isRunName, runId, scheduleIds, workflowIds } from '../../../src/domain/ids.ts';

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

test('the id of a workflow names its component, whatever the estate is called, and one that names none says so', () => {
  for (const estate of ['acme', 'database', 'files']) {
    const main = 'database/main';
    const named = [
      workflowIds.backup(estate, main),
      workflowIds.backup(estate, main, 'incremental'),
      workflowIds.ship(estate, main),
      workflowIds.restoreInPlace(estate, main),
      workflowIds.restorePart(estate, main),
      workflowIds.verify(estate, main),
      `${scheduleIds.backup(estate, main, 'full')}-2026-11-26T02:00:00Z`,
    ];
    for (const id of named) assert.equal(componentInId(id), main, id);
    const nameless = [
      workflowIds.restoreBeside(estate, '0123456789abcdef'),
      workflowIds.retention(estate),
      workflowIds.verify(estate),
      workflowIds.catchUp(estate, 'eu'),
      workflowIds.rollback(estate, 'restore-3f9a1c2b'),
    ];
    for (const id of nameless) assert.equal(componentInId(id), undefined, id);
  }
});
