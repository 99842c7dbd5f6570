// How a verification runs and ends: damage is no success, nor is what could not be looked at, what a limit leaves is told, and what was found is in the status.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunStatus } from '../../src/domain/operations.ts';
import type { Verdict } from '../../src/domain/states.ts';
import { failureOf } from './support/closing.ts';
import { script } from './support/scripted-activities.ts';
import { sharedEnvironment, startEstate } from './support/workflow-environment.ts';

const shared = sharedEnvironment();

function report(state: Verdict) {
  const objects = { good: 3, damaged: 0, missing: 0, 'not checked': 2 };
  const findings =
    state === 'damaged' ? [{ key: 'k', kind: 'pack', state, message: "'k' is not what its name says" }] : [];
  const copies = [{ copy: 'eu', state, snapshots: [], objects, segments: objects, readBytes: 5, findings }];
  return [{ component: 'database/main', level: 'hashed', state, at: '2026-11-25T05:00:00.000000Z', copies }];
}

/** Nothing was seen of 'eu'. */
function away() {
  const [{ copies, ...whole }] = report('good') as [ReturnType<typeof report>[number]];
  const none = { good: 0, damaged: 0, missing: 0, 'not checked': 0 };
  const error = { code: 'STORE_UNAVAILABLE', message: "copy 'eu' does not answer", hint: 'is it up?' };
  const [local] = copies.map((copy) => ({ ...copy, copy: 'local', objects: { ...none, good: 3 } }));
  const eu = { ...local, copy: 'eu', state: 'not checked', error, objects: none, segments: none };
  return [{ ...whole, state: 'not checked', copies: [local, eu] }];
}

/** Its store keeps no checksums, and 'us', which comes after it, does not answer. */
function unattested() {
  const error = { code: 'STORE_UNFIT', message: "copy 'eu' keeps no checksums", hint: 'hashed' };
  const [{ copies, ...whole }] = report('not checked') as [ReturnType<typeof report>[number]];
  const [eu] = copies;
  return [
    {
      ...whole,
      copies: [
        { ...eu, error },
        { ...away()[0]?.copies[1], copy: 'us' },
      ],
    },
  ];
}

/** And another copy did not answer. */
function damagedBeside() {
  const [{ copies, ...whole }] = report('damaged') as [ReturnType<typeof report>[number]];
  return [{ ...whole, copies: [...copies, { ...away()[0]?.copies[1], copy: 'us' }] }];
}

const input = (estate: string) => ({ estate, host: 'db1', by: 'me', level: 'hashed', withinDays: 30 });
const limited = (estate: string) => ({ ...input(estate), budgetBytes: 1000 });

test('what is left by the budget is told, and is no failure', async (t) => {
  const { calls, requests, activities } = script({ verifyIntegrity: () => report('not checked') });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const handle = await estate.start('verifySnapshots', `${estate.name}/verify`, limited(estate.name));
  const status = (await handle.result()) as RunStatus;
  assert.deepEqual(calls, ['resolveOperation', 'verifyIntegrity', 'putRunRecord']);
  const [asked] = requests.verifyIntegrity as { run: string; level: string; withinDays: number }[];
  assert.deepEqual([asked?.run, asked?.level, asked?.withinDays], [status.run, 'hashed', 30]);
  assert.match(status.run, /^verify-[0-9a-f]{8}$/);
  assert.equal(status.message, '3 objects good, 2 not checked');
});

test('damage ends it badly, with the object, the way to mend it, and the whole report', async (t) => {
  const { activities } = script({ verifyIntegrity: () => report('damaged') });
  const estate = await startEstate(shared, activities);
  t.after(() => estate.stop());
  const closed = await failureOf(await estate.start('verifySnapshots', `${estate.name}/verify`, input(estate.name)));
  assert.equal(closed.type, 'CHECK_FAILED');
  assert.match(closed.status.message, /database\/main on eu is damaged: 'k' is not what its name says/);
  assert.match(closed.status.error?.hint ?? '', /copies repair eu/);
  assert.ok(closed.status.data?.integrity);
});

test('a copy that could not be asked is no success, whatever the limit, and what is left without a limit is none either', async (t) => {
  for (const [made, asked, message] of [
    [away, limited, "database/main on eu was not asked: copy 'eu' does not answer"],
    [() => report('not checked'), input, 'database/main on eu was not looked at in all of it'],
    [
      unattested,
      limited,
      "database/main on eu was not looked at in all of it, database/main on us was not asked: copy 'eu' keeps no checksums",
    ],
    [
      damagedBeside,
      limited,
      "database/main on eu is damaged, database/main on us was not asked: 'k' is not what its name says",
    ],
  ] as const) {
    const { activities } = script({ verifyIntegrity: made });
    const estate = await startEstate(shared, activities);
    t.after(() => estate.stop());
    const closed = await failureOf(await estate.start('verifySnapshots', `${estate.name}/verify`, asked(estate.name)));
    assert.deepEqual([closed.type, closed.status.message], ['CHECK_FAILED', message]);
    assert.ok(closed.status.error?.hint);
    assert.ok(closed.status.data?.integrity);
  }
});
