// A recovered server that cannot even be asked for its indexes: a check of each database that failed, never an exception that hides the others.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { checkIndexRoots } from '../../../../src/postgres/recovery/recovered-indexes.ts';
import { temporaryDirectory } from '../../../support/temporary.ts';

test('a server that lets nobody in has no index that could be searched, in any of its databases', async (t) => {
  const socketDirectory = path.join(await temporaryDirectory(t), 'none');
  const checks = await checkIndexRoots({ socketDirectory, port: 5432, roles: ['postgres'] }, ['bank', 'postgres']);
  assert.deepEqual(
    checks.map(({ name, ok, notDone }) => [name, ok, notDone]),
    [
      ['index roots bank', false, undefined],
      ['index roots postgres', false, undefined],
    ],
  );
  for (const { value } of checks) assert.match(value, /\S/);
});
