// `setup` and a slot that is gone: made again only where no log can be missing because of it, otherwise left to the receiver, and said.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setUpHost } from '../../src/host/setup.ts';
import { readSlot } from '../../src/postgres/receiver/index.ts';
import { hostOf, logger, slot } from '../support/receiver-host.ts';
import { COMPONENT } from '../support/vault.ts';
import { waitFor } from '../support/wait-for.ts';

type Host = Awaited<ReturnType<typeof hostOf>>;

async function setUpSlot({ configuration }: Host, dryRun = false) {
  const options = { host: 'here', logger, dryRun, makeKeys: false, allowUnlimitedSlot: true };
  const steps = await setUpHost(configuration, { ...options, onStep: () => undefined });
  const failed = steps.find(({ state }) => state === 'failed');
  assert.equal(failed, undefined, failed?.message);
  return steps.find(({ name }) => name === 'database/main slot');
}

async function loseSlot({ server, stop, receivers, flushed }: Host) {
  await server.query('create table before as select 1 as n');
  await receivers.drain(COMPONENT, 1, await flushed(), AbortSignal.timeout(60_000));
  await stop();
  await waitFor('the slot to be free', async () => {
    const [row] = await server.query('select count(*)::text as n from pg_replication_slots where active');
    return row?.n === '0';
  });
  await server.query(`select pg_drop_replication_slot('${slot}')`);
}

test('a slot that is gone is made again when the vault has everything from where it begins, and the log goes on without a hole', async (t) => {
  const host = await hostOf(t);
  assert.deepEqual(await setUpSlot(host, true), {
    ...{ name: 'database/main slot', state: 'present', message: `replication slot '${slot}'` },
  });
  await loseSlot(host);
  assert.deepEqual(await setUpSlot(host, true), {
    ...{ name: 'database/main slot', state: 'planned' },
    message: `would make the physical replication slot '${slot}' on this server`,
  });
  const step = await setUpSlot(host);
  assert.equal(step?.state, 'done');
  assert.match(step?.message ?? '', /it was gone, and no log is missing: the vault has it to [0-9A-F]+\/[0-9A-F]+$/);
  assert.equal((await setUpSlot(host))?.state, 'present');
  const receivers = host.start();
  await receivers.drain(COMPONENT, 1, await host.flushed(), AbortSignal.timeout(60_000));
  assert.equal(receivers.losses(COMPONENT).count, 0);
});

test('a slot that is gone with log that the vault lacks is not made silently: the receiver names the hole', async (t) => {
  const host = await hostOf(t);
  const { server, configuration, vault } = host;
  await loseSlot(host);
  for (let round = 0; round < 6; round += 1) {
    await server.query(`select pg_logical_emit_message(false, 'filler', repeat('x', 10000)); select pg_switch_wal()`);
    await server.query('checkpoint');
  }
  const step = await setUpSlot(host);
  assert.equal(step?.state, 'skipped');
  assert.match(
    step?.message ?? '',
    /is gone, and log may be missing: the vault has the log only to [0-9A-F]+\/[0-9A-F]+;/,
  );
  assert.match(step?.message ?? '', /names the hole, raises the alarm and takes a new full backup$/);
  const source = { component: COMPONENT, url: server.url() } as const;
  assert.equal(await readSlot(source, slot), undefined);
  assert.equal(configuration.database.main?.host, 'here');
  const receivers = host.start();
  await receivers.ensure(COMPONENT);
  await receivers.drain(COMPONENT, 1, await host.flushed(), AbortSignal.timeout(60_000));
  const { count, id, hole } = receivers.losses(COMPONENT);
  assert.equal(count, 1);
  assert.notEqual(hole?.from, undefined);
  assert.equal((await vault.listRecords('log-database-main')).length, 1);

  // Whoever raises the alarm may not have looked before the worker died: the next one tells the same loss, once.
  await host.stop();
  const next = host.start();
  const told = await waitFor('the loss', () => next.losses(COMPONENT).id !== undefined && next.losses(COMPONENT));
  assert.deepEqual(told, { count: 0, id, hole });
  await next.ensure(COMPONENT);
  await next.drain(COMPONENT, 1, await host.flushed(), AbortSignal.timeout(60_000));
  assert.equal(next.losses(COMPONENT).id, id);
  assert.equal((await vault.listRecords('log-database-main')).length, 1);
});

test('the first slot of a server is made', async (t) => {
  const host = await hostOf(t);
  await loseSlot(host);
  // Another component's vault: nothing is known of this server there.
  const empty = await hostOf(t);
  await empty.stop();
  const { vault } = empty.configuration;
  const step = await setUpSlot({ ...host, configuration: { ...host.configuration, vault } });
  assert.equal(step?.state, 'done');
  assert.match(step?.message ?? '', /^replication slot 'holdfast_acme_main', log kept from [0-9A-F]+\/[0-9A-F]+$/);
});
