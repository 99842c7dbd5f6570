// Retention as its user sees it: the plan, a run through Temporal, holds and taking back; on a directory and two buckets.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { estateSandbox, type Json } from '../support/estate-sandbox.ts';
import { waitFor } from '../support/wait-for.ts';

const estate = await estateSandbox();
const { sandbox } = estate;
const short = path.join(path.dirname(sandbox.configuration), 'short.yaml');
const snapshots: string[] = [];
let tombstone: string;

const done = async (...args: string[]): Promise<Json> => {
  const { exit, json, stdout, stderr } = await estate.holdfast(args, short);
  assert.equal(exit, 0, `${args.join(' ')}: ${stdout}${stderr}`);
  return json;
};
const rulesOf = ({ retention }: Json) =>
  retention.components[0].snapshots.map(({ reasons }: Json) => reasons.map(({ rule }: Json) => rule));

test('the plan says why each snapshot is kept, and a run while all are needed names none of them', async () => {
  for (let n = 0; n < 2; n++) {
    const { snapshot } = await estate.completed(await estate.detached('backup', 'database/main'));
    snapshots.unshift(snapshot.id);
  }
  const plan = await estate.done('retention', 'plan');
  assert.deepEqual(plan.retention.components[0].policy, { full: '90d', incremental: '90d', log: '1d' });
  assert.deepEqual(
    plan.retention.components[0].snapshots.map(({ id }: Json) => id),
    snapshots,
  );
  assert.deepEqual(rulesOf(plan)[0].slice(0, 1), ['newest proven']);
  assert.ok(rulesOf(plan)[1].includes('age'));
  assert.deepEqual(Object.keys(plan.retention.copies), ['local', 'eu', 'us']);
  const { run, mark, sweep } = await estate.done('retention', 'apply', '--yes');
  // Log in front of the first snapshot leads nowhere: whether there is some depends on when the first segment was closed.
  const { snapshots: named = [], generations = 0, packs = 0 } = mark.tombstone ?? {};
  assert.deepEqual([run.operation, run.state], ['applyRetention', 'completed']);
  assert.deepEqual([named, generations, packs], [[], 0, 0]);
  assert.deepEqual(sweep.deleted.us, { objects: 0, bytes: 0 });
  const alone = await estate.done('retention', 'plan', '--standalone');
  assert.deepEqual([alone.temporal.state, alone.retention.digest], ['not asked', plan.retention.digest]);
});

test('a schedule runs it daily, because the configuration keeps something for a time', async () => {
  const { schedules } = await estate.done('schedules', 'list');
  const retention = schedules.find(({ kind }: Json) => kind === 'retention');
  assert.deepEqual([retention.component, retention.spec, retention.drift], ['vault', 'daily 04:00', undefined]);
});

test('a shorter policy marks the older snapshot and deletes nothing yet, on any copy', async () => {
  const text = await readFile(sandbox.configuration, 'utf8');
  await writeFile(short, text.replace('keep: { full: 90d, log: 24h }', 'keep: { full: { last: 1 }, log: 1s }'));
  // What a person saw with one file is not done by a worker that has another.
  const { exit, json } = await estate.holdfast(['retention', 'apply', '--yes'], short);
  assert.deepEqual([exit, json.error.code], [3, 'CONFIG_MISMATCH'], JSON.stringify(json));
  await estate.killWorker();
  await estate.startWorker(short);
  // Both are within the window until the log shows a later moment: until then it needs the older one.
  const isPast = async () => rulesOf(await done('retention', 'plan'))[1].length === 0;
  await waitFor('the window to pass both', isPast, { limitMs: 300_000 });
  const { mark, sweep } = await done('retention', 'apply', '--yes');
  assert.deepEqual(mark.tombstone.snapshots, snapshots.slice(1));
  assert.deepEqual([mark.tombstone.state, sweep.snapshots], ['waiting', []]);
  tombstone = mark.tombstone.id;
  const { snapshots: listed } = await done('list');
  assert.deepEqual(
    listed.map(({ copies }: Json) => copies),
    [1, 2].map(() => ({ local: 'present', eu: 'present', us: 'present' })),
  );
});

test('a hold keeps a marked snapshot, and a release takes the tombstone back', async () => {
  const older = snapshots[1] ?? '';
  const { hold } = await done('retention', 'hold', older, '--reason', 'audit');
  const held = await done('retention', 'plan');
  assert.deepEqual(rulesOf(held)[1], ['hold']);
  await done('retention', 'release', hold.id);
  const { release } = await done('retention', 'release', tombstone, '--reason', 'a mistake');
  assert.deepEqual(release.snapshots, [older]);
  const { retention } = await done('retention', 'plan');
  const { snapshots: named } = retention.tombstones.find(({ id }: Json) => id === tombstone);
  assert.deepEqual([retention.holds, named], [[], []]);
});

test('what is not there, and what is not said, is refused', async () => {
  const missing = await estate.holdfast(['retention', 'hold', '20200101T000000Z-00000000', '--reason', 'x'], short);
  assert.deepEqual([missing.exit, missing.json.error.code], [2, 'NOT_FOUND']);
  const silent = await estate.holdfast(['retention', 'hold', snapshots[0] ?? ''], short);
  assert.deepEqual([silent.exit, silent.json.error.code], [2, 'USAGE']);
  const nothing = await estate.holdfast(['retention', 'release', 'everything'], short);
  assert.deepEqual([nothing.exit, nothing.json.error.code], [2, 'USAGE']);
});
