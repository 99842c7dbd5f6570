// A database server that is shut down: its last record is in the vault when the copies take it, and it does not hang when they do not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareLsn, type Lsn, parseLsn } from '../../src/domain/lsn.ts';
import { readSlot } from '../../src/postgres/receiver/index.ts';
import { run } from '../../src/process/index.ts';
import { archivedRuns } from '../support/archived-log.ts';
import { blockable } from '../support/blockable-store.ts';
import { hostOf, slot } from '../support/receiver-host.ts';
import type { ScratchPostgres } from '../support/scratch-postgres.ts';
import { COMPONENT } from '../support/vault.ts';
import { waitFor } from '../support/wait-for.ts';

const policy = { copies: 2, offsite: 1 };
const patient = { limitMs: 120_000 };

/** Where the record of the shutdown begins, by the files of a server that is down. */
async function shutdownRecord(server: ScratchPostgres): Promise<Lsn> {
  const { stdout } = await run(server.bin('pg_controldata'), ['-D', server.dataDirectory]);
  assert.match(stdout, /Database cluster state: +shut down$/m);
  return parseLsn(/^Latest checkpoint location: +(\S+)$/m.exec(stdout)![1]!);
}

test('a server that is shut down has its last record on the copies', async (t) => {
  const { server, receivers } = await hostOf(t, { copies: ['local', 'us'], policy });
  await server.query('create table last as select 1 as n');
  await server.stop('fast');
  const record = await shutdownRecord(server);
  const isThere = () => compareLsn(receivers.state(COMPONENT)!.durableLsn!, record) > 0;
  await waitFor('the last record on the copies, with the server down', isThere, patient);
});

test('a server goes down though the copies take nothing, and its slot keeps what they lack', async (t) => {
  const stores = blockable();
  const host = await hostOf(t, { copies: ['local', 'us'], policy, wrap: stores.wrap });
  const { server, receivers, vault, flushed } = host;
  await receivers.drain(COMPONENT, 1, await flushed(), AbortSignal.timeout(60_000));
  stores.block('us');
  await server.query('create table meanwhile as select n from generate_series(1, 10000) n');
  await server.stop('fast');
  const record = await shutdownRecord(server);
  assert.ok(
    compareLsn(receivers.state(COMPONENT)!.durableLsn!, record) < 0,
    'the copies had it all, which shows nothing',
  );

  await server.start();
  const kept = (await readSlot({ component: COMPONENT, url: server.url() }, slot))!;
  assert.ok(compareLsn(kept.restartLsn!, record) <= 0, 'the slot went on without the copies');
  stores.open('us');
  await waitFor('a steady receiver', () => host.phase() === 'streaming', patient);
  await receivers.drain(COMPONENT, 1, await flushed(), AbortSignal.timeout(60_000));
  assert.equal(receivers.losses(COMPONENT).count, 0);
  const { systemId = '' } = receivers.state(COMPONENT) ?? {};
  for (const copy of ['local', 'us']) {
    const runs = await archivedRuns(vault.log(COMPONENT, systemId, copy), 1);
    assert.equal(runs.length, 1, `${copy} has a gap`);
    assert.ok(compareLsn(runs[0]!.toLsn, record) > 0);
  }
});
