// A disk that fills up while a moment is recovered: told by its name, nothing half made can be started, and with room again the same run goes on.

import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { exists } from '../../../src/postgres/recovery/durable-files.ts';
import { awaitTarget, fetchBase, prepareWork, proveRecovery } from '../../../src/postgres/recovery/index.ts';
import { restorePaths } from '../../../src/postgres/recovery/paths.ts';
import { findPostmaster } from '../../../src/postgres/recovery/postmaster.ts';
import { run } from '../../../src/process/index.ts';
import { guard, logger, Restores } from '../../support/recovery-run.ts';
import { startRecoverySource } from '../../support/recovery-source.ts';

const MiB = 1024 ** 2;
const bulk = 'insert into ledger (note) select repeat(md5(random()::text), 8) from generate_series(1, 2000)';

test('a disk that fills up ends the fetch and the replay with its name, and with room again the same run comes to its target', async (t) => {
  assert.equal(process.getuid?.(), 0, 'this test mounts a small file system, for which it must be root');
  const source = await startRecoverySource(t, { major: 17 });
  const restores = await Restores.of(t, source);
  const disk = await mkdtemp(path.join(tmpdir(), 'holdfast-small-'));
  await run('mount', ['-t', 'tmpfs', '-o', `size=${160 * MiB},mode=0755`, 'tmpfs', disk]);
  t.after(async () => {
    await run('umount', [disk]);
    await rm(disk, { recursive: true });
  });
  const ballast = path.join(disk, 'ballast');
  const leave = async (bytes: number) => {
    const { bavail, bsize } = await statfs(disk);
    await writeFile(ballast, Buffer.alloc(Math.max(0, bavail * bsize - bytes)));
  };
  await source.capture();
  for (let index = 0; index < 12; index += 1) await source.server.query(bulk);
  const last = await source.commit();
  await source.ship();
  const dataDirectory = path.join(disk, 'new');
  const place = { mode: 'beside', dataDirectory, start: false } as const;
  const plan = await restores.plan({ target: { type: 'latest' }, place });
  const { data, spool } = restorePaths(dataDirectory, plan.run);
  await prepareWork(plan, guard);

  await leave(8 * MiB);
  await assert.rejects(fetchBase(plan, source.vault, guard), { code: 'NO_SPACE' });
  assert.equal(await exists(path.join(data, 'global', 'pg_control')), false, 'a server could be started on it');
  await rm(ballast);
  const fetched = await fetchBase(plan, source.vault, guard);
  assert.ok(fetched.keptBytes > 0, 'what was right is kept');

  await leave(2 * MiB);
  await assert.rejects(awaitTarget(plan, source.vault, { logger, retryLogForMs: 1000 }), { code: 'NO_SPACE' });
  assert.equal(await findPostmaster(data), undefined);
  assert.ok(await exists(path.join(data, 'recovery.signal')));
  const log = await readdir(path.join(data, 'pg_wal'));
  assert.deepEqual(
    log.filter((name) => name.startsWith('00000002')),
    [],
    'it was promoted early',
  );
  const unfinished = (await readdir(spool, { recursive: true })).filter((name) => name.endsWith('.part'));
  assert.deepEqual(unfinished, []);
  await rm(ballast);
  await awaitTarget(plan, source.vault, { logger });
  assert.equal((await proveRecovery(plan)).replayedLsn, plan.resolved.endLsn);
  assert.equal((await restores.query(plan, `select 1 from ledger where id = ${last.id}`)).length, 1);
});
