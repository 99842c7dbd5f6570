// Every kind of target, resolved from the log itself and reached by a real server; and what cannot be reached, refused with what can.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { lsnFrom, lsnValue, segmentNameAt, segmentNumber } from '../../../src/domain/lsn.ts';
import { type Moment, momentFromUnixMicros, unixMicros } from '../../../src/domain/moment.ts';
import { isHoldfastError } from '../../../src/errors/index.ts';
import {
  finishBeside,
  planRestore,
  promote,
  resolveTarget,
  restorePaths,
  stopLeft,
  windows,
} from '../../../src/postgres/recovery/index.ts';
import { findPostmaster } from '../../../src/postgres/recovery/postmaster.ts';
import type { PhysicalDetails, RequestedTarget, RestorePlan } from '../../../src/postgres/types.ts';
import { describeLog } from '../../../src/postgres/wal/index.ts';
import { configurationFor, databaseFor, guard, Restores } from '../../support/recovery-run.ts';
import { type Commit, component, type RecoverySource, startRecoverySource } from '../../support/recovery-source.ts';
import { giveToServer } from '../../support/scratch-postgres.ts';
import { SuiteHooks } from '../../support/suite-hooks.ts';

const bulk = 'insert into ledger (note) select repeat(md5(random()::text), 8) from generate_series(1, 2000)';

interface Details {
  readonly nearest: { readonly before?: { readonly time: Moment }; readonly after?: { readonly time: Moment } };
  readonly holes: readonly unknown[];
}

describe('targets', () => {
  const hooks = new SuiteHooks();
  let source: RecoverySource;
  let restores: Restores;
  const commits: Commit[] = [];
  let restorePoint: number;
  let firstBackup: { to: Moment; stopLsn: string };

  before(async () => {
    source = await startRecoverySource(hooks.context, { major: 17, vault: { copies: ['local', 'far'] } });
    restores = await Restores.of(hooks.context, source);
    commits.push(await source.commit());
    const snapshot = await source.capture();
    firstBackup = { to: snapshot.to, stopLsn: String(snapshot.engine.stopLsn) };
    for (let index = 0; index < 12; index += 1) {
      commits.push(await source.commit());
      if (index % 3 === 0) await source.server.query(bulk);
      if (index === 5) {
        restorePoint = commits.length;
        await source.server.query("select pg_create_restore_point('once')");
      }
      if (index % 8 === 2) await source.server.query("select pg_create_restore_point('twice')");
    }
    await source.ship();
  });
  after(() => hooks.end());

  const resolve = (target: RequestedTarget, exclusive = false) =>
    resolveTarget({ vault: source.vault, component, target, exclusive });

  /** How many of the known commits a recovered server has. */
  async function recovered(target: RequestedTarget, exclusive = false): Promise<number> {
    const plan = await restores.plan({ target, exclusive });
    await restores.recover(plan);
    const ids = commits.map(({ id }) => id).join(',');
    const rows = await restores.query<{ id: number }>(plan, `select id from ledger where id in (${ids}) order by id`);
    await restores.stop(plan);
    assert.deepEqual(
      rows.map(({ id }) => Number(id)),
      commits.slice(0, rows.length).map(({ id }) => id),
    );
    return rows.length;
  }

  test('a named point is reached with everything before it and nothing after it', async () => {
    assert.equal(await recovered({ type: 'name', name: 'once' }), restorePoint);
  });

  test('a transaction is the last one there, or the first one that is not', async () => {
    const { xid } = commits[7]!;
    assert.equal(await recovered({ type: 'xid', xid }), 8);
    assert.equal(await recovered({ type: 'xid', xid }, true), 7);
  });

  test('a position is replayed through the record that starts there, or up to it', async () => {
    const record = (await resolve({ type: 'xid', xid: commits[4]!.xid })).resolved.lastRecordLsn;
    assert.equal(await recovered({ type: 'lsn', lsn: record }), 5);
    assert.equal(await recovered({ type: 'lsn', lsn: record }, true), 4);
    const inside = lsnFrom(lsnValue(record) + 8n);
    const { resolved } = await resolve({ type: 'lsn', lsn: inside });
    assert.ok(
      lsnValue(resolved.lastRecordLsn) > lsnValue(record),
      'inside a record, the next one is the first that starts there',
    );
    assert.equal((await resolve({ type: 'lsn', lsn: inside }, true)).resolved.lastRecordLsn, record);
  });

  test('the latest is the last whole record, and a moment of its own kind', async () => {
    assert.equal(await recovered({ type: 'latest' }), commits.length);
  });

  test('as soon as consistent is the end of the base backup and not a record more', async () => {
    assert.equal((await resolve({ type: 'immediate' })).resolved.endLsn, firstBackup.stopLsn);
    assert.equal(await recovered({ type: 'immediate' }), 1);
  });

  test('the moment of a commit has it, unless it is to be left out', async () => {
    const moment = commits[6]!.time;
    const [with6, without6] = [await resolve({ type: 'time', moment }), await resolve({ type: 'time', moment }, true)];
    assert.equal(with6.resolved.lastTransaction?.time, moment);
    assert.equal(without6.resolved.firstLeftOut?.time, moment);
  });

  async function refusal(
    target: RequestedTarget,
  ): Promise<{ code: string; message: string; hint: string; details: Details }> {
    const error = await resolve(target).then(
      () => assert.fail('was not refused'),
      (thrown: unknown) => thrown,
    );
    assert.ok(isHoldfastError(error), String(error));
    return error.toJSON() as never;
  }

  test('the future is refused with the newest moment that can be had', async () => {
    const moment = momentFromUnixMicros(unixMicros(commits.at(-1)!.time) + 3_600_000_000n);
    const { code, message, hint, details } = await refusal({ type: 'time', moment });
    assert.equal(code, 'TARGET_OUTSIDE');
    const { to } = (await windows(source.vault, component))[0]!;
    assert.equal(details.nearest.before?.time, to);
    assert.match(message, /lies in the future \(it is \d{4}-/);
    assert.match(hint, /the nearest that can be recovered/);
  });

  test('before the first base backup ended is refused with the oldest moment that can be had', async () => {
    const moment = momentFromUnixMicros(unixMicros(firstBackup.to) - 1n);
    const { code, details } = await refusal({ type: 'time', moment });
    assert.equal(code, 'TARGET_OUTSIDE');
    assert.equal(details.nearest.after?.time, firstBackup.to);
    assert.equal((await refusal({ type: 'lsn', lsn: lsnFrom(8n) })).code, 'TARGET_OUTSIDE');
  });

  test('names and transactions that are not there, or twice, are refused', async () => {
    assert.equal((await refusal({ type: 'name', name: 'never' })).code, 'TARGET_OUTSIDE');
    assert.equal((await refusal({ type: 'xid', xid: '4000000000' })).code, 'TARGET_OUTSIDE');
    const twice = await refusal({ type: 'name', name: 'twice' });
    assert.equal(twice.code, 'TARGET_AMBIGUOUS');
    assert.match(twice.hint, /--to lsn:/);
  });

  test('a timeline that nobody knows is refused with those that are', async () => {
    await assert.rejects(resolveTarget({ vault: source.vault, component, target: { type: 'latest' }, timeline: 9 }), {
      code: 'TARGET_OUTSIDE',
      hint: 'known timelines: 1',
    });
  });

  test('an unfit place is refused: not empty, without parent, too small', async () => {
    const place = (dataDirectory: string) => ({ mode: 'beside', dataDirectory, start: false }) as const;
    await assert.rejects(restores.plan({ target: { type: 'latest' }, place: place(source.server.dataDirectory) }), {
      code: 'TARGET_UNFIT',
    });
    await assert.rejects(restores.plan({ target: { type: 'latest' }, place: place('/nowhere/at/all') }), {
      code: 'TARGET_UNFIT',
    });
    await assert.rejects(
      restores.plan({
        target: { type: 'latest' },
        place: place('/dev/shm/new'),
        database: databaseFor(),
        fromCopy: 'none',
      }),
      { code: 'NOT_FOUND' },
    );
    const request = {
      vault: source.vault,
      configuration: configurationFor(source),
      database: databaseFor(),
      run: 'restore-x',
    };
    await assert.rejects(planRestore({ ...request, target: { type: 'latest' }, place: { mode: 'in place' } }), {
      code: 'TARGET_UNFIT',
    });
  });

  test('log that was damaged on one copy is read from another, and on its own refused', async () => {
    const record = (await resolve({ type: 'xid', xid: commits[7]!.xid })).resolved.lastRecordLsn;
    const name = segmentNameAt(1, record, 1024 * 1024);
    const root = source.holder.path('local');
    const file = (await readdir(root, { recursive: true })).find((entry) => path.basename(entry) === name);
    assert.ok(file);
    const bytes = await readFile(path.join(root, file));
    bytes[bytes.length - 100]! ^= 1;
    await chmod(path.join(root, file), 0o600);
    await writeFile(path.join(root, file), bytes);
    const target = { type: 'time', moment: commits[7]!.time } as const;
    const { copy, resolved, passedOver } = await resolve(target);
    assert.equal(copy, 'far');
    assert.equal(resolved.lastTransaction?.xid, commits[7]!.xid);
    assert.deepEqual(
      passedOver.map(({ copy: name, code }) => [name, code]),
      [['local', 'OBJECT_DAMAGED']],
    );
    await assert.rejects(resolveTarget({ vault: source.vault, component, target, copies: ['local'] }), {
      code: 'OBJECT_DAMAGED',
    });
  });

  test('log of another cluster of the same vault under the name of ours is not taken for it', async () => {
    const { time, lsn } = commits[3]!;
    const segmentSizeBytes = 1024 * 1024;
    const name = segmentNameAt(1, lsn, segmentSizeBytes);
    const number = segmentNumber(lsn, segmentSizeBytes);
    const bytes = await readFile(path.join(source.server.dataDirectory, 'pg_wal', name));
    const fromLsn = lsnFrom(number * BigInt(segmentSizeBytes));
    const toLsn = lsnFrom((number + 1n) * BigInt(segmentSizeBytes));
    // The same bytes even: what is stored is bound to its cluster.
    const facts = describeLog({ startLsn: fromLsn, segmentSizeBytes, timeline: 1, bytes });
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const header = { timeline: 1, segmentSizeBytes, fromLsn, toLsn, sha256, ...facts };
    await source.vault.log(component, '4711', 'far').putSegment(header, bytes);
    const root = source.holder.path('far');
    const files = (await readdir(root, { recursive: true })).filter((entry) => path.basename(entry) === name);
    const [own, other] = [false, true].map((isOther) => files.find((file) => file.includes('4711') === isOther));
    assert.ok(own !== undefined && other !== undefined, files.join());
    const before = await readFile(path.join(root, own));
    await chmod(path.join(root, own), 0o600);
    await copyFile(path.join(root, other), path.join(root, own));
    const target = { type: 'time', moment: time } as const;
    await assert.rejects(resolveTarget({ vault: source.vault, component, target, copies: ['far'] }), {
      code: 'OBJECT_DAMAGED',
    });
    await writeFile(path.join(root, own), before);
    const { resolved } = await resolveTarget({ vault: source.vault, component, target, copies: ['far'] });
    assert.equal(resolved.lastTransaction?.time, time);
  });

  test('a copy that was asked for is refused where it has not got all of the base, whatever was read of it before', async () => {
    const target = { type: 'latest' } as const;
    const { base } = await restores.plan({ target, fromCopy: 'far' });
    assert.equal(base.copy, 'far');
    const root = source.holder.path('far');
    const names = await readdir(root, { recursive: true });
    const nameOf = (which: RegExp) =>
      names.find((each) => which.test(each)) ?? assert.fail(`no ${which}: ${names.join()}`);
    const pack = path.join(root, nameOf(/packs\/..\/[0-9a-f]{64}$/));
    const manifest = path.join(root, nameOf(new RegExp(`snapshots/.*${base.snapshot}$`)));
    const refused = (words: string) =>
      assert.rejects(restores.plan({ target, fromCopy: 'far' }), (error) => {
        assert.ok(isHoldfastError(error, 'NO_SNAPSHOT'), String(error));
        assert.ok(error.message.includes(`from copy 'far', which ${words}: `), error.message);
        assert.match(error.hint ?? '', /^`--from local` can serve/);
        return true;
      });
    await rename(pack, `${pack}.away`);
    await refused('does not have it whole');
    await rename(`${pack}.away`, pack);
    const bytes = await readFile(manifest);
    await rename(manifest, `${manifest}.away`);
    await writeFile(manifest, bytes.fill(7, 20));
    await refused('cannot give it');
    await rename(`${manifest}.away`, manifest);
    await restores.plan({ target, fromCopy: 'far' });
  });
});

test('a hole in the log is named, and the moments on both sides are offered', async (t) => {
  const source = await startRecoverySource(t, { major: 17 });
  await source.capture();
  const first = await source.commit();
  await source.server.query(bulk);
  await source.ship();
  await source.server.query(bulk);
  const lost = await source.commit();
  await source.server.query(bulk);
  await source.server.query(bulk);
  const second = await source.capture();
  const last = await source.commit();
  await source.server.query(bulk);
  // The segment that holds the lost commit never arrives.
  const missing = (await source.server.query(`select pg_walfile_name('${lost.lsn}') as name`))[0]!.name;
  await source.ship(undefined, { skip: (segment) => segment === missing });
  const [window] = await windows(source.vault, component);
  assert.equal(window?.holes.length, 1);
  const resolve = (moment: Moment) =>
    resolveTarget({ vault: source.vault, component, target: { type: 'time', moment } });
  await assert.rejects(resolve(lost.time), (error: unknown) => {
    assert.ok(isHoldfastError(error, 'TARGET_OUTSIDE'));
    const { nearest, holes } = error.details as unknown as Details;
    assert.equal(holes.length, 1);
    const { fromLsn, toLsn } = window?.holes[0] ?? {};
    assert.ok(error.message.includes(`known of the log; it has a hole from ${fromLsn} to ${toLsn} (`), error.message);
    assert.ok(nearest.before && nearest.before.time >= first.time && nearest.before.time < lost.time);
    assert.equal(nearest.after?.time, second.to);
    return true;
  });
  assert.equal((await resolve(first.time)).resolved.lastTransaction?.time, first.time);
  assert.equal((await resolve(last.time)).snapshot.id, second.id);
  await assert.rejects(resolve('2099-01-01T00:00:00.000000Z' as Moment), (error: unknown) => {
    assert.ok(isHoldfastError(error, 'TARGET_OUTSIDE') && !error.message.includes('hole'), String(error));
    return true;
  });
});

test('what the host lacks is refused before anything is touched: room, programs of the major, the locale', async (t) => {
  const source = await startRecoverySource(t, { major: 17 });
  const restores = await Restores.of(t, source);
  const refused = async (changes: Partial<PhysicalDetails>, code: string) => {
    await source.capture(changes);
    await source.ship();
    await assert.rejects(restores.plan({ target: { type: 'immediate' } }), { code });
  };
  await refused({ sizeBytes: 2 ** 55 }, 'NO_SPACE');
  const dry = await restores.plan({ target: { type: 'immediate' }, dryRun: true });
  assert.deepEqual(
    dry.blockers?.map(({ code }) => code),
    ['NO_SPACE'],
  );
  await refused({ major: 11 }, 'TOOL_VERSION');
  await refused({ locale: { collate: 'xx_YY.UTF-8', ctype: 'xx_YY.UTF-8', encoding: 'UTF8' } }, 'TARGET_UNFIT');
});

test('tablespaces go into the restored directory, and never back to where production has its own', async (t) => {
  const source = await startRecoverySource(t, { major: 17 });
  const restores = await Restores.of(t, source);
  const space = await newSpace(source, 'space');
  await source.server.query(`create tablespace fast location '${space}'`);
  await source.server.query('create table far (id int) tablespace fast');
  await source.server.query('insert into far select generate_series(1, 1000)');
  await source.capture();
  await source.server.query('insert into far values (0)');
  await source.ship();
  const before = await readdir(space, { recursive: true });
  const plan = await restores.plan({ target: { type: 'latest' } });
  await restores.recover(plan);
  await promote(plan, guard);
  const finished = await finishBeside(
    { ...plan, place: { ...plan.place, start: true } as RestorePlan['place'] },
    guard,
  );
  const [row] = await restores.query<{ count: string; place: string }>(
    plan,
    "select (select count(*) from far)::text as count, pg_tablespace_location(oid) as place from pg_tablespace where spcname = 'fast'",
  );
  assert.equal(row?.count, '1001');
  assert.ok(row?.place.startsWith(`${finished.dataDirectory}/tablespaces/`));
  assert.deepEqual(await readdir(space, { recursive: true }), before);
  await restores.stop(plan);
  await source.server.query(`create tablespace later location '${await newSpace(source, 'later')}'`);
  await source.ship();
  const database = databaseFor({ dataDirectory: source.server.dataDirectory });
  await assert.rejects(restores.plan({ target: { type: 'latest' }, database }), { code: 'TARGET_UNFIT' });
});

async function newSpace(source: RecoverySource, name: string): Promise<string> {
  const space = path.join(source.server.directory, name);
  await mkdir(space);
  await giveToServer(space);
  return space;
}

test('a server that may not pause at its target because nobody can connect yet is accepted exactly there', async (t) => {
  const source = await startRecoverySource(t, { major: 17 });
  const restores = await Restores.of(t, source);
  const open = new pg.Client({ connectionString: source.server.url() });
  await open.connect();
  try {
    // More subtransactions than a snapshot of running transactions can name.
    await open.query('begin');
    await open.query(
      "do $$ begin for i in 1..200 loop begin insert into ledger (note) values ('open'); exception when others then null; end; end loop; end $$",
    );
    await source.commit();
    await source.capture();
    await source.ship();
  } finally {
    await open.end();
  }
  const plan = await restores.plan({ target: { type: 'immediate' } });
  await restores.recover(plan);
  const [row] = await restores.query<{ recovering: boolean }>(plan, 'select pg_is_in_recovery() as recovering');
  assert.equal(row?.recovering, false);
  await promote(plan, guard);
  const [count] = await restores.query<{ count: string }>(plan, 'select count(*)::text as count from ledger');
  assert.equal(count?.count, '1');
  const { dataDirectory } = plan.place;
  const { data } = restorePaths(dataDirectory, plan.run);
  assert.deepEqual(await stopLeft(plan, false), { dataDirectory: data, stopped: true }, 'far from finished');
  assert.equal(await findPostmaster(data), undefined);
  assert.deepEqual(await stopLeft(plan, false), { dataDirectory, stopped: false });
});
