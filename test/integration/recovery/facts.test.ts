// Facts of a base backup compared with what was recovered from it: at the same instant, at a later one, and when something is lost.

import assert from 'node:assert/strict';
import { truncate } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import type { RecoveryCheck } from '../../../src/domain/run-data.ts';
import { isHoldfastError } from '../../../src/errors/index.ts';
import { checkRecovered, promote } from '../../../src/postgres/recovery/index.ts';
import { runChecks } from '../../../src/postgres/recovery/recovered-checks.ts';
import { openRecovered, recoveredServer, stopRecovered } from '../../../src/postgres/recovery/recovered-place.ts';
import { pathsOf } from '../../../src/postgres/recovery/work-directory.ts';
import type { PhysicalDetails, RestorePlan } from '../../../src/postgres/types.ts';
import { guard, Restores } from '../../support/recovery-run.ts';
import { startRecoverySource } from '../../support/recovery-source.ts';

const choice = { maximum: ['public.orders.id', 'public.orders.at'], withinMs: 60_000 };

/** What is found now, whether or not it is good. */
async function look(plan: RestorePlan): Promise<RecoveryCheck | undefined> {
  await (await openRecovered(plan)).close();
  const { execution, source, resolved, facts } = plan;
  const toCompare = { was: source.facts, endLsn: resolved.endLsn, ...facts! };
  const checks = await runChecks(recoveredServer(plan), { ...execution, own: [], facts: toCompare }).catch((error) => {
    assert.ok(isHoldfastError(error, 'CHECK_FAILED'), String(error));
    return error.details?.checks as RecoveryCheck[];
  });
  return checks.find(({ name }) => name === 'facts postgres' || name === 'facts');
}

for (const major of [15, 18]) {
  test(`PostgreSQL ${major}: what was noted with a base backup holds at its own instant and later, and what is lost is found`, async (t) => {
    const source = await startRecoverySource(t, { major });
    const { server } = source;
    await server.query('create table orders (id int primary key, at timestamptz not null default clock_timestamp())');
    await server.query('create index on orders (at)');
    await server.query('create table shelf as select n from generate_series(1, 500) n');
    await server.query('insert into orders select n from generate_series(1, 1000) n');
    const { facts } = (await source.backUp(false, choice)).engine as PhysicalDetails;
    const [noted] = facts?.databases ?? [];
    assert.equal(facts?.missing, undefined);
    assert.deepEqual(noted?.tables.map(({ name, rows, basis }) => [name, rows, basis]).sort(), [
      ['public.ledger', 0, 'counted'],
      ['public.orders', 1000, 'counted'],
      ['public.shelf', 500, 'counted'],
    ]);
    assert.equal(noted?.maxima[0]?.value, '1000');
    assert.match(noted?.maxima[1]?.value ?? '', /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\+00$/);

    const restores = await Restores.of(t, source);
    const recover = async (changes: Parameters<Restores['plan']>[0]) => {
      await source.ship();
      const plan = await restores.plan(changes);
      await restores.recover(plan);
      await promote(plan, guard);
      return plan;
    };

    // Nothing was written between the facts and the end of the backup: all is equal.
    const same = await recover({ target: { type: 'immediate' } });
    const checked = (await checkRecovered(same)).find(({ name }) => name === 'facts postgres');
    assert.deepEqual([checked?.verdict, checked?.ok], ['equal', true], checked?.value);
    assert.match(checked?.value ?? '', /^nothing was written since .*: 15 equal$/);
    // A table that has lost its file's content: its index and the server say nothing.
    const [place] = await restores.query<{ file: string }>(same, "select pg_relation_filepath('shelf') as file");
    await stopRecovered(same);
    await truncate(path.join(pathsOf(same).data, String(place?.file)), 0);
    const lost = await look(same);
    assert.deepEqual([lost?.verdict, lost?.ok], ['contradicts', false]);
    assert.match(lost?.value ?? '', /public\.shelf: 500 rows then, 0 now/);
    assert.equal(
      (await look({ ...same, source: { ...same.source, facts: undefined } as never }))?.value,
      'not compared: the snapshot has none',
    );
    await restores.stop(same);

    // A moment between two backups: rows, definitions and maxima have moved on, within what both say.
    await server.query('insert into orders select n from generate_series(1001, 1100) n');
    await server.query('alter table shelf add column note text');
    const { lsn } = await source.commit();
    for (let n = 1101; n <= 1110; n += 1) await server.query(`insert into orders values (${n})`);
    await source.backUp(false, choice);
    const later = await recover({ target: { type: 'lsn', lsn } });
    const then = await look(later);
    assert.deepEqual([then?.verdict, then?.ok], ['moved on', true], then?.value);
    assert.match(
      then?.value ?? '',
      /maximum of public\.orders\.id: 1000 then, 1100 now, up to 1110 in the next backup/,
    );
    assert.match(
      then?.value ?? '',
      /definitions of tables: changed since the backup \(\d+ then, \d+ now, as in the next backup\)/,
    );
    await restores.query(later, 'insert into orders values (1200)');
    assert.match((await look(later))?.value ?? '', /look at .*more than the 1110 of the next backup/);
    await restores.query(later, 'delete from orders where id >= 1000');
    const back = await look(later);
    assert.deepEqual([back?.verdict, back?.ok], ['moved on', true]);
    assert.match(back?.value ?? '', /look at maximum of public\.orders\.id: 1000 then, 999 now: it has gone back/);
    await restores.stop(later);
  });
}
