// Commits that wait for the copies: what was acknowledged is in the vault whatever happens next, and nothing is acknowledged without it.

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import pg from 'pg';
import { compareLsn, type Lsn, parseLsn } from '../../src/domain/lsn.ts';
import { openHostService } from '../../src/host/service.ts';
import { preflight } from '../../src/postgres/preflight.ts';
import { archivedRuns } from '../support/archived-log.ts';
import { blockable } from '../support/blockable-store.ts';
import { hostOf, logger, slot } from '../support/receiver-host.ts';
import { COMPONENT } from '../support/vault.ts';
import { waitFor } from '../support/wait-for.ts';

const patient = { limitMs: 180_000 };
const copies = ['local', 'eu', 'us'];
const policy = { copies: 2, offsite: 1 };
const listed = `alter system set synchronous_standby_names = 'FIRST 1 ("${slot}")'`;

async function estate(t: TestContext, { synchronous }: { synchronous: boolean }) {
  const stores = blockable();
  const host = await hostOf(t, { synchronous, copies, policy, wrap: stores.wrap });
  const client = new pg.Client({ connectionString: host.server.url() });
  client.on('error', () => undefined); // the server is killed under it
  await client.connect();
  t.after(() => client.end().catch(() => undefined));
  await client.query('create table acknowledged (n int)');
  let next = 0;
  /** The position that was flushed when the commit was acknowledged. */
  const commit = async (): Promise<Lsn> => {
    await client.query('insert into acknowledged values ($1)', [next++]);
    const { rows } = await client.query('select pg_current_wal_flush_lsn()::text as lsn');
    return parseLsn(rows[0].lsn);
  };
  const source = { component: COMPONENT, url: host.server.url() } as const;
  const state = () => host.receivers.state(COMPONENT);
  return { ...host, stores, commit, source, state };
}

/** How far a copy has the log without a gap, by its own objects. */
async function endOn({ vault, state }: Awaited<ReturnType<typeof estate>>, copy: string): Promise<Lsn> {
  const runs = await archivedRuns(vault.log(COMPONENT, state()?.systemId ?? '', copy), 1);
  assert.equal(runs.length, 1, 'the log has a gap');
  return runs[0]!.toLsn;
}

async function switchOn({ server, state }: Awaited<ReturnType<typeof estate>>): Promise<void> {
  await server.query(listed);
  await server.query('select pg_reload_conf()');
  await waitFor('commits to wait', () => state()?.slot.syncState === 'sync', patient);
}

test('everything that was acknowledged is on the copies of the policy when the server dies with its disk', async (t) => {
  const it = await estate(t, { synchronous: true });
  await switchOn(it);
  it.stores.block('us');
  let last: Lsn | undefined;
  const writing = (async () => {
    for (;;) last = await it.commit();
  })();
  writing.catch(() => undefined); // ends with the server
  await waitFor('a hundred commits', () => last !== undefined && it.state()?.phase === 'streaming', patient);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await it.server.stop('immediate');
  await assert.rejects(writing);
  await it.stop();
  await rm(it.server.dataDirectory, { recursive: true, force: true });
  const holders = [];
  for (const copy of ['local', 'eu']) if (compareLsn(await endOn(it, copy), last!) >= 0) holders.push(copy);
  assert.deepEqual(holders, ['local', 'eu']);
});

test('no commit is acknowledged while too few copies take the log, and all are when they do again; the status says since when', async (t) => {
  const it = await estate(t, { synchronous: true });
  await switchOn(it);
  await it.commit();
  it.stores.block('us');
  await it.commit(); // the policy holds without it
  it.stores.block('eu');
  let isAcknowledged = false;
  const waiting = it.commit().then((lsn) => {
    isAcknowledged = true;
    return lsn;
  });
  await waitFor('the wait to be seen', () => (it.state()?.stalledMs ?? 0) > 11_000, patient);
  assert.equal(isAcknowledged, false);
  const service = await openHostService(it.configuration, {
    ...{ logger, host: 'here', vault: it.vault },
    reception: () => ({ commits: { state: 'sync', stalledSeconds: Math.round((it.state()?.stalledMs ?? 0) / 1000) } }),
  });
  const [status] = await service.components(COMPONENT);
  assert.match(status?.findings[0]?.message ?? '', /^commits have been waiting for the copies for \d+ s$/);
  assert.match(status?.findings[0]?.hint ?? '', /RESET synchronous_standby_names/);
  it.stores.open('eu');
  const lsn = await waiting;
  assert.ok(compareLsn(await endOn(it, 'eu'), lsn) >= 0);
});

test('without it a commit is acknowledged that no copy has, which is what the other tests would not let pass', async (t) => {
  const it = await estate(t, { synchronous: false });
  for (const copy of copies) it.stores.block(copy);
  const lsn = await it.commit();
  for (const copy of copies) it.stores.open(copy);
  await it.server.stop('immediate');
  await it.stop();
  for (const copy of copies) assert.ok(compareLsn(await endOn(it, copy), lsn) < 0);
});

test('the check names the statement that is missing, a setting that would not wait, and one that would wait for ever', async (t) => {
  const it = await estate(t, { synchronous: true });
  const asked = async (synchronous?: 'now' | 'soon') => {
    const checks = await preflight(it.source, { slot, ...(synchronous && { synchronous }) });
    return checks.find(({ name }) => name === 'synchronous commits');
  };
  const setting = async (statement: string) => {
    await it.server.query(statement);
    await it.server.query('select pg_reload_conf()');
  };
  const missing = await asked('now');
  assert.equal(missing?.ok, false);
  assert.match(missing?.hint ?? '', /ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 \("holdfast_acme_main"\)'/);
  assert.equal((await asked('soon'))?.ok, true);
  assert.match((await asked('soon'))?.hint ?? '', /^when `holdfast worker` runs/);
  await switchOn(it);
  assert.deepEqual(await asked('now'), {
    name: 'synchronous commits',
    ok: true,
    message: 'commits wait for the copies (sync)',
  });
  assert.match((await asked())?.hint ?? '', /log\.synchronous: true/);
  await setting(`alter system set synchronous_commit = 'remote_write'`);
  assert.match(
    (await waitFor('the setting', async () => (await asked('now'))?.ok === false && asked('now'), patient))?.message ??
      '',
    /do not wait until the copies have them/,
  );
  await setting(`alter system set synchronous_commit = 'remote_apply'`);
  await waitFor('the other setting', async () => /for ever/.test((await asked('now'))?.message ?? ''), patient);
});
