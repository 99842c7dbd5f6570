// Facts compared: each relation that must hold does, nothing else contradicts, and nothing compared is not called well.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Lsn } from '../../../../src/domain/lsn.ts';
import type { Moment } from '../../../../src/domain/moment.ts';
import {
  compareFacts,
  factsCheck,
  type Order,
  parseFacts,
  type Restored,
} from '../../../../src/postgres/facts/index.ts';
import { type DatabaseFacts, schemaKinds } from '../../../../src/postgres/facts/types.ts';

const digest = (text: string, objects = 1) => ({ objects, structure: text.repeat(32), definitions: text.repeat(32) });
const schema = Object.fromEntries(schemaKinds.map((kind) => [kind, digest('a')]));

function facts(changes: Partial<DatabaseFacts> = {}): DatabaseFacts {
  return {
    ...{ name: 'bank', moment: '2026-11-23T06:15:00.000000Z' as Moment, lsn: '0/3000148' as Lsn },
    ...{ oldestXid: '800', nextXid: '800', schema, notCounted: {} },
    tables: [{ name: 'public.orders', rows: 10, basis: 'counted' }],
    maxima: [{ column: 'public.orders.id', value: '10' }],
    ...changes,
  };
}

const byNumber: Order = async (_, first, second) => Number(first) - Number(second);

async function verdict(was: DatabaseFacts, is: Partial<DatabaseFacts>, restored: Omit<Restored, 'facts'>) {
  return factsCheck('bank', await compareFacts(was, { ...restored, facts: facts(is) }, byNumber), 'then');
}

const moved = {
  tables: [{ name: 'public.orders', rows: 12, basis: 'counted' as const }],
  maxima: [{ column: 'public.orders.id', value: '12' }],
};

describe('facts', () => {
  it('that are the same are equal, whatever the relation', async () => {
    for (const relation of ['same instant', 'later', 'loaded'] as const) {
      const check = await verdict(facts(), {}, { relation });
      assert.deepEqual([check.verdict, check.ok, check.notDone], ['equal', true, undefined]);
      assert.equal(check.value, 'then: 12 equal');
    }
  });

  it('may move on where something was written in between, and nowhere else', async () => {
    const later = await verdict(facts(), moved, { relation: 'later' });
    assert.deepEqual([later.verdict, later.ok], ['moved on', true]);
    assert.match(later.value, /maximum of public.orders.id: 10 then, 12 now; public.orders: 10 rows then, 12 now/);
    for (const relation of ['same instant', 'loaded'] as const) {
      const check = await verdict(facts(), moved, { relation });
      assert.deepEqual([check.verdict, check.ok], ['contradicts', false]);
    }
  });

  it('tell loudly, and refuse nothing, when what never goes back has gone back, is gone, or is further than it was later', async () => {
    for (const value of ['9', null]) {
      const check = await verdict(facts(), { maxima: [{ column: 'public.orders.id', value }] }, { relation: 'later' });
      assert.deepEqual([check.verdict, check.ok], ['moved on', true]);
      assert.match(check.value, /^then: look at maximum of .*it has gone back; rows were deleted, or are missing/);
    }
    const next = facts({ maxima: [{ column: 'public.orders.id', value: '11' }] });
    const beyond = await verdict(facts(), moved, { relation: 'later', next });
    assert.equal(beyond.ok, true);
    assert.match(beyond.value, /look at .*10 then, 12 now: more than the 11 of the next backup/);
    const within = await verdict(facts(), moved, { relation: 'later', next: facts(moved) });
    assert.deepEqual([within.verdict, /up to 12 in the next backup/.test(within.value)], ['moved on', true]);
  });

  it('tell a change of definitions, which is no failure unless nothing was written', async () => {
    const changed = { schema: { ...schema, tables: digest('b', 2) } };
    const next = facts(changed);
    const later = await verdict(facts(), changed, { relation: 'later', next });
    assert.equal(later.verdict, 'moved on');
    assert.match(
      later.value,
      /definitions of tables: changed since the backup \(1 then, 2 now, as in the next backup\)/,
    );
    assert.equal((await verdict(facts(), changed, { relation: 'same instant' })).verdict, 'contradicts');
    assert.equal((await verdict(facts(), changed, { relation: 'loaded' })).verdict, 'contradicts');
    assert.equal((await verdict(facts(), changed, { relation: 'loaded', otherMajor: true })).ok, true);
    // Another wording of the same structure is what a dump gives.
    const worded = { schema: { ...schema, views: { ...digest('a'), definitions: 'c'.repeat(32) } } };
    assert.equal((await verdict(facts(), worded, { relation: 'loaded' })).verdict, 'equal');
    assert.equal((await verdict(facts(), worded, { relation: 'same instant' })).verdict, 'contradicts');
  });

  it('tell a table that is gone, and do not take one that could not be counted for gone', async () => {
    const gone = await verdict(facts(), { tables: [] }, { relation: 'later' });
    assert.match(gone.value, /public.orders: is not there; it had 10 rows/);
    assert.equal(gone.verdict, 'moved on');
    const left = { tables: [], notCounted: { 'no time was left': 1 } };
    const check = await verdict(facts(), left, { relation: 'same instant' });
    assert.deepEqual(
      [check.ok, /1 not compared \(public.orders: could not be counted now\)/.test(check.value)],
      [true, true],
    );
  });

  it('of which none has a row, a value or a definition were not compared, and the check is not done', async () => {
    const empty = { tables: [], maxima: [], schema: { extensions: digest('a') } };
    const check = await verdict(facts(empty), empty, { relation: 'same instant' });
    assert.deepEqual([check.verdict, check.ok, check.notDone], ['not compared', true, true]);
    assert.match(check.value, /^nothing compared/);
  });

  it('are read from a manifest whole or not at all', () => {
    const whole = { version: 1, databases: [facts()] };
    assert.deepEqual(parseFacts(JSON.parse(JSON.stringify(whole))), whole);
    assert.equal(parseFacts(undefined), undefined);
    assert.equal(parseFacts({ ...whole, version: 2 }), 'unknown');
    assert.equal(parseFacts({ ...whole, databases: [facts({ nextXid: 'x' })] }), 'unknown');
  });
});
