// A store that fails during replay, a worker that goes away, a fetch that is cut short: recovery reaches its record or says why not.

import assert from 'node:assert/strict';
import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail, isHoldfastError } from '../../../src/errors/index.ts';
import {
  awaitTarget,
  checkRecovered,
  fetchBase,
  prepareWork,
  promote,
  proveRecovery,
} from '../../../src/postgres/recovery/index.ts';
import { restorePaths } from '../../../src/postgres/recovery/paths.ts';
import { findPostmaster } from '../../../src/postgres/recovery/postmaster.ts';
import { openRecovered, stopRecovered } from '../../../src/postgres/recovery/recovered-place.ts';
import { findWorkers, tryRun } from '../../../src/process/index.ts';
import type { Store } from '../../../src/stores/store.ts';
import { guard, logger, Restores } from '../../support/recovery-run.ts';
import { startRecoverySource } from '../../support/recovery-source.ts';
import { serverUser } from '../../support/scratch-postgres.ts';
import { waitFor } from '../../support/wait-for.ts';

const bulk = 'insert into ledger (note) select repeat(md5(random()::text), 8) from generate_series(1, 2000)';

/** Answers like a store that says 500: for the log only, when `refuse` says so. */
class Trouble {
  refuse: (call: number) => boolean = () => false;
  calls = 0;

  wrap = (store: Store): Store =>
    new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        if (name !== 'get' && name !== 'head') return value.bind(target);
        return (...args: unknown[]) => {
          if (String(args[0]).includes('/log/')) {
            this.calls += 1;
            if (this.refuse(this.calls)) fail('STORE_UNAVAILABLE', `the store answered 500 for '${String(args[0])}'`);
          }
          return value.apply(target, args);
        };
      },
    });
}

test('a store that answers 500 while the log is replayed to its end never makes a server that is promoted early', async (t) => {
  const trouble = new Trouble();
  const source = await startRecoverySource(t, { major: 17, vault: { wrap: trouble.wrap } });
  const restores = await Restores.of(t, source);
  await source.capture();
  for (let index = 0; index < 12; index += 1) await source.server.query(bulk);
  const last = await source.commit();
  await source.ship();
  const plan = await restores.plan({ target: { type: 'latest' } });
  assert.ok(plan.log.segments.length > 5);
  const paths = restorePaths(plan.place.dataDirectory, plan.run);
  await prepareWork(plan, guard);
  await fetchBase(plan, source.vault, guard);

  await t.test('for good: recovery ends with the reason, unpromoted', async () => {
    trouble.calls = 0;
    trouble.refuse = (call) => call > 6;
    await assert.rejects(awaitTarget(plan, source.vault, { logger, retryLogForMs: 1500 }), (error: unknown) => {
      assert.ok(isHoldfastError(error, 'RECOVERY_FAILED'));
      assert.match(error.message, /the log could not be fetched: the store answered 500/);
      return true;
    });
    const log = await readdir(path.join(paths.data, 'pg_wal'));
    assert.deepEqual(
      log.filter((name) => name.startsWith('00000002')),
      [],
    );
    assert.ok((await readdir(paths.data)).includes('recovery.signal'));
    assert.equal(await findPostmaster(paths.data), undefined);
  });

  await t.test('now and then: the same recovery goes on to exactly the planned end', async () => {
    trouble.refuse = (call) => call % 3 === 1;
    const { waitedMs } = await awaitTarget(plan, source.vault, { logger });
    assert.ok(waitedMs > 0, 'the server waited while the store did not answer');
    assert.equal((await proveRecovery(plan)).replayedLsn, plan.resolved.endLsn);
    const rows = await restores.query<{ id: number }>(plan, `select id from ledger where id = ${last.id}`);
    assert.equal(rows.length, 1);
  });
});

test('a copy that fails is replaced by another that has the log', async (t) => {
  const trouble = new Trouble();
  const wrap = (store: Store) => (store.name === 'local' ? trouble.wrap(store) : store);
  const source = await startRecoverySource(t, { major: 17, vault: { copies: ['local', 'far'], wrap } });
  const restores = await Restores.of(t, source);
  await source.capture();
  for (let index = 0; index < 6; index += 1) await source.server.query(bulk);
  await source.ship();
  const plan = await restores.plan({ target: { type: 'latest' } });
  assert.equal(plan.log.copy, 'local');
  await prepareWork(plan, guard);
  await fetchBase(plan, source.vault, guard);
  trouble.refuse = () => true;
  await awaitTarget(plan, source.vault, { logger, retryLogForMs: 1000 });
  assert.equal((await proveRecovery(plan)).replayedLsn, plan.resolved.endLsn);
  // The server reads what lies in the spool, under a name of its own: nothing was copied for it.
  const { data, spool } = restorePaths(plan.place.dataDirectory, plan.run);
  const last = plan.log.segments.at(-1)?.name ?? '';
  const [own, ready] = await Promise.all(
    [path.join(data, 'pg_wal', last), path.join(spool, 'ready', last)].map((it) => stat(it)),
  );
  assert.equal(own?.ino, ready?.ino);
});

test('the recovering server outlives whoever feeds it, and the next one goes on with the same server', async (t) => {
  const trouble = new Trouble();
  const source = await startRecoverySource(t, { major: 17, vault: { wrap: trouble.wrap } });
  const restores = await Restores.of(t, source);
  await source.capture();
  for (let index = 0; index < 12; index += 1) await source.server.query(bulk);
  await source.ship();
  const plan = await restores.plan({ target: { type: 'latest' } });
  const paths = restorePaths(plan.place.dataDirectory, plan.run);
  await prepareWork(plan, guard);
  await fetchBase(plan, source.vault, guard);
  trouble.calls = 0;
  trouble.refuse = (call) => call > 8;
  const leaving = new AbortController();
  const left = awaitTarget(plan, source.vault, {
    logger,
    signal: leaving.signal,
    onProgress: ({ segments }) => {
      if (segments > 0) leaving.abort();
    },
  });
  await assert.rejects(left, { code: 'CANCELLED' });
  const before = await findPostmaster(paths.data);
  assert.ok(before);
  trouble.refuse = () => false;
  await awaitTarget(plan, source.vault, { logger });
  await proveRecovery(plan);
  assert.deepEqual((await findPostmaster(paths.data))?.identity, before.identity);
});

test('a fetch that was cut short cannot be started, and goes on with what is right', async (t) => {
  const source = await startRecoverySource(t, { major: 17 });
  const restores = await Restores.of(t, source);
  await source.capture();
  await source.server.query(bulk);
  await source.ship();
  const plan = await restores.plan({ target: { type: 'latest' } });
  const { data } = restorePaths(plan.place.dataDirectory, plan.run);
  await prepareWork(plan, guard);
  const cut = new AbortController();
  const onProgress = ({ files }: { files: number }) => {
    if (files > 300) cut.abort();
  };
  await assert.rejects(fetchBase(plan, source.vault, guard, { signal: cut.signal, onProgress }), { code: 'CANCELLED' });
  const started = await tryRun(source.server.bin('postgres'), ['-D', data], {
    ...serverUser,
    cwd: '/',
    deadlineMs: 30_000,
  });
  assert.notEqual(started.exitCode, 0);
  await assert.rejects(awaitTarget(plan, source.vault), { code: 'JOURNAL_STATE' });
  const progress = await fetchBase(plan, source.vault, guard);
  assert.ok(progress.keptBytes > 0 && progress.keptBytes < progress.bytes);
  await awaitTarget(plan, source.vault, { logger });
  await proveRecovery(plan);
});

test('a recovering server that is killed ends the attempt with its reason, and the next one goes on; one that is killed once it is promoted is started again', async (t) => {
  const trouble = new Trouble();
  const source = await startRecoverySource(t, { major: 18, vault: { wrap: trouble.wrap } });
  const restores = await Restores.of(t, source);
  await source.capture();
  for (let index = 0; index < 8; index += 1) await source.server.query(bulk);
  const last = await source.commit();
  await source.ship();
  const plan = await restores.plan({ target: { type: 'latest' } });
  const paths = restorePaths(plan.place.dataDirectory, plan.run);
  await prepareWork(plan, guard);
  await fetchBase(plan, source.vault, guard);
  const kill = async (where: string) => {
    const postmaster = await findPostmaster(where);
    assert.ok(postmaster);
    process.kill(postmaster.identity.pid, 'SIGKILL');
  };
  // What the server asks for is held back from here on: it is killed in the middle of its replay.
  trouble.calls = 0;
  trouble.refuse = (call) => call > 5;
  let killed: Promise<void> | undefined;
  const onProgress = ({ segments }: { segments: number }) => {
    if (segments > 0) killed ??= kill(paths.data);
  };
  await assert.rejects(awaitTarget(plan, source.vault, { logger, onProgress }), { code: 'RECOVERY_FAILED' });
  await killed;
  assert.ok(killed !== undefined && (await readdir(paths.data)).includes('recovery.signal'));
  trouble.refuse = () => false;
  await awaitTarget(plan, source.vault, { logger });
  assert.equal((await proveRecovery(plan)).replayedLsn, plan.resolved.endLsn);
  const { newTimeline } = await promote(plan, guard);
  await kill(paths.data);
  const checks = await checkRecovered(plan);
  assert.ok(checks.every(({ ok }) => ok));
  const rows = await restores.query<{ id: number; file: string }>(
    plan,
    `select id, pg_walfile_name(pg_current_wal_lsn()) as file from ledger where id = ${last.id}`,
  );
  assert.equal(rows[0]?.file.slice(0, 8), newTimeline.toString(16).toUpperCase().padStart(8, '0'));
});

test('a promoted server whose children outlive it for a while is started once they have let go of its memory, and one that cannot start says why', async (t) => {
  const source = await startRecoverySource(t, { major: 17 });
  const restores = await Restores.of(t, source);
  await source.capture();
  await source.ship();
  const plan = await restores.plan({ target: { type: 'latest' } });
  const paths = restorePaths(plan.place.dataDirectory, plan.run);
  await prepareWork(plan, guard);
  await fetchBase(plan, source.vault, guard);
  await awaitTarget(plan, source.vault, { logger });
  await proveRecovery(plan);
  await promote(plan, guard);
  const postmaster = await findPostmaster(paths.data);
  assert.ok(postmaster);
  const { pids } = await findWorkers(paths.data, /^postgres$/);
  const child = pids.find((pid) => pid !== postmaster.identity.pid);
  assert.ok(child !== undefined);
  process.kill(child, 'SIGSTOP');
  process.kill(postmaster.identity.pid, 'SIGKILL');
  const checking = checkRecovered(plan);
  checking.catch(() => undefined); // awaited below
  await waitFor('the server to be gone', async () => (await findPostmaster(paths.data)) === undefined);
  // An attempt that does not wait for the child has failed by then.
  await sleep(1_000);
  process.kill(child, 'SIGCONT');
  assert.ok((await checking).every(({ ok }) => ok));
  await stopRecovered(plan);
  await rm(path.join(paths.data, 'pg_wal'), { recursive: true });
  await assert.rejects(openRecovered(plan), {
    code: 'RECOVERY_FAILED',
    message: /the recovered server ended: .*pg_wal/,
  });
});
