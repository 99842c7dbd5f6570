// A server whose disk of the log is full goes down in the middle of writing: its log goes on without a hole when there is room again.

import assert from 'node:assert/strict';
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { parseLsn } from '../../src/domain/lsn.ts';
import { ensureSlot, type ReceiverEvent, startReceiver } from '../../src/postgres/receiver/index.ts';
import { createWalWalker } from '../../src/postgres/wal/index.ts';
import { run, tryRun } from '../../src/process/index.ts';
import { archivedRuns } from '../support/archived-log.ts';
import { giveToServer, startScratchPostgres } from '../support/scratch-postgres.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { COMPONENT, testVault } from '../support/vault.ts';
import { waitFor } from '../support/wait-for.ts';

const MiB = 1024 ** 2;
const slot = 'holdfast_acme_main';

test('a server that is out of room for its log, and goes down of it, loses nothing that the copies have not got', async (t) => {
  assert.equal(process.getuid?.(), 0, 'this test mounts a small file system, for which it must be root');
  let disk = '';
  const server = await startScratchPostgres(t, {
    major: 17,
    initdb: ['--wal-segsize=1'],
    settings: { max_wal_size: '8MB', min_wal_size: '2MB', wal_recycle: 'off' },
    prepare: async (directory) => {
      disk = path.join(directory, 'disk');
      await mkdir(disk);
      await run('mount', ['-t', 'tmpfs', '-o', `size=${64 * MiB},mode=0755`, 'tmpfs', disk]);
      const log = path.join(disk, 'wal');
      await mkdir(log);
      await giveToServer(disk, log);
      return { initdb: ['--waldir', log], release: async () => void (await run('umount', [disk])) };
    },
  });
  const made = await testVault({ copies: ['local', 'eu'], policy: { copies: 2, offsite: 1 } });
  t.after(() => made[Symbol.asyncDispose]());
  const { vault } = made;
  const source = { component: COMPONENT, url: server.url() } as const;
  await ensureSlot(source, slot, { immediatelyReserve: true });
  const events: ReceiverEvent[] = [];
  const receiver = startReceiver({
    ...{ source, component: COMPONENT, slot, vault, policy: vault.policy, copies: vault.copies },
    stateDirectory: await temporaryDirectory(t),
    logger: pino({ level: process.env.HOLDFAST_TEST_LOG ?? 'silent' }),
    onEvent: (event) => void events.push(event),
  });
  t.after(() => receiver.stop());
  await waitFor('the stream', () => receiver.state().phase === 'streaming');
  await server.query('create table written (n int, t text)');
  const insert = () =>
    tryRun(
      server.bin('psql'),
      ['-qc', "insert into written select g, repeat('x', 1000) from generate_series(1, 1000) g"],
      {
        env: server.environment,
        deadlineMs: 60_000,
      },
    );
  assert.equal((await insert()).exitCode, 0);
  const ballast = path.join(disk, 'ballast');
  const { bavail, bsize } = await statfs(disk);
  await writeFile(ballast, Buffer.alloc(bavail * bsize));
  // Each is acknowledged, or the server is gone.
  let acknowledged = 1;
  while ((await insert()).exitCode === 0) {
    acknowledged += 1;
    assert.ok(acknowledged < 200, 'the disk does not fill up');
  }
  await waitFor('the receiver to notice', () => receiver.state().phase === 'reconnecting');
  await rm(ballast);
  // Whether it has come up again by itself depends on how far it was.
  await server.stop('immediate').catch(() => undefined);
  await server.start();
  const [row] = await server.query(
    'select (count(*) / 1000)::int as batches, pg_current_wal_flush_lsn()::text as lsn, (select system_identifier::text from pg_control_system()) as id from written',
  );
  assert.ok(Number(row?.batches) >= acknowledged, `${row?.batches} of ${acknowledged}`);
  await server.query('checkpoint');
  await receiver.waitFor('policy', 1, parseLsn(row?.lsn ?? ''));
  assert.ok(events.every(({ type }) => type !== 'slot lost'));
  for (const copy of ['local', 'eu']) {
    const [whole, ...holes] = await archivedRuns(vault.log(COMPONENT, row?.id ?? '', copy), 1);
    assert.deepEqual(holes, []);
    // Every record of it is whole.
    const { fromLsn, bytes } = whole ?? assert.fail(`nothing is on ${copy}`);
    createWalWalker({ startLsn: fromLsn, segmentSizeBytes: MiB, timelineHint: 1 }).feed(bytes);
  }
});
