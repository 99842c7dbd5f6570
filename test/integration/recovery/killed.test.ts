// The process that recovers is killed at random instants, again and again: the restore still ends, and no half of it can be started.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readControlData } from '../../../src/postgres/recovery/control-data.ts';
import { exists } from '../../../src/postgres/recovery/durable-files.ts';
import { start } from '../../../src/process/index.ts';
import { Restores } from '../../support/recovery-run.ts';
import { startRecoverySource } from '../../support/recovery-source.ts';
import { seeded } from '../../support/seeded.ts';

const kills = process.env.HOLDFAST_SWEEP === 'full' ? 40 : 6;
const seed = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000);

test(`killed ${kills} times at random instants, a restore beside production still ends with exactly its rows`, async (t) => {
  t.diagnostic(`seed ${seed}`);
  const random = seeded(seed);
  const source = await startRecoverySource(t, { major: 17 });
  const restores = await Restores.of(t, source);
  await source.capture();
  for (let index = 0; index < 8; index += 1) {
    await source.server.query('insert into ledger (note) select md5(random()::text) from generate_series(1, 5000)');
  }
  const last = await source.commit();
  await source.commit();
  await source.ship();
  const dataDirectory = path.join(source.server.directory, 'restored');
  const place = { mode: 'beside', dataDirectory, start: true } as const;
  const plan = await restores.plan({ target: { type: 'xid', xid: last.xid }, place });
  const planFile = path.join(source.holder.directory, 'plan.json');
  await writeFile(planFile, JSON.stringify(plan));
  const args = ['test/support/restore-and-die.ts', planFile, source.holder.keyFile, source.holder.path('local')];
  let ended = 0;
  for (let kill = 0; kill < kills; kill += 1) {
    const child = await start(process.execPath, args);
    child.stdout?.resume();
    const killed = sleep(400 + random() * 1200).then(() => child.stop({ signal: 'SIGKILL' }));
    const { exitCode, stderrTail } = await child.finished;
    await killed;
    assert.ok(exitCode === 0 || exitCode === undefined, stderrTail);
    if (exitCode === 0) ended += 1;
  }
  const child = await start(process.execPath, args);
  child.stdout?.resume();
  await child.succeeded();
  t.diagnostic(`${kills - ended} of ${kills} were cut short`);
  assert.equal((await readControlData(plan.execution.binDirectory, dataDirectory)).systemId, source.systemId);
  assert.equal(await exists(path.join(plan.workDirectory, 'data')), false);
  const [row] = await restores.query<{ last: number; count: string }>(
    plan,
    'select max(id) as last, count(*)::text as count from ledger',
  );
  assert.equal(Number(row?.last), last.id);
  assert.equal(row?.count, String(last.id));
});
