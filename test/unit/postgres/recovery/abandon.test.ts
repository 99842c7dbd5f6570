// What runs that were ended from outside have left: removed by whatever still says whose it is, and nothing of anybody else.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { HoldfastError } from '../../../../src/errors/index.ts';
import {
  abandon,
  abandonOthers,
  type Guard,
  journalState,
  prepareWork,
  restorePaths,
} from '../../../../src/postgres/recovery/index.ts';
import type { RestorePlan } from '../../../../src/postgres/types.ts';
import { temporaryDirectory } from '../../../support/temporary.ts';

const guard: Guard = { token: 1 };

/** Where several runs recover something for a while. */
async function placeOf(t: TestContext) {
  const dataDirectory = path.join(await temporaryDirectory(t), 'scratch');
  const planOf = (run: string, more: Partial<RestorePlan> = {}, throwaway = true): RestorePlan => {
    const { work: workDirectory } = restorePaths(dataDirectory, run);
    const place = { mode: 'beside', dataDirectory, start: false, ...(throwaway && { throwaway }) };
    const execution = { binDirectory: '/nowhere', tablespaces: [], roles: ['postgres'], checks: [] };
    const source = { systemId: '7' };
    const resolved = { timeline: 1, endLsn: '0/3000000' };
    const own = { run, estate: 'acme', component: 'database/main', digest: run, workDirectory, place };
    return { ...own, execution, source, resolved, ...more } as unknown as RestorePlan;
  };
  const begin = async (plan: RestorePlan) => {
    await prepareWork(plan, guard);
    const paths = restorePaths(dataDirectory, plan.run);
    await mkdir(paths.data);
    await writeFile(path.join(paths.data, 'base'), 'of then');
    return { ...paths, plan };
  };
  const phaseOf = async (run: string) => (await journalState(dataDirectory, run))?.phase;
  return { dataDirectory, planOf, begin, phaseOf };
}

test('a run removes what others of its component have left, and never what another one is at in the same place', async (t) => {
  const { planOf, begin } = await placeOf(t);
  const ours = await begin(planOf('part-00000001'));
  const unplanned = await begin(planOf('part-00000002'));
  await rm(path.join(unplanned.work, 'plan.json'));
  const others = [
    await begin(planOf('part-00000003', { component: 'database/other' })),
    await begin(planOf('part-00000004', { estate: 'other' })),
    await begin(planOf('restore-00000005', {}, false)),
  ];
  const unknown = await begin(planOf('part-00000006'));
  for (const file of [path.join(unknown.work, 'plan.json'), unknown.journal]) await rm(file);
  const unplannedOther = await begin(planOf('part-00000007', { component: 'database/other' }));
  await rm(path.join(unplannedOther.work, 'plan.json'));

  const own = planOf('part-00000008');
  await begin(own);
  assert.deepEqual(await abandonOthers(own, guard), []);
  assert.deepEqual([existsSync(ours.work), existsSync(unplanned.work)], [false, false]);
  for (const { data } of [...others, unknown, unplannedOther]) assert.ok(existsSync(path.join(data, 'base')), data);
  assert.ok(existsSync(own.workDirectory));
});

test('without its plan, what is left is removed by its journal, also when only the last step was not written', async (t) => {
  const { dataDirectory, planOf, begin, phaseOf } = await placeOf(t);
  const left = await begin(planOf('part-00000001'));
  await rm(path.join(left.work, 'plan.json'));
  await abandon(dataDirectory, 'part-00000001', guard);
  assert.deepEqual([existsSync(left.work), await phaseOf('part-00000001')], [false, 'abandoned']);
  const text = await readFile(left.journal, 'utf8');
  await abandon(dataDirectory, 'part-00000001', guard);
  assert.equal(await readFile(left.journal, 'utf8'), text, 'it is over');

  const removed = await begin(planOf('part-00000002'));
  await rm(removed.work, { recursive: true });
  await abandon(dataDirectory, 'part-00000002', guard);
  assert.equal(await phaseOf('part-00000002'), 'abandoned');
});

test('without plan and journal it is removed by the plan that the vault has, and by nothing else', async (t) => {
  const { dataDirectory, planOf, begin } = await placeOf(t);
  const { plan, work, data, journal } = await begin(planOf('part-00000001'));
  await rm(path.join(work, 'plan.json'));
  await rm(journal);
  await abandon(dataDirectory, 'part-00000001', guard);
  assert.ok(existsSync(data));
  await abandon(dataDirectory, 'part-00000001', guard, plan);
  assert.equal(existsSync(work), false);
  await rm(journal);
  await abandon(dataDirectory, 'part-00000001', guard, plan);
  assert.equal(existsSync(journal), false, 'nothing was there to be written of');
});

test('a journal that was brought from elsewhere, and a restore that has its name, remove nothing', async (t) => {
  const { dataDirectory, planOf, begin } = await placeOf(t);
  const moved = await begin(planOf('part-00000001', { workDirectory: '/srv/old.holdfast/runs/part-00000001' }));
  await rm(path.join(moved.work, 'plan.json'));
  await assert.rejects(abandon(dataDirectory, 'part-00000001', guard), {
    code: 'JOURNAL_STATE',
    message: /is of a run in '\/srv\/old\.holdfast\/runs\/part-00000001'/,
  });
  assert.ok(existsSync(moved.data));

  const finished = await begin(planOf('restore-00000002', {}, false));
  await rm(path.join(finished.work, 'plan.json'));
  const entry = { at: '2026-11-25T10:00:00.000Z', run: 'restore-00000002', token: 1, step: 'finish', state: 'done' };
  await writeFile(finished.journal, `${JSON.stringify(entry)}\n`, { flag: 'a' });
  await assert.rejects(abandon(dataDirectory, 'restore-00000002', guard), { code: 'JOURNAL_STATE' });
  assert.ok(existsSync(finished.data));
});

test('what another run left and cannot be removed is a warning, and keeps neither the others nor this run', async (t) => {
  const { dataDirectory, planOf, begin, phaseOf } = await placeOf(t);
  const damaged = await begin(planOf('part-00000001', { component: 'database/other' }));
  await writeFile(damaged.journal, 'no line of a journal\n', { flag: 'a' });
  const moved = await begin(planOf('part-00000002', { workDirectory: '/srv/old.holdfast/runs/part-00000002' }));
  const ours = await begin(planOf('part-00000003'));
  // Its lease counted further than ours, which is none: too few copies answer.
  const entry = { at: '2026-11-25T10:00:00.000Z', run: 'part-00000003', token: 57, step: 'fetch', state: 'done' };
  await writeFile(ours.journal, `${JSON.stringify(entry)}\n`, { flag: 'a' });
  for (const { work } of [damaged, moved]) await rm(path.join(work, 'plan.json'));

  const own = planOf('part-00000008');
  const [ofDamaged, ofMoved, ...more] = await abandonOthers(own, guard);
  assert.deepEqual(more, []);
  assert.match(
    ofDamaged ?? '',
    /^what run 'part-00000001' left in '.*part-00000001' stays: line 2 of '.*' cannot be read \(/,
  );
  assert.match(ofMoved ?? '', /^what run 'part-00000002' left .* is of a run in '\/srv\/old.*remove '.*' by hand\)$/);
  assert.deepEqual([existsSync(ours.work), await phaseOf('part-00000003')], [false, 'abandoned']);
  assert.deepEqual([existsSync(damaged.data), existsSync(moved.data)], [true, true]);
  await prepareWork(own, guard);
  assert.ok(existsSync(own.workDirectory));
  assert.ok(existsSync(dataDirectory) === false, 'nothing of production is touched');
});

test('a run that was fenced itself removes nothing of others, and does not go on', async (t) => {
  const { planOf, begin } = await placeOf(t);
  const left = await begin(planOf('part-00000001'));
  const check = () => Promise.reject(new HoldfastError('FENCED', 'somebody else holds the lease'));
  await assert.rejects(abandonOthers(planOf('part-00000002'), { token: 1, check }), { code: 'FENCED' });
  assert.ok(existsSync(left.data));
});
