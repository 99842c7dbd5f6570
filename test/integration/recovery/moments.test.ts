// While transactions commit at known times, recover to random moments: the last one before is there, the first one after is not.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Moment, momentFromUnixMicros, unixMicros } from '../../../src/domain/moment.ts';
import { rememberCluster } from '../../support/left-branch.ts';
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

/** What a cluster has done on the way to one of its timelines. */
type Branch = readonly Commit[];

/** Between two commits of a branch, at one, or a microsecond beside it; after the first base backup ended. */
function chooseMoment(branch: Branch, index: number, random: () => number): Moment {
  const here = unixMicros(branch[index]!.time);
  const next = branch[index + 1] === undefined ? here : unixMicros(branch[index + 1]!.time);
  const choices = [here, here - 1n, here + 1n, here + (next - here) / 2n];
  return momentFromUnixMicros(choices[Math.floor(random() * choices.length)]!);
}

/** Commits `from` to the end of the branch are its own. */
interface Stretch {
  readonly branch: Branch;
  readonly from: number;
}

/** Every stretch in turn, wherever in it. Gives the snapshots that the recoveries began from, and the timelines they ended on. */
async function recoverToMoments(
  t: TestContext,
  source: RecoverySource,
  count: number,
  { stretches, random }: { readonly stretches: readonly Stretch[]; readonly random: () => number },
): Promise<{ readonly bases: ReadonlySet<string>; readonly timelines: ReadonlySet<number> }> {
  const restores = await Restores.of(t, source);
  const ids = [...new Set(stretches.flatMap(({ branch }) => branch.map(({ id }) => id)))].join(',');
  const bases = new Set<string>();
  const segments = new Set<string>();
  const timelines = new Set<number>();
  for (let index = 0; index < count; index += 1) {
    const { branch, from } = stretches[index % stretches.length]!;
    const moment = chooseMoment(branch, from + Math.floor(random() * (branch.length - from)), random);
    const plan = await restores.plan({ target: { type: 'time', moment } });
    await restores.recover(plan);
    const rows = await restores.query<{ id: number }>(plan, `select id from ledger where id in (${ids}) order by id`);
    const expected = branch.filter(({ time }) => time <= moment).map(({ id }) => id);
    assert.deepEqual(
      rows.map(({ id }) => Number(id)),
      expected,
      `moment ${moment}, seed ${seed}`,
    );
    bases.add(plan.base.snapshot);
    segments.add(plan.log.segments.at(-1)!.name);
    timelines.add(plan.resolved.timeline);
    await restores.stop(plan);
  }
  t.diagnostic(
    `${count} moments from ${bases.size} bases, ending in ${segments.size} segments of ${timelines.size} timelines, seed ${seed}`,
  );
  assert.ok(segments.size > 1);
  return { bases, timelines };
}

/** Ids that no commit of the branch that was left has. */
const further = "select setval('ledger_id_seq', 1000000)";

for (const [major, count] of Object.entries(momentsByMajor)) {
  test(`PostgreSQL ${major} is recovered to ${count} random moments exactly, over three base backups, before and after it was taken back, and on the branch that it left`, async (t) => {
    const random = seeded(seed);
    const source = await startRecoverySource(t, { major: Number(major) });
    await source.capture();
    const before = await work(source, random);
    await source.capture();
    before.push(...(await work(source, random)));
    const takeBack = await rememberCluster(source.server);
    const left = [...before, ...(await work(source, random))];
    await source.ship();
    await takeBack();
    await source.server.query(further);
    const now = [...before, ...(await work(source, random))];
    await source.capture();
    now.push(...(await work(source, random)));
    await source.ship();
    const { timelines } = await recoverToMoments(t, source, count, {
      random,
      stretches: [
        { branch: now, from: before.length },
        { branch: left, from: before.length },
        { branch: now.slice(0, before.length), from: 0 },
      ],
    });
    assert.deepEqual([...timelines].sort(), [1, 2]);
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
    const random = seeded(seed);
    const ways: unknown[] = [];
    const branch: Commit[] = [];
    for (let backup = 0; backup < 3; backup += 1) {
      await source.server.query("update ledger set note = 'changed' where id % 50 = 0 and note <> 'x'");
      ways.push((await source.backUp(true)).engine.capture);
      branch.push(...(await work(source, random)));
    }
    await source.ship();
    const { bases } = await recoverToMoments(t, source, count, { random, stretches: [{ branch, from: 0 }] });
    assert.deepEqual(ways, ['incremental', 'incremental', 'incremental']);
    assert.ok(bases.size > 0);
  });
}
