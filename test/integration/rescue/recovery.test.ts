// A base backup and the receiver's log, brought back by hand: rescue.mjs from the copy, and PostgreSQL's own programs.

import assert from 'node:assert/strict';
import { chown, cp, lstat, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import pg from 'pg';
import { slotName } from '../../../src/domain/ids.ts';
import { takeBaseBackup } from '../../../src/postgres/backup/index.ts';
import { ensureSlot, startReceiver } from '../../../src/postgres/receiver/index.ts';
import { findUser, run } from '../../../src/process/index.ts';
import type { SnapshotId } from '../../../src/vault/index.ts';
import { keepLog } from '../../support/keep-log.ts';
import { logger } from '../../support/recovery-run.ts';
import { type Commit, component, type RecoverySource, startRecoverySource } from '../../support/recovery-source.ts';
import { type RescueRun, type Runtime, rescue, runtimes, takeRescue } from '../../support/rescue.ts';
import { giveToServer, serverUser } from '../../support/scratch-postgres.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { waitFor } from '../../support/wait-for.ts';

const snapshot = '20261123T061407Z-00000001' as SnapshotId;
const [host, pinned] = (await runtimes()) as [Runtime, Runtime, Runtime];

/** A server with a tablespace, its base backup, and the log that the receiver shipped: three transactions, the last in an open segment. */
async function shipped(t: TestContext) {
  const directory = await temporaryDirectory(t);
  const space = path.join(directory, 'space');
  await mkdir(space);
  await giveToServer(space);
  const origin = await startRecoverySource(t, {
    major: 17,
    settings: { archive_mode: 'on', archive_command: `cp %p ${directory}/%f`, max_connections: 150 },
  });
  const { server, vault } = origin;
  await server.query(`create tablespace apart location '${space}'`);
  await server.query("create table elsewhere tablespace apart as select 'kept' as word");
  const source = { component, url: server.url() };
  const slot = slotName('acme', 'main');
  await ensureSlot(source, slot, { immediatelyReserve: true });
  const stateDirectory = path.join(directory, 'state');
  await mkdir(stateDirectory);
  const { policy, copies } = vault;
  const receiver = startReceiver({
    ...{ source, component, slot, vault, policy, copies, stateDirectory, logger, flushEveryMs: 100, markEveryMs: 200 },
    mayDeclareLoss: () => false,
  });
  t.after(() => receiver.stop());
  await takeBaseBackup({
    source,
    vault,
    request: { snapshotId: snapshot, component, host: 'db1' },
    waitForLog: (copy, timeline, _from, to, { signal }) => receiver.waitFor(copy, timeline, to, signal),
    signal: new AbortController().signal,
    logger,
  });
  const kept = await origin.commit();
  // Over several segments, so that the log has closed ones.
  await server.query('create table filler as select repeat(md5(n::text), 20) as text from generate_series(1, 5000) n');
  const last = await origin.commit();
  const lost = await origin.commit();
  await receiver.waitFor('policy', 1, lost.lsn);
  const timeline = path.join(origin.holder.path('local'), component, 'log', origin.systemId, '00000001');
  await waitFor('a time mark', async () => (await readdir(timeline)).some((name) => name.startsWith('mark.')));
  await receiver.stop();
  return { origin, directory, space, kept, last, lost };
}

/** The vault's directory is all that is left. */
async function bare(t: TestContext, { holder, server }: RecoverySource) {
  // Hooks run in the order of their registration, and a server must stop before its directory goes.
  const ends: (() => Promise<unknown>)[] = [];
  t.after(async () => {
    for (const end of ends.reverse()) await end();
  });
  const directory = await temporaryDirectory({ after: (removal) => void ends.push(removal) });
  await cp(holder.path('local'), path.join(directory, 'vault'), { recursive: true });
  const script = await takeRescue(path.join(directory, 'vault'), path.join(directory, 'bare'));
  const args = ['--vault', path.join(directory, 'vault'), '--key-file', holder.keyFile];
  return { directory, script, args, server, ends };
}

async function giveAll(root: string): Promise<void> {
  if (serverUser.runAs === undefined) return;
  const { uid, gid } = await findUser(serverUser.runAs);
  await chown(root, uid, gid);
  for (const name of await readdir(root, { recursive: true })) {
    const file = path.join(root, name);
    if (!(await lstat(file)).isSymbolicLink()) await chown(file, uid, gid);
  }
}

/** As the printed commands say, with the programs of this host. */
async function startServer({ server, ends, directory: parent }: Awaited<ReturnType<typeof bare>>) {
  const directory = path.join(parent, 'data');
  const log = path.join(directory, 'recovery.log');
  await keepLog(log);
  await giveAll(directory);
  await giveAll(path.join(parent, 'wal'));
  const control = (...args: string[]) =>
    run(server.bin('pg_ctl'), ['-D', directory, ...args], { ...serverUser, cwd: '/' });
  await control('-l', log, '-t', '600', 'start');
  ends.push(() => control('-m', 'immediate', 'stop'));
  const client = new pg.Client({ host: directory, port: 5432, user: 'postgres', database: 'postgres' });
  await client.connect();
  ends.push(() => client.end());
  return async (sql: string) => (await client.query(sql)).rows as Record<string, string>[];
}

const ids = (rows: Record<string, string>[]) => rows.map(({ id }) => Number(id));
const iso = (commit: Commit) => commit.time;

function assertDone(done: RescueRun): void {
  assert.equal(done.status, 0, `${done.said}${done.complained}`);
  assert.match(done.said, /every file has the SHA-256 that was captured/);
}

test('a base backup and shipped log are recovered to a moment with rescue.mjs and PostgreSQL alone, before the next transaction', async (t) => {
  const { origin, directory: source, space, kept, last, lost } = await shipped(t);
  await origin.server.stop('immediate');
  // Where the tablespace was is nothing any more: a restored server that still reached for it would fail.
  await rename(space, `${space}-gone`);
  for (const runtime of [host, pinned]) {
    const place = await bare(t, origin);
    const { directory, script, args } = place;
    const to = path.join(directory, 'data');
    const listed = await rescue(script, runtime, [...args, 'list']);
    assert.match(listed.said, new RegExp(`^log of database/main, cluster ${origin.systemId}, timeline 1:$`, 'm'));
    assert.match(listed.said, /^ {2}newest mark: 20/m);
    const target = ['--log', '--target-time', iso(last)];
    const done = await rescue(script, runtime, [...args, 'restore', snapshot, '--to', to, ...target]);
    assertDone(done);
    const segments = (await readdir(path.join(directory, 'wal'))).sort();
    assert.ok(segments.length > 1);
    for (const name of segments) {
      const original = await readFile(path.join(origin.server.dataDirectory, 'pg_wal', name));
      const written = await readFile(path.join(directory, 'wal', name));
      assert.equal(written.length, original.length);
      const known =
        name === segments.at(-1)
          ? Number(BigInt(`0x${lost.lsn.split('/')[1]}`) % BigInt(original.length))
          : original.length;
      assert.ok(written.subarray(0, known).equals(original.subarray(0, known)), `${name} is what the server had`);
    }
    const ask = await startServer(place);
    await waitFor('the server to stop at the moment', async () => {
      const [row] = await ask('select pg_get_wal_replay_pause_state() as state');
      return row?.state === 'paused';
    });
    assert.deepEqual(ids(await ask('select id from ledger order by id')), [kept.id, last.id]);
    await ask('select pg_wal_replay_resume()');
    await waitFor(
      'the server to be promoted',
      async () => (await ask('select pg_is_in_recovery()::text as it'))[0]?.it === 'false',
    );
    assert.deepEqual(ids(await ask('select id from ledger order by id')), [kept.id, last.id]);
    assert.deepEqual(await ask('select word from elsewhere'), [{ word: 'kept' }]);
    const settings = Object.fromEntries(
      (await ask('select name, setting from pg_settings')).map(({ name, setting }) => [name, setting]),
    );
    assert.equal(settings.archive_mode, 'off');
    assert.equal(settings.listen_addresses, '');
    assert.equal(settings.primary_conninfo, '');
    assert.equal(settings.max_connections, '150');
    const location = await ask(
      "select pg_tablespace_location(oid) as location from pg_tablespace where spcname = 'apart'",
    );
    assert.ok(location[0]?.location?.startsWith(`${to}/tablespaces/`));
    assert.match(await readFile(path.join(to, 'postgresql.conf.source'), 'utf8'), /archive_command/);
  }
  assert.deepEqual(
    (await readdir(source)).filter((name) => name.startsWith('00000002')),
    [],
  );
});

test('without a target the server recovers to the end of the log', async (t) => {
  const { origin, kept, last, lost } = await shipped(t);
  await origin.server.stop('immediate');
  const place = await bare(t, origin);
  const { directory, script, args } = place;
  const to = path.join(directory, 'data');
  assertDone(await rescue(script, pinned, [...args, 'restore', snapshot, '--to', to, '--log']));
  const ask = await startServer(place);
  await waitFor(
    'the server to be promoted',
    async () => (await ask('select pg_is_in_recovery()::text as it'))[0]?.it === 'false',
  );
  assert.deepEqual(ids(await ask('select id from ledger order by id')), [kept.id, last.id, lost.id]);
});

test('what cannot be recovered to is refused or told, and a backup with something missing does not start', async (t) => {
  const { origin, lost } = await shipped(t);
  const { directory, script, args } = await bare(t, origin);
  const to = path.join(directory, 'data');
  const restore = (...more: string[]) =>
    rescue(script, pinned, [...args, 'restore', snapshot, '--to', to, '--log', ...more]);
  const early = await restore('--target-time', '2020-01-01T00:00:00Z');
  assert.equal(early.status, 3);
  assert.match(
    early.complained,
    /this snapshot ends at .*, after 2020-01-01T00:00:00Z\n {2}hint: take an older snapshot/,
  );
  assert.equal((await restore('--target-lsn', '0/1')).status, 3);
  assert.equal((await restore('--timeline', '7')).status, 3);
  assert.equal((await restore('--wal', path.join(to, 'wal'))).status, 2);
  await assert.rejects(readdir(to));
  const late = await restore('--target-time', '2100-01-01T00:00:00Z');
  assert.equal(late.status, 4);
  assert.match(late.said, new RegExp(`^damaged: the log is known to ${lost.time}, before 2100-01-01T00:00:00Z`, 'm'));
  for (const name of ['data', 'wal']) await rm(path.join(directory, name), { recursive: true });

  const log = path.join(directory, 'vault', component, 'log', origin.systemId, '00000001');
  const segments = (await readdir(log)).filter((name) => /^[0-9A-F]{24}$/.test(name)).sort();
  const middle = segments.at(-2) as string;
  await rename(path.join(log, middle), path.join(directory, middle));
  const hole = await restore();
  assert.equal(hole.status, 4);
  assert.match(hole.said, /^damaged: the log goes on after .*, but not without a hole/m);
  assert.ok(!(await readdir(path.join(directory, 'wal'))).includes(middle));
  const checked = await rescue(script, pinned, [...args, 'log', component, '--wal', path.join(directory, 'all')]);
  assert.equal(checked.status, 0);
  await rename(path.join(directory, middle), path.join(log, middle));
  for (const name of ['data', 'wal']) await rm(path.join(directory, name), { recursive: true });

  const [first] = (await readdir(path.join(directory, 'vault'), { recursive: true })).filter((name) =>
    /packs\/..\/./.test(name),
  );
  await rm(path.join(directory, 'vault', first as string));
  const damaged = await restore();
  assert.equal(damaged.status, 4);
  await assert.rejects(readFile(path.join(to, 'global', 'pg_control')));
});
