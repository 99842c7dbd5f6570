// The receivers of a host beside a restore, and what they say of a stretch of log: on a real server, with a journal as a restore writes it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseLsn } from '../../src/domain/lsn.ts';
import { Journal } from '../../src/postgres/recovery/journal.ts';
import { restorePaths } from '../../src/postgres/recovery/paths.ts';
import { hostOf } from '../support/receiver-host.ts';
import { COMPONENT } from '../support/vault.ts';
import { waitFor } from '../support/wait-for.ts';

async function beginSwap(dataDirectory: string): Promise<Journal> {
  const paths = restorePaths(dataDirectory, 'restore-1');
  const journal = await Journal.open(
    paths,
    { token: 1 },
    {
      ...{ run: 'restore-1', estate: 'acme', component: COMPONENT, digest: 'd', mode: 'in place', dataDirectory },
      ...{ workDirectory: paths.work, systemId: '7', timeline: 1 },
      execution: { binDirectory: '/none', roles: [], preloadLibraries: [], tablespaces: [], checks: [] },
    },
  );
  await journal.append('swap', 'begin');
  return journal;
}

test('the last log of a server that a restore replaces is still received, and nothing after it', async (t) => {
  const { server, receivers, dataDirectory, flushed, phase } = await hostOf(t);
  const journal = await beginSwap(dataDirectory);
  await journal.append('stop production', 'begin');
  // Long enough for the receivers to look at the journal more than once.
  await sleep(5_000);
  assert.equal(phase(), 'streaming');
  await server.query('create table last_words as select 1 as word');
  await receivers.drain(COMPONENT, 1, await flushed(), AbortSignal.timeout(60_000));
  await journal.append('ship log', 'done');
  await waitFor('the receiver to keep away', () => phase() === 'paused');
  await journal.append('swap', 'done');
  await waitFor('the receiver to come back', () => phase() === 'streaming');
});

test('log that a copy has no beginning of is not there, however far its cursor came', async (t) => {
  const { server, receivers, flushed } = await hostOf(t);
  const from = await flushed();
  await server.query('create table something as select 1 as word');
  const [to, wait] = [await flushed(), { signal: AbortSignal.timeout(60_000) }];
  await receivers.waitForLog(COMPONENT, 'local', 1, from, to, wait);
  const before = parseLsn('0/100028');
  await assert.rejects(receivers.waitForLog(COMPONENT, 'local', 1, before, to, wait), { code: 'LOG_HOLE' });
});
