// A feed that cannot even write down that it gives up: it says so by its silence, and nothing else of the process ends with it.

import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { HoldfastError } from '../../../../src/errors/index.ts';
import { startLogFeed } from '../../../../src/postgres/recovery/log-feed.ts';
import { restorePaths } from '../../../../src/postgres/recovery/paths.ts';
import type { RestorePlan } from '../../../../src/postgres/types.ts';
import type { Vault } from '../../../../src/vault/types.ts';
import { temporaryDirectory } from '../../../support/temporary.ts';
import { waitFor } from '../../../support/wait-for.ts';

test('a log file that is given up on a disk that takes nothing ends the feed with the reason', async (t) => {
  const dataDirectory = path.join(await temporaryDirectory(t), 'data');
  const run = 'restore-00000001';
  const segment = { name: '000000010000000000000001', timeline: 1, fromLsn: '0/1000000', toLsn: '0/2000000' };
  const plan = {
    ...{ run, component: 'database/main', source: { systemId: '7', segmentSizeBytes: 16 * 1024 ** 2 } },
    place: { mode: 'beside', dataDirectory, start: false },
    log: { copy: 'local', segments: [segment], histories: [] },
    execution: {},
  } as unknown as RestorePlan;
  const inTheWay = Promise.withResolvers<void>();
  const list = async () => {
    await inTheWay.promise;
    throw new HoldfastError('STORE_UNAVAILABLE', 'the store is away');
  };
  const vault = { copies: [{ name: 'local' }], log: () => ({ copy: 'local', list }) } as unknown as Vault;
  const feed = await startLogFeed(plan, vault, { retryForMs: -1 });
  const { spool } = restorePaths(dataDirectory, run);
  // Nothing can be renamed to the name of a directory.
  await mkdir(path.join(spool, 'failed'));
  inTheWay.resolve();
  const failure = await waitFor('the failure', () => feed.failure);
  assert.equal(failure.message, 'the store is away');
  await feed.stop();
  assert.deepEqual(
    (await readdir(spool)).filter((name) => name.endsWith('.part')),
    [],
  );
});
