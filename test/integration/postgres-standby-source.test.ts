// Base backups read from a standby: as good as the primary's, and the primary is asked whenever the standby is not fit or gives up.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Standby } from '../../src/postgres/backup/standby.ts';
import { takeFacts } from '../../src/postgres/facts/index.ts';
import type { PhysicalDetails } from '../../src/postgres/types.ts';
import { run } from '../../src/process/index.ts';
import type { SnapshotOnCopies } from '../../src/vault/index.ts';
import { backupBench, restoreTree } from '../support/base-backup.ts';
import { lastFirst } from '../support/last-first.ts';
import { chownTree, freePort, type ScratchPostgres, startScratchPostgres } from '../support/scratch-postgres.ts';
import { COMPONENT, snapshotId } from '../support/vault.ts';
import { waitFor } from '../support/wait-for.ts';

const MiB = 1024 * 1024;

function detailsOf(snapshot: SnapshotOnCopies): PhysicalDetails {
  return snapshot.engine as PhysicalDetails;
}

async function benchWithStandby(test: TestContext, major: number) {
  const t = lastFirst(test);
  const bench = await backupBench(t, major, { wal_keep_size: '512MB' });
  const { server, directory } = bench;
  await server.query('create table work as select n, md5(n::text) t from generate_series(1, 20000) n');
  const data = path.join(directory, 'standby');
  const args = ['-D', data, '-c', 'fast', '--no-sync'];
  await run(server.bin('pg_basebackup'), args, { env: server.environment });
  await writeFile(path.join(data, 'standby.signal'), '');
  await chownTree(data);
  await run('chmod', ['a+x', directory]);
  const following = { primary_conninfo: `host=${server.directory} port=${server.port} user=postgres` };
  const settings = { ...following, ...(major >= 17 ? { summarize_wal: 'on' } : {}) };
  const standby = await startScratchPostgres(t, { major, directory: data, settings });
  const caughtUp = async () => {
    await server.query('checkpoint');
    const [row] = await server.query('select pg_current_wal_flush_lsn()::text as lsn');
    await waitFor('the standby to follow', async () => {
      const [it] = await standby.query(`select (pg_last_wal_replay_lsn() >= '${row?.lsn}')::text as there`);
      return it?.there === 'true';
    });
  };
  const from = (changes: Partial<Standby> = {}): { standby: Standby } => ({
    standby: {
      source: { component: COMPONENT, url: standby.url() },
      behindBytes: 64 * MiB,
      hasLog: () => Promise.resolve(true),
      ...changes,
    },
  });
  return { ...bench, t, standby, caughtUp, from };
}

async function dump({ bin, environment }: ScratchPostgres): Promise<string> {
  const options = { env: environment, maxStdoutBytes: 256 * MiB };
  return (await run(bin('pg_dump'), ['--restrict-key=same'], options)).stdout;
}

for (const major of [15, 18]) {
  test(`a backup of a standby of PostgreSQL ${major} is recovered to all that the primary did`, async (test) => {
    const { t, server, vault, directory, backup, incremental, caughtUp, from, standby } = await benchWithStandby(
      test,
      major,
    );
    await server.query('analyze work');
    await caughtUp();
    // A standby answers with the same facts: it has no numbers of its own, and no snapshot to give away.
    const choice = { maximum: ['public.work.n'], withinMs: 60_000 };
    const { signal } = new AbortController();
    const factsOf = async (url: string) => {
      const { databases, missing } = await takeFacts({ component: COMPONENT, url }, choice, signal);
      return {
        missing,
        databases: databases.map(({ moment: _, lsn: __, oldestXid: ___, nextXid: ____, ...facts }) => facts),
      };
    };
    const onPrimary = await factsOf(server.url());
    assert.deepEqual(onPrimary.databases[0]?.tables[0], { name: 'public.work', rows: 20_000, basis: 'counted' });
    assert.deepEqual(onPrimary.databases[0]?.maxima, [{ column: 'public.work.n', value: '20000' }]);
    assert.deepEqual(await factsOf(standby.url()), onPrimary);
    let last = await backup(1, from());
    assert.deepEqual([detailsOf(last).server, detailsOf(last).primaryBecause], ['standby', undefined]);
    if (major >= 17) {
      await server.query("update work set t = 'changed' where n % 100 = 0");
      await caughtUp();
      last = await incremental(2, from());
      const { server: where, capture, parent, fullBecause } = detailsOf(last);
      assert.deepEqual([where, capture, parent, fullBecause], ['standby', 'incremental', snapshotId(1), undefined]);
    }
    const restored = path.join(directory, 'restored', 'data');
    await mkdir(path.dirname(restored));
    await restoreTree(vault, last.id, restored);
    assert.match((await run(server.bin('pg_verifybackup'), ['-n', restored])).stdout, /backup successfully verified/);
    await server.query("update work set t = 'later' where n % 77 = 0");
    await server.query('select pg_switch_wal()');
    // What a recovery of ours puts aside, and asks for.
    await rm(path.join(restored, 'standby.signal'));
    await writeFile(path.join(restored, 'recovery.signal'), '');
    await chownTree(path.dirname(restored));
    const settings = { restore_command: `cp ${server.dataDirectory}/pg_wal/%f %p` };
    const recovered = await startScratchPostgres(t, { major, directory: restored, settings });
    await waitFor('the end of recovery', async () => {
      const [row] = await recovered.query('select pg_is_in_recovery()::text as is');
      return row?.is === 'false';
    });
    const whole = await dump(server);
    assert.ok(whole.includes('later'));
    assert.equal(await dump(recovered), whole);
  });
}

test('the primary is asked where the standby is not fit, with the reason; and at once when it is promoted while it is read', async (test) => {
  const { t, server, standby, backup, incremental, caughtUp, from } = await benchWithStandby(test, 18);
  await caughtUp();
  const other = await startScratchPostgres(t, { major: 18 });
  const url = (text: string) => from({ source: { component: COMPONENT, url: text } });
  let number = 0;
  const reason = async (changes: ReturnType<typeof from>) => {
    number += 1;
    const { server: where, primaryBecause } = detailsOf(await backup(number, changes));
    assert.equal(where, undefined);
    return primaryBecause ?? '';
  };
  assert.match(await reason(url(other.url())), /^the standby is of cluster \d+, the primary of \d+$/);
  assert.match(await reason(url(server.url())), /^the standby is none: it is not in recovery$/);
  const away = `postgresql://postgres:x@127.0.0.1:${await freePort()}/postgres`;
  assert.match(await reason(url(away)), /^cannot connect at 127\.0\.0\.1:\d+\/postgres: /);
  assert.match(await reason(from({ hasLog: async () => false })), /^the standby begins at [0-9A-F]+\/[0-9A-F]+, from/);

  await standby.query('select pg_wal_replay_pause()');
  await server.query('insert into work select n, md5(n::text) from generate_series(1, 40000) n');
  assert.match(await reason(from({ behindBytes: MiB })), /of log behind, more than 1\.0 MiB$/);
  await standby.query('select pg_wal_replay_resume()');
  await caughtUp();

  // What changed is little for either: asked of the primary before the standby sends everything.
  await standby.query('alter system set summarize_wal = off');
  await standby.query('select pg_reload_conf()');
  const laid = await incremental(++number, from());
  assert.deepEqual([detailsOf(laid).capture, detailsOf(laid).server], ['incremental', undefined]);
  assert.match(detailsOf(laid).primaryBecause ?? '', /^the server's setting 'summarize_wal' is off/);

  // After the start, before anything is read.
  const hasLog = async () => (await standby.query('select pg_promote()')).length > 0;
  const snapshot = await backup(++number, from({ hasLog }));
  assert.equal(snapshot.state, 'clean');
  assert.deepEqual([detailsOf(snapshot).server, detailsOf(snapshot).capture], [undefined, 'full']);
  assert.match(detailsOf(snapshot).primaryBecause ?? '', /promoted/);
});

test('a standby that is promoted in the middle of its bytes gives no backup: what was read of it is dropped, and the primary is asked', async (test) => {
  const { server, standby, vault, directory, backup, caughtUp, from } = await benchWithStandby(test, 18);
  await server.query('create table more as select n, repeat(md5(n::text), 20) t from generate_series(1, 40000) n');
  await caughtUp();
  const seen: { readonly doneBytes: number; readonly isPromoted: boolean }[] = [];
  let isPromoted = false;
  const onProgress = ({ doneBytes }: { readonly doneBytes: number }) => {
    seen.push({ doneBytes, isPromoted });
    if (isPromoted) return;
    // Nothing is read meanwhile, so that it happens at this very byte, and the server has most of the others left to send.
    const env = { ...process.env, ...standby.environment };
    const promoting = spawnSync(standby.bin('psql'), ['-XAtc', 'select pg_promote()'], { env, encoding: 'utf8' });
    assert.deepEqual([promoting.status, promoting.stdout], [0, 't\n'], promoting.stderr);
    isPromoted = true;
  };
  const snapshot = await backup(1, { ...from(), onProgress });
  const again = seen.findIndex(({ doneBytes }, index) => doneBytes < (seen[index - 1]?.doneBytes ?? 0));
  assert.ok(again > 3 && seen[again - 1]?.isPromoted, `it was not in the middle: ${JSON.stringify(seen)}`);
  assert.equal(snapshot.state, 'clean');
  assert.deepEqual([detailsOf(snapshot).server, detailsOf(snapshot).capture], [undefined, 'full']);
  assert.match(detailsOf(snapshot).primaryBecause ?? '', /promoted/);
  assert.deepEqual(
    (await vault.listSnapshots(COMPONENT)).map(({ id }) => id),
    [snapshot.id],
  );
  const restored = path.join(directory, 'restored', 'data');
  await mkdir(path.dirname(restored));
  await restoreTree(vault, snapshot.id, restored);
  assert.match((await run(server.bin('pg_verifybackup'), ['-n', restored])).stdout, /backup successfully verified/);
});
