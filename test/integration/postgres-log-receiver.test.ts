// The receiver on real servers: every byte of the log on every copy, nothing reported that is not durable, and no gap that is not named.

import assert from 'node:assert/strict';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { coverage } from '../../src/domain/log-coverage.ts';
import { compareLsn, type Lsn, lsnValue, parseLsn } from '../../src/domain/lsn.ts';
import { readHoldings } from '../../src/postgres/receiver/holdings.ts';
import {
  ensureSlot,
  latestLoss,
  type Receiver,
  type ReceiverEvent,
  type ReceiverOptions,
  readSlot,
  startReceiver,
} from '../../src/postgres/receiver/index.ts';
import { SlotGuard } from '../../src/postgres/receiver/slot-guard.ts';
import { createWalWalker, describeLog } from '../../src/postgres/wal/index.ts';
import { run, start } from '../../src/process/index.ts';
import type { Vault } from '../../src/vault/index.ts';
import { archivedRuns, compareWithDirectory } from '../support/archived-log.ts';
import { blockable } from '../support/blockable-store.ts';
import { chownTree, type ScratchPostgres, startScratchPostgres } from '../support/scratch-postgres.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { COMPONENT, type TestVaultOptions, testVault } from '../support/vault.ts';
import { waitFor } from '../support/wait-for.ts';

const logger = pino({ level: process.env.HOLDFAST_TEST_LOG ?? 'silent' });
const MiB = 1024 * 1024;
const slot = 'holdfast_acme_main';

interface Running {
  readonly receiver: Receiver;
  readonly events: ReceiverEvent[];
}

async function receive(
  t: TestContext,
  server: ScratchPostgres,
  vault: Vault,
  changes: Partial<ReceiverOptions> = {},
): Promise<Running> {
  const events: ReceiverEvent[] = [];
  const receiver = startReceiver({
    source: { component: COMPONENT, url: server.url() },
    component: COMPONENT,
    slot,
    vault,
    policy: vault.policy,
    copies: vault.copies,
    stateDirectory: changes.stateDirectory ?? (await temporaryDirectory(t)),
    logger,
    onEvent: (event) => events.push(event),
    ...changes,
  });
  t.after(() => receiver.stop());
  return { receiver, events };
}

async function vaultFor(t: TestContext, setup: TestVaultOptions = {}) {
  const made = await testVault(setup);
  t.after(() => made[Symbol.asyncDispose]());
  return made;
}

async function flushLsn(server: ScratchPostgres): Promise<Lsn> {
  const [row] = await server.query('select pg_current_wal_flush_lsn()::text as lsn');
  return parseLsn(row!.lsn!);
}

async function bench(server: ScratchPostgres, transactions = 400): Promise<void> {
  await run(server.bin('pgbench'), ['-c', '4', '-j', '2', '-t', String(transactions), '-n'], {
    env: server.environment,
  });
}

async function bank(
  t: TestContext,
  major: number,
  settings: Record<string, string | number> = {},
): Promise<ScratchPostgres> {
  const server = await startScratchPostgres(t, {
    major,
    initdb: ['--wal-segsize=1'],
    settings: { max_wal_size: '64MB', min_wal_size: '2MB', ...settings },
  });
  return server;
}

async function systemIdOf(server: ScratchPostgres): Promise<string> {
  const [row] = await server.query('select system_identifier::text as id from pg_control_system()');
  return row!.id!;
}

/** Writes, so that the end of the log is known and behind it nothing is pending. */
async function mark(server: ScratchPostgres, name: string): Promise<Lsn> {
  const [row] = await server.query(`select pg_create_restore_point('${name}')::text as lsn`);
  await server.query('create table if not exists seen (t timestamptz default now()); insert into seen default values');
  return parseLsn(row!.lsn!);
}

for (const major of [15, 17, 18]) {
  test(`on PostgreSQL ${major} every copy gets the very bytes that pg_receivewal gets`, async (t) => {
    const server = await bank(t, major);
    const { vault } = await vaultFor(t, { copies: ['local', 'eu'], policy: { copies: 2, offsite: 1 } });
    const source = { component: COMPONENT, url: server.url() } as const;
    await ensureSlot(source, slot, { immediatelyReserve: true });
    await ensureSlot(source, 'peer', { immediatelyReserve: true });
    const theirs = path.join(await temporaryDirectory(t), 'theirs');
    await mkdir(theirs);
    const peer = await start(server.bin('pg_receivewal'), ['-D', theirs, '--slot', 'peer', '--synchronous'], {
      env: server.environment,
    });
    t.after(() => peer.stop());
    const { receiver } = await receive(t, server, vault);
    await run(server.bin('pgbench'), ['-i', '-s', '1', '-q'], { env: server.environment });
    await bench(server);
    const named = await mark(server, 'the end');
    const end = await flushLsn(server);
    await receiver.waitFor('policy', 1, end);
    await receiver.waitFor('local', 1, end);
    const state = receiver.state();
    assert.equal(state.phase, 'streaming');
    assert.deepEqual(
      state.copies.map(({ copy, error }) => [copy, error]),
      [
        ['local', undefined],
        ['eu', undefined],
      ],
    );
    await waitFor('pg_receivewal', async () => {
      const [row] = await server.query(
        "select count(*)::text as n from pg_stat_replication where application_name = 'pg_receivewal' and flush_lsn >= '" +
          end +
          "'",
      );
      return row?.n === '1';
    });
    for (const copy of ['local', 'eu']) {
      const log = vault.log(COMPONENT, await systemIdOf(server), copy);
      const runs = await archivedRuns(log, 1);
      assert.equal(runs.length, 1, 'the log has a gap');
      const compared = await compareWithDirectory(runs, theirs, 1, MiB);
      assert.ok(compared > 10 * MiB, `${compared} bytes were compared`);
      // What the headers say is what a walk over the bytes says.
      const { objects } = await log.list();
      const headers = await Promise.all(objects.map((object) => log.readHeader(object)));
      assert.deepEqual(
        headers.flatMap(({ restorePoints }) => restorePoints).map(({ name, endLsn }) => [name, endLsn]),
        [['the end', named]],
      );
      const { fromLsn, bytes } = runs[0]!;
      for (const header of headers) {
        const facts = describeLog({
          startLsn: fromLsn,
          segmentSizeBytes: MiB,
          bytes,
          fromLsn: header.fromLsn,
          toLsn: header.toLsn,
        });
        assert.deepEqual([header.first, header.last, header.maxTime], [facts.first, facts.last, facts.maxTime]);
      }
      // Closed segments have replaced their extents.
      const closed = new Set(objects.filter(({ kind }) => kind === 'segment').map(({ segment }) => segment));
      assert.ok(closed.size > 8);
      await waitFor('extents to be dropped', async () =>
        (await log.list()).objects.every((o) => o.kind === 'segment' || !closed.has(o.segment)),
      );
    }
    const kept = await readSlot(source, slot);
    assert.ok(compareLsn(kept!.restartLsn!, receiver.state().durableLsn!) <= 0);
  });
}

test('an idle server is marked with its clock, and durable time follows it', async (t) => {
  const server = await bank(t, 17);
  const { vault } = await vaultFor(t);
  await ensureSlot({ component: COMPONENT, url: server.url() }, slot, { immediatelyReserve: true });
  const { receiver } = await receive(t, server, vault, { markEveryMs: 500 });
  await mark(server, 'before idling');
  await receiver.waitFor('policy', 1, await flushLsn(server));
  const [row] = await server.query(
    `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as now`,
  );
  const time = await waitFor(
    'a mark',
    () => (receiver.state().durableTime ?? '') > row!.now! && receiver.state().durableTime,
  );
  const log = vault.log(COMPONENT, await systemIdOf(server), 'local');
  const stored = await waitFor('a stored mark', async () => {
    const { mark: found } = await log.list();
    return found !== undefined && found.time >= time && found;
  });
  const [run1] = await archivedRuns(log, 1);
  assert.ok(compareLsn(stored.lsn, run1!.toLsn) <= 0, 'a mark lies behind the durable log');
});

test('while the policy is not met the slot keeps the log, and a copy that was away gets it all when it is back', async (t) => {
  const server = await bank(t, 17, { max_wal_size: '4MB' });
  const stores = blockable();
  const copies = ['local', 'eu', 'us'];
  const { vault } = await vaultFor(t, { copies, policy: { copies: 2, offsite: 1 }, wrap: stores.wrap });
  const source = { component: COMPONENT, url: server.url() } as const;
  await ensureSlot(source, slot, { immediatelyReserve: true });
  const { receiver, events } = await receive(t, server, vault, { spoolLimitBytes: 1 });
  await run(server.bin('pgbench'), ['-i', '-s', '1', '-q'], { env: server.environment });
  await receiver.waitFor('policy', 1, await flushLsn(server));
  await receiver.waitFor('us', 1, await flushLsn(server));

  // One copy away: the others go on.
  stores.block('us');
  await bench(server, 100);
  await receiver.waitFor('policy', 1, await flushLsn(server));
  await waitFor('the copy to be missed', () =>
    events.some((event) => event.type === 'copy behind' && event.copy === 'us'),
  );

  // All that are off-site away: nothing more is reported, the server keeps everything.
  stores.block('eu');
  await sleep(100);
  const durable = receiver.state().durableLsn!;
  for (let round = 0; round < 4; round += 1) {
    await bench(server, 100);
    await server.query('select pg_switch_wal()');
    await server.query('checkpoint');
  }
  const { restartLsn } = (await readSlot(source, slot))!;
  assert.ok(compareLsn(restartLsn!, receiver.state().durableLsn!) <= 0);
  const extra = Number(lsnValue(receiver.state().durableLsn!) - lsnValue(durable));
  assert.ok(extra < MiB, `the policy's position went ${extra} bytes on without off-site copies`);

  stores.open('eu');
  stores.open('us');
  const end = await flushLsn(server);
  for (const where of ['policy', ...copies]) await receiver.waitFor(where, 1, end);
  const first = await archivedRuns(vault.log(COMPONENT, await systemIdOf(server), 'local'), 1);
  for (const copy of copies) {
    const runs = await archivedRuns(vault.log(COMPONENT, await systemIdOf(server), copy), 1);
    assert.equal(runs.length, 1, `${copy} has a gap`);
    assert.equal(runs[0]!.fromLsn, first[0]!.fromLsn);
    const shorter = Math.min(runs[0]!.bytes.length, first[0]!.bytes.length);
    assert.ok(runs[0]!.bytes.subarray(0, shorter).equals(first[0]!.bytes.subarray(0, shorter)), `${copy} differs`);
  }
  assert.ok(events.some((event) => event.type === 'copy back' && event.copy === 'us'));
});

/** Once the server has let go of it: a receiver that has stopped may still be named as its reader for a moment. */
async function dropSlotByHand(server: ScratchPostgres): Promise<void> {
  const active = `select from pg_replication_slots where slot_name = '${slot}' and active`;
  await waitFor('nobody to read from the slot', async () => (await server.query(active)).length === 0);
  await server.query(`select pg_drop_replication_slot('${slot}')`);
}

test('a copy that holds nothing does not speak for one that does not answer', async (t) => {
  const server = await bank(t, 17);
  const { vault, ...made } = await vaultFor(t, { copies: ['local', 'eu'] });
  const source = { component: COMPONENT, url: server.url() } as const;
  const first = await receive(t, server, vault);
  const end = await flushLsn(server);
  for (const copy of ['local', 'eu']) await first.receiver.waitFor(copy, 1, end);
  await first.receiver.stop();
  await dropSlotByHand(server);
  await rm(path.join(made.path('local'), 'database'), { recursive: true });
  await rename(made.path('eu'), `${made.path('eu')}.away`);
  const second = await receive(t, server, vault);
  await waitFor('the loss to be seen', () => second.receiver.state().error?.code === 'SLOT_LOST');
  assert.equal(await readSlot(source, slot), undefined, 'a slot was made as if there had never been log');
});

test('a slot that is dropped by hand is a named hole and an alarm, never silence', async (t) => {
  const server = await bank(t, 15, { max_wal_size: '2MB', wal_keep_size: 0 });
  const { vault } = await vaultFor(t);
  const source = { component: COMPONENT, url: server.url() } as const;
  await ensureSlot(source, slot, { immediatelyReserve: true });
  const first = await receive(t, server, vault);
  await run(server.bin('pgbench'), ['-i', '-s', '1', '-q'], { env: server.environment });
  await first.receiver.waitFor('policy', 1, await flushLsn(server));
  await first.receiver.stop();
  const before = first.receiver.state().durableLsn!;
  await dropSlotByHand(server);
  for (let round = 0; round < 6; round += 1) {
    await bench(server, 200);
    await server.query('select pg_switch_wal()');
    await server.query('checkpoint');
  }
  let mayDeclare = false;
  const second = await receive(t, server, vault, { mayDeclareLoss: () => mayDeclare });
  await waitFor('the loss to be seen', () => second.receiver.state().error?.code === 'SLOT_LOST');
  assert.equal(await readSlot(source, slot), undefined, 'the slot was made again without leave');
  mayDeclare = true;
  const lost = await waitFor('the event', () => second.events.find((event) => event.type === 'slot lost'));
  assert.ok(lost.hole !== undefined);
  assert.equal(lost.hole.fromLsn, before);
  await bench(server, 50);
  const end = await flushLsn(server);
  await second.receiver.waitFor('policy', 1, end);
  const log = vault.log(COMPONENT, await systemIdOf(server), 'local');
  const [covered] = coverage((await readHoldings(log)).stretches);
  assert.deepEqual(covered!.holes, [{ fromLsn: lost.hole.fromLsn, toLsn: lost.hole.toLsn }]);
  assert.equal((await vault.listRecords('log-database-main')).length, 1);

  // Another start finds the hole as it is and goes on behind it.
  await second.receiver.stop();
  const third = await receive(t, server, vault);
  await bench(server, 50);
  await third.receiver.waitFor('policy', 1, await flushLsn(server));
  assert.ok(third.events.every(({ type }) => type !== 'slot lost'));
  assert.equal((await latestLoss(vault, COMPONENT))?.id, lost.id);
  assert.equal(coverage((await readHoldings(log)).stretches)[0]!.holes.length, 1);
});

test('a slot that was made again by a process that died before it told so is no beginning, and the hole is told by the next', async (t) => {
  const server = await bank(t, 17, { max_wal_size: '2MB', wal_keep_size: 0 });
  const stores = blockable();
  const { vault } = await vaultFor(t, { copies: ['local', 'eu'], wrap: stores.wrap });
  const source = { component: COMPONENT, url: server.url() } as const;
  const stateDirectory = await temporaryDirectory(t);
  await ensureSlot(source, slot, { immediatelyReserve: true });
  const first = await receive(t, server, vault, { stateDirectory });
  await run(server.bin('pgbench'), ['-i', '-s', '1', '-q'], { env: server.environment });
  for (const copy of ['local', 'eu']) await first.receiver.waitFor(copy, 1, await flushLsn(server));
  await first.receiver.stop();
  const before = first.receiver.state().durableLsn!;
  await dropSlotByHand(server);
  for (let round = 0; round < 6; round += 1) {
    await bench(server, 100);
    await server.query('select pg_switch_wal()');
    await server.query('checkpoint');
  }
  const { policy, copies } = vault;
  const options: ReceiverOptions = {
    source,
    component: COMPONENT,
    slot,
    vault,
    policy,
    copies,
    stateDirectory,
    logger,
  };
  const died: ReceiverEvent[] = [];
  await new SlotGuard(options, (event) => died.push(event)).require();
  assert.equal((await readSlot(source, slot))?.state, 'ok');
  assert.deepEqual(died, []);

  for (const copy of ['local', 'eu']) stores.block(copy);
  const second = await receive(t, server, vault, { stateDirectory });
  await waitFor('the loss to be seen', () => second.receiver.state().error?.code === 'SLOT_LOST');
  assert.equal(second.receiver.state().receivedLsn, undefined, 'log was received as if there had never been any');
  for (const copy of ['local', 'eu']) stores.open(copy);
  const lost = await waitFor('the event', () => second.events.find((event) => event.type === 'slot lost'));
  assert.equal(lost.hole?.fromLsn, before);
  for (const copy of ['local', 'eu']) await second.receiver.waitFor(copy, 1, await flushLsn(server));
  await second.receiver.stop();

  // Once it is told, the slot alone is a beginning again.
  for (const copy of ['local', 'eu']) stores.block(copy);
  const third = await receive(t, server, vault, { stateDirectory });
  await waitFor('the stream', () => third.receiver.state().phase === 'streaming');
  for (const copy of ['local', 'eu']) stores.open(copy);
  await bench(server, 50);
  await third.receiver.waitFor('policy', 1, await flushLsn(server));
  assert.ok(third.events.every(({ type }) => type !== 'slot lost'));
});

for (const major of [15, 17]) {
  test(`PostgreSQL ${major} promoted: the history is stored, the old timeline kept up to where it was left, the new one followed`, async (t) => {
    const primary = await bank(t, major);
    const { vault } = await vaultFor(t);
    // Removed after the standby has stopped: hooks run in the order of their registration.
    const removals: (() => Promise<void>)[] = [];
    const parent = await temporaryDirectory({ after: (removal) => void removals.push(removal as () => Promise<void>) });
    const directory = path.join(parent, 'standby');
    await run(primary.bin('pg_basebackup'), ['-D', directory, '-X', 'stream', '-c', 'fast', '--no-sync'], {
      env: primary.environment,
    });

    // Not `-R`: what it writes may hold options that the server's own client library does not know.
    await writeFile(path.join(directory, 'standby.signal'), '');
    await chownTree(path.dirname(directory));
    const standby = await startScratchPostgres(t, {
      major,
      directory,
      settings: { primary_conninfo: `host=${primary.directory} port=${primary.port} user=postgres`, hot_standby: 'on' },
    });
    t.after(() => removals[0]!());
    const source = { component: COMPONENT, url: standby.url() } as const;
    await ensureSlot(source, slot, { immediatelyReserve: true });
    const { receiver, events } = await receive(t, standby, vault);
    await run(primary.bin('pgbench'), ['-i', '-s', '1', '-q'], { env: primary.environment });
    await bench(primary, 100);
    await mark(primary, 'old');
    await receiver.waitFor('policy', 1, await flushLsn(primary));
    await standby.query('select pg_promote()');
    await bench(standby, 100);
    await mark(standby, 'new');
    await receiver.waitFor('policy', 2, await flushLsn(standby));
    const change = events.find((event) => event.type === 'timeline');
    assert.ok(change !== undefined);
    const log = vault.log(COMPONENT, await systemIdOf(standby), 'local');
    assert.match(await log.readHistory(2), new RegExp(`^1\\s+${change.switchLsn}\\s`));
    const [old, ...more] = await archivedRuns(log, 1);
    assert.equal(more.length, 0);
    assert.equal(old!.toLsn, change.switchLsn);
    const { objects } = await log.list({ timeline: 1 });
    // It may go on after a rollback, and its segment is then another one: what ends early is never closed.
    assert.equal(objects.at(-1)?.kind, 'extent', 'the segment in which the old timeline was left was closed');
    const [fresh, ...holes] = await archivedRuns(log, 2);
    assert.equal(holes.length, 0);
    const walker = createWalWalker({ startLsn: fresh!.fromLsn, segmentSizeBytes: MiB, timelineHint: 2 });
    walker.feed(fresh!.bytes);
    assert.ok((await compareWithDirectory([fresh!], path.join(standby.dataDirectory, 'pg_wal'), 2, MiB)) > 0);
    // The two timelines agree where they overlap: the new one began as a copy.
    const overlap = Number(lsnValue(old!.toLsn) - lsnValue(fresh!.fromLsn));
    assert.ok(overlap >= 0 && overlap < MiB);

    // A start that finds all this in the vault goes on with the new timeline, and loses nothing.
    await receiver.stop();
    await bench(standby, 50);
    const again = await receive(t, standby, vault);
    await again.receiver.waitFor('policy', 2, await flushLsn(standby));
    assert.equal((await archivedRuns(log, 2)).length, 1);
    assert.ok(again.events.every(({ type }) => type !== 'slot lost'));
  });
}
