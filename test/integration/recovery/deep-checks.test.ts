// Deep checks of a recovered server: all well when all is well, and neither a damaged page nor an index that lacks a row goes by.

import assert from 'node:assert/strict';
import { copyFile, open } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { RecoveryCheck } from '../../../src/domain/run-data.ts';
import { isHoldfastError } from '../../../src/errors/index.ts';
import { checkRecovered, promote } from '../../../src/postgres/recovery/index.ts';
import { runChecks } from '../../../src/postgres/recovery/recovered-checks.ts';
import { openRecovered, recoveredServer, stopRecovered } from '../../../src/postgres/recovery/recovered-place.ts';
import { pathsOf } from '../../../src/postgres/recovery/work-directory.ts';
import type { RestorePlan } from '../../../src/postgres/types.ts';
import { guard, Restores } from '../../support/recovery-run.ts';
import { type RecoverySource, startRecoverySource } from '../../support/recovery-source.ts';

const PAGE = 8192;

async function recovered(t: TestContext, source: RecoverySource, isDeep = true) {
  const restores = await Restores.of(t, source);
  const plan = await restores.plan({ target: { type: 'latest' }, deep: isDeep });
  await restores.recover(plan);
  await promote(plan, guard);
  return { restores, plan };
}

/** What is found now, whether or not it is good. */
async function look(plan: RestorePlan, deep: boolean): Promise<readonly RecoveryCheck[]> {
  await (await openRecovered(plan)).close();
  try {
    return await runChecks(recoveredServer(plan), { own: [], deep, binDirectory: plan.execution.binDirectory });
  } catch (error) {
    assert.ok(isHoldfastError(error, 'CHECK_FAILED'), String(error));
    return error.details?.checks as RecoveryCheck[];
  }
}

const namesOf = (checks: readonly RecoveryCheck[], isGood: boolean) =>
  checks.filter(({ ok }) => ok === isGood).map(({ name }) => name);

for (const major of [15, 17, 18]) {
  test(`PostgreSQL ${major}: deep checks read every row and compare every index, and find what is not as it was`, async (t) => {
    const source = await startRecoverySource(t, { major });
    const { server } = source;
    await server.query('create extension amcheck');
    await server.query('create table account (id int primary key, note text)');
    await server.query("insert into account select n, repeat('note ', 20) || n from generate_series(1, 5000) n");
    await source.capture();
    await source.commit();
    await source.ship();
    const { restores, plan } = await recovered(t, source);
    const first = await checkRecovered(plan);
    const deep = Object.fromEntries(first.map((check) => [check.name, check]));
    assert.match(deep['pg_amcheck postgres']?.value ?? '', /^\d+ tables and indexes checked/);
    assert.match(deep['pg_dump postgres']?.value ?? '', /^every row and large object was read, \d+ tables$/);

    const [place] = await restores.query<{ heap: string; index: string }>(
      plan,
      "select pg_relation_filepath('account') as heap, pg_relation_filepath('account_pkey') as index",
    );
    const fileOf = (name: 'heap' | 'index') => path.join(pathsOf(plan).data, String(place?.[name]));
    await restores.query(plan, 'checkpoint');
    await stopRecovered(plan);
    await copyFile(fileOf('index'), `${fileOf('index')}.before`);

    // An index as it was before a row came: whole, with right checksums, and one row short.
    await (await openRecovered(plan)).close();
    await restores.query(plan, "insert into account values (5001, 'not in the index')");
    await restores.query(plan, 'checkpoint');
    await stopRecovered(plan);
    await copyFile(fileOf('index'), `${fileOf('index')}.after`);
    await copyFile(`${fileOf('index')}.before`, fileOf('index'));
    assert.deepEqual(namesOf(await look(plan, false), false), []);
    const lacking = await look(plan, true);
    assert.deepEqual(namesOf(lacking, false), ['pg_amcheck postgres']);
    assert.match(lacking.find(({ ok }) => !ok)?.value ?? '', /account_pkey.*lacks matching index tuple/);

    // A page of the table with a row that begins in the middle of another.
    await stopRecovered(plan);
    await copyFile(`${fileOf('index')}.after`, fileOf('index'));
    const handle = await open(fileOf('heap'), 'r+');
    const line = Buffer.alloc(4);
    await handle.read(line, 0, 4, 2 * PAGE + 24);
    line.writeUInt32LE((line.readUInt32LE() ^ 1) >>> 0);
    await handle.write(line, 0, 4, 2 * PAGE + 24);
    await handle.close();
    assert.ok(!namesOf(await look(plan, false), false).includes('pg_amcheck postgres'));
    const damaged = await look(plan, true);
    assert.ok(namesOf(damaged, false).includes('pg_amcheck postgres'), JSON.stringify(damaged));
    await stopRecovered(plan);
  });
}

test('deep checks say where nothing could be compared, and the server counts as recovered all the same', async (t) => {
  const source = await startRecoverySource(t, { major: 18 });
  await source.commit();
  await source.capture();
  await source.commit();
  await source.ship();
  const { plan } = await recovered(t, source);
  const checks = await checkRecovered(plan);
  const amcheck = checks.find(({ name }) => name === 'pg_amcheck postgres');
  assert.equal(amcheck?.notDone, true);
  assert.match(amcheck?.value ?? '', /the extension amcheck is not in this database/);
  assert.ok(checks.some(({ name, ok }) => name === 'pg_dump postgres' && ok));
});
