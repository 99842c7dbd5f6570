// While transactions commit at known times, recover to random moments: the last one before is there, the first one after is not.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Moment, momentFromUnixMicros, unixMicros } from '../../../src/domain/moment.ts';
import { Restores } from '../../support/recovery-run.ts';
import { type Commit, type RecoverySource, startRecoverySource } from '../../support/recovery-source.ts';
import { giveToServer } from '../../support/scratch-postgres.ts';
import { seeded } from '../../support/seeded.ts';

const isFull = process.env.HOLDFAST_SWEEP === 'full';
const momentsByMajor = isFull ? { 15: 20, 17: 40, 18: 20 } : { 15: 5, 17: 20, 18: 5 };
const seed = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000);

/** Rows that only make log, so that moments lie in many segments. */
const bulk = 'insert into ledger (note) select repeat(md5(random()::text), 8) from generate_series(1, 2000)';

async function work(source: RecoverySource, random: () => number): Promise<Commit[]> {
  const commits: Commit[] = [];
  for (let index = 0; index < 25; index += 1) {
    commits.push(await source.commit());
    if (random() < 0.3) await source.server.query(bulk);
  }
  return commits;
}

/** Between two commits, at one, or a microsecond beside it; after the first base backup ended. */
function chooseMoment(commits: readonly Commit[], random: () => number): Moment {
  const index = Math.floor(random() * commits.length);
  const here = unixMicros(commits[index]!.time);
  const next = commits[index + 1] === undefined ? here : unixMicros(commits[index + 1]!.time);
  const choices = [here, here - 1n, here + 1n, here + (next - here) / 2n];
  return momentFromUnixMicros(choices[Math.floor(random() * choices.length)]!);
}

/** Gives the snapshots that the recoveries began from. */
async function recoverToMoments(
  t: TestContext,
  source: RecoverySource,
  count: number,
  capture: () => Promise<{ readonly id: string }>,
): Promise<ReadonlySet<string>> {
  t.diagnostic(`seed ${seed}`);
  const random = seeded(seed);
  const restores = await Restores.of(t, source);
  const commits: Commit[] = [];
  for (let backup = 0; backup < 3; backup += 1) {
    await capture();
    commits.push(...(await work(source, random)));
  }
  await source.ship();
  const bases = new Set<string>();
  const segments = new Set<string>();
  for (let index = 0; index < count; index += 1) {
    const moment = chooseMoment(commits, random);
    const plan = await restores.plan({ target: { type: 'time', moment } });
    await restores.recover(plan);
    const ids = commits.map(({ id }) => id).join(',');
    const rows = await restores.query<{ id: number }>(plan, `select id from ledger where id in (${ids}) order by id`);
    const expected = commits.filter(({ time }) => time <= moment).map(({ id }) => id);
    assert.deepEqual(
      rows.map(({ id }) => Number(id)),
      expected,
      `moment ${moment}, seed ${seed}`,
    );
    bases.add(plan.base.snapshot);
    segments.add(plan.log.segments.at(-1)!.name);
    await restores.stop(plan);
  }
  t.diagnostic(`${count} moments from ${bases.size} bases, ending in ${segments.size} segments`);
  assert.ok(segments.size > 1);
  return bases;
}

for (const [major, count] of Object.entries(momentsByMajor)) {
  test(`PostgreSQL ${major} is recovered to ${count} random moments exactly, over three base backups`, async (t) => {
    const source = await startRecoverySource(t, { major: Number(major) });
    await recoverToMoments(t, source, count, () => source.capture());
  });
}

const overIncremental = isFull ? { 17: 20, 18: 20 } : { 17: 6, 18: 6 };

for (const [major, count] of Object.entries(overIncremental)) {
  test(`PostgreSQL ${major} is recovered to ${count} random moments exactly, over incremental captures of a tablespace`, async (t) => {
    const settings = { summarize_wal: 'on' };
    const source = await startRecoverySource(t, { major: Number(major), initdb: ['--data-checksums'], settings });
    // All that is looked for lies in a tablespace.
    const apart = path.join(source.server.directory, 'apart');
    await mkdir(apart);
    await giveToServer(apart);
    await source.server.query(`create tablespace apart location '${apart}'`);
    await source.server.query('alter table ledger set tablespace apart');
    await source.server.query(bulk);
    await source.backUp();
    const ways: unknown[] = [];
    const bases = await recoverToMoments(t, source, count, async () => {
      await source.server.query("update ledger set note = 'changed' where id % 50 = 0 and note <> 'x'");
      const { id, engine } = await source.backUp(true);
      ways.push(engine.capture);
      return { id };
    });
    assert.deepEqual(ways, ['incremental', 'incremental', 'incremental']);
    assert.ok(bases.size > 0);
  });
}
