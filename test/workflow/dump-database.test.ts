// How a logical backup runs: beside a physical one of the same component, under an id of its own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunStatus } from '../../src/domain/operations.ts';
import { failureOf } from './support/closing.ts';
import { failure, script, snapshot } from './support/scripted-activities.ts';
import { sharedEnvironment, startEstate } from './support/workflow-environment.ts';

const shared = sharedEnvironment();
const request = (estate: string) => ({ estate, component: 'database/main', host: 'db1' });
const logical = { ...snapshot, kind: 'logical' };

test('a dump is identified, captured, verified and written down; its snapshot is named after the run', async (t) => {
  const { calls, requests, activities } = script({
    captureLogical: () => ({ snapshot: logical, warnings: ['left out: x'] }),
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('dumpDatabase', `${estate.name}/dump/database/main`, request(estate.name));
  const status = (await handle.result()) as RunStatus;
  assert.deepEqual(calls, [
    ...['resolveOperation', 'identifyDatabase', 'captureLogical', 'verifySnapshot', 'putRunRecord'],
  ]);
  const [{ snapshot: id, systemId }] = requests.captureLogical as [{ snapshot: string; systemId: string }];
  assert.match(status.run, /^dump-[0-9a-f]{8}$/);
  assert.equal(id.slice(-8), status.run.slice(-8));
  assert.equal(systemId, '7');
  assert.deepEqual(status.data?.warnings, ['left out: x']);
  assert.deepEqual(status.data?.snapshot, logical);
});

test('a dump that was committed and cannot be read again does not end well', async (t) => {
  const { activities } = script({
    captureLogical: () => ({ snapshot: logical }),
    verifySnapshot: () => ({ level: 'listed', copies: { local: 'good', eu: 'damaged' } }),
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('dumpDatabase', `${estate.name}/dump/database/main`, request(estate.name));
  const { type, status } = await failureOf(handle);
  assert.deepEqual([type, status.state], ['OBJECT_DAMAGED', 'failed']);
});

test('a dump that finds no programs of the server is refused, and production is as it was', async (t) => {
  const { activities } = script({
    captureLogical: () => {
      throw failure('TOOL_VERSION', 'the programs of PostgreSQL 18 are not installed on this host: none were found');
    },
  });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('dumpDatabase', `${estate.name}/dump/database/main`, request(estate.name));
  const { type, status } = await failureOf(handle);
  assert.deepEqual([type, status.state], ['TOOL_VERSION', 'refused']);
});
