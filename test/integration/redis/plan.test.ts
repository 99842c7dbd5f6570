// What a plan says of keys, of the ones that match, and of a running server that does not let itself be asked.

import assert from 'node:assert/strict';
import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { renderRedisPlan } from '../../../src/cli/render/redis.ts';
import { momentFromDate } from '../../../src/domain/moment.ts';
import type { RedisPlan } from '../../../src/domain/redis-restore.ts';
import { run } from '../../../src/process/index.ts';
import { RedisConnection } from '../../../src/redis/connection/index.ts';
import { captureAof, type PlanRedisOptions, planRedis, restoreKeys } from '../../../src/redis/index.ts';
import { storedDetails } from '../../../src/redis/restore/fetch.ts';
import type { SnapshotOnCopies } from '../../../src/vault/index.ts';
import { makeAuthority } from '../../support/certificates.ts';
import { CACHE, redisSetting } from '../../support/redis-capture.ts';
import { captured, contentAt } from '../../support/redis-restore.ts';
import { type TestRedis, testRedis } from '../../support/redis-server.ts';
import { freePort } from '../../support/scratch-postgres.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { snapshotId } from '../../support/vault.ts';
import { waitFor } from '../../support/wait-for.ts';

const signal = new AbortController().signal;

async function planned(
  t: TestContext,
  server: TestRedis,
  snapshot: SnapshotOnCopies,
  more: Partial<PlanRedisOptions>,
): Promise<{ readonly plan: RedisPlan; readonly text: string }> {
  const { id, from, to } = snapshot;
  const plan = await planRedis({
    ...{ run: 'restore-00000001', component: CACHE, host: 'db1', requested: 'latest', snapshot, warnings: [], signal },
    ...{ chosen: { id, from, to, state: 'clean', copy: 'local' }, programs: server.programs },
    ...{ source: { url: server.url }, runs: await temporaryDirectory(t), places: [], target: { type: 'live' } },
    ...more,
  });
  return { plan, text: renderRedisPlan(plan, 'UTC').join('\n') };
}

/** What plans have left in the system's temporary directory, which this test has for itself from here on. */
async function ownTemporary(t: TestContext, place?: string): Promise<() => Promise<string[]>> {
  const { TMPDIR: before = os.tmpdir() } = process.env;
  const own = place ?? (await temporaryDirectory(t));
  process.env.TMPDIR = own;
  t.after(() => {
    process.env.TMPDIR = before;
  });
  return async () => (await readdir(own)).filter((name) => name.startsWith('holdfast-redis-'));
}

test('of append-only files the plan tells the keys of the base that serves the moment, and how much log follows it up to there', async (t) => {
  const settings = ['appendonly yes', 'aof-timestamp-enabled yes', 'auto-aof-rewrite-percentage 0'];
  const server = await testRedis(t, { settings });
  const { vault } = await redisSetting(t);
  const { dataDirectory, programs } = server;
  const write = async (from: number, to: number) => {
    for (let number = from; number < to; number++) await server.cli('SET', `key:${number}`, 'value');
  };
  const take = (number: number) =>
    captureAof({
      ...{ vault, signal, place: { dataDirectory, appendDirectory: 'appendonlydir', appendFile: 'appendonly.aof' } },
      server: { source: { url: server.url }, programs },
      request: { snapshotId: snapshotId(number), component: CACHE, host: 'db1' },
    });
  await write(0, 3);
  await take(1);
  const second = Math.floor(Date.now() / 1000);
  await waitFor('the next second', () => Math.floor(Date.now() / 1000) > second + 1);
  const moment = momentFromDate(new Date((second + 1) * 1000));
  await write(3, 5);
  await server.cli('BGREWRITEAOF');
  await waitFor('the rewrite to end', async () => {
    const info = await server.cli('INFO', 'persistence');
    return /aof_rewrite_in_progress:0/.test(info) && /aof_rewrite_scheduled:0/.test(info);
  });
  const rewritten = await take(2);
  const alone = await planned(t, server, rewritten, {});
  assert.deepEqual([alone.plan.keys, alone.plan.log], [5, undefined]);
  assert.match(alone.text, /5 keys in /);
  await write(5, 7);
  const snapshot = await take(3);
  const all = await planned(t, server, snapshot, {});
  // SELECT, and two of ours.
  assert.deepEqual([all.plan.keys, all.plan.log?.commands, all.plan.log?.isAtMost], [5, 3, undefined]);
  assert.match(all.text, /5 keys and a log in .* from local\n/);
  assert.match(all.text, /behind 5 keys follow 3 commands \(.*\) of log: how many keys .* is known when it is loaded/);
  const early = await planned(t, server, rewritten, { moment });
  assert.deepEqual([early.plan.keys, early.plan.log?.isAtMost], [0, true]);
  assert.match(early.text, /behind 0 keys follow at most 6 commands/);
  const target = { type: 'keys', pattern: '*', vault } as const;
  assert.equal((await planned(t, server, rewritten, { target })).plan.matching?.matching, 5);
  const { plan: behind } = await planned(t, server, snapshot, { target });
  assert.deepEqual([behind.matching, behind.blockers], [undefined, undefined]);
  assert.match(behind.warnings.join(), /not counted: how much memory it takes with its log is not known;/);
});

test('of append-only files without an RDB in front no number of keys is told', async (t) => {
  const server = await testRedis(t, { settings: ['appendonly yes', 'aof-use-rdb-preamble no'] });
  const { vault } = await redisSetting(t);
  await server.cli('SET', 'a', '1');
  const snapshot = await captureAof({
    ...{ vault, signal, server: { source: { url: server.url }, programs: server.programs } },
    place: {
      ...{ dataDirectory: server.dataDirectory, appendDirectory: 'appendonlydir', appendFile: 'appendonly.aof' },
    },
    request: { snapshotId: snapshotId(1), component: CACHE, host: 'db1' },
  });
  const { plan, text } = await planned(t, server, snapshot, {});
  assert.equal(plan.keys, undefined);
  assert.ok((plan.log?.commands ?? 0) > 0, JSON.stringify(plan.log));
  assert.match(text, /, a log in .*\n/);
  assert.match(text, /the log has 2 commands/);
  assert.doesNotMatch(text, /0 keys|no key/);
  const { plan: unknown } = await planned(t, server, snapshot, { target: { type: 'keys', pattern: '*', vault } });
  assert.deepEqual([unknown.matching, unknown.blockers], [undefined, undefined]);
  assert.match(unknown.warnings.join(), /not counted: how much memory it takes is not known;/);
});

test('by pattern the plan counts what the restore then does, touches nothing, and says why where it does not count', async (t) => {
  const { vault, server, snapshot, after } = await captured(t, 'redis7');
  await server.cli('SET', 'string:surplus', '1');
  const changed = await contentAt(server.url);
  const pattern = 'string:*';
  const target = { type: 'keys', pattern, vault } as const;
  const place = { directory: path.join(await temporaryDirectory(t), 'run'), source: { url: server.url }, signal };
  const [runs, left] = [await temporaryDirectory(t), await ownTemporary(t)];
  const { plan, text } = await planned(t, server, snapshot, { target, runs });
  assert.deepEqual([plan.blockers, plan.matching?.surplus], [undefined, 1]);
  assert.match(text, /\d+ match: \d+ to be made, 1 to be replaced, the others are the same; 1 that the snapshot/);
  assert.deepEqual(await contentAt(server.url), changed);
  assert.deepEqual([await left(), await readdir(path.join(runs, '.counting'))], [[], []]);
  for (const [limits, why] of [
    [{ sizeBytes: 10 }, /the snapshot has more than 10 B/],
    [{ keys: 1 }, /the server has \d+ keys, more than 1;/],
    [{ memoryBytes: 1 }, /it takes .*B of memory, more than the 1 B that a plan may take here;/],
    [{ withinMs: 0 }, /it took longer than 0 s/],
  ] as const) {
    const { plan: without } = await planned(t, server, snapshot, { target: { ...target, limits } });
    assert.deepEqual([without.matching, without.blockers, without.digest], [undefined, undefined, plan.digest]);
    assert.match(without.warnings.join(), why);
  }
  const { proof, ...done } = await restoreKeys({
    ...{ ...place, programs: server.programs, vault, snapshot, pattern },
  });
  assert.equal(proof.hasCompared, true);
  assert.deepEqual(done, plan.matching);
  assert.notDeepEqual(after, changed);
});

test('what keeps a plan from counting is told, and keeps nobody from restoring; what a killed plan has left goes with the next one', async (t) => {
  const { vault, server, snapshot, take } = await captured(t, 'redis7');
  const newer = await testRedis(t, { kind: 'redis8' });
  await newer.cli('SET', 'key', 'value');
  const late = await take(newer, 2);
  const { server: by } = storedDetails(late);
  const target = { type: 'keys', pattern: '*', vault } as const;
  const [runs, small] = [await temporaryDirectory(t), await temporaryDirectory(t)];
  const isNotCounted = async (more: Partial<PlanRedisOptions>, of: SnapshotOnCopies, why: RegExp) => {
    const { plan } = await planned(t, server, of, { target, ...more });
    assert.deepEqual([plan.matching, plan.blockers], [undefined, undefined]);
    assert.match(plan.warnings.join(), why);
  };
  // It says that it is older than it is, so that only loading it tells.
  const claimed = { ...late, engine: { ...late.engine, server: { ...by, version: '7.0.0' } } } as SnapshotOnCopies;
  await isNotCounted({}, claimed, /was not counted: .*(does not load|RDB|version)/);

  const counting = path.join(runs, '.counting');
  await writeFile(counting, 'of somebody else');
  await isNotCounted({ runs }, snapshot, /was not counted: ENOTDIR/);
  await rm(counting);
  const hours = (count: number) => new Date(Date.now() - count * 3_600_000);
  for (const [name, at] of [
    ['restore-00000001', hours(0)],
    ['plan-00000001', hours(2)],
    ['plan-00000002', hours(0)],
  ] as const) {
    await mkdir(path.join(counting, name), { recursive: true });
    await writeFile(path.join(counting, name, 'dump.rdb'), 'of a plan that was killed');
    await utimes(path.join(counting, name), at, at);
  }
  await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small]);
  try {
    await ownTemporary(t, small);
    const { plan } = await planned(t, server, snapshot, { target, runs });
    assert.deepEqual([plan.blockers, plan.matching !== undefined], [undefined, true]);
  } finally {
    await run('umount', [small]);
  }
  // One that is young may be counting.
  assert.deepEqual(await readdir(counting), ['plan-00000002']);
});

test('a pattern that nothing matches is not found, with one to try: by the plan, and by a restore whose plan did not count, which leaves nothing behind', async (t) => {
  const { vault, server, snapshot, after } = await captured(t, 'redis7');
  const pattern = "String:o'brien*";
  const [runs, left] = [await temporaryDirectory(t), await ownTemporary(t)];
  const { plan } = await planned(t, server, snapshot, { target: { type: 'keys', pattern, vault } });
  const [blocker, ...more] = plan.blockers ?? [];
  assert.deepEqual([blocker?.code, more], ['NOT_FOUND', []]);
  const found = { message: new RegExp(`no key of 'redis/cache' as of .* \\(snapshot ${snapshot.id}\\) matches`) };
  assert.match(blocker?.message ?? '', found.message);
  const command = `holdfast restore redis/cache --to snapshot:${snapshot.id} --key '*String:o'\\''brien*' --dry-run`;
  assert.ok(blocker?.hint.includes(command), blocker?.hint);
  const place = { directory: path.join(runs, 'restore-00000001'), source: { url: server.url }, signal };
  const options = { ...place, programs: server.programs, vault, snapshot, pattern };
  await assert.rejects(restoreKeys(options), { code: 'NOT_FOUND', ...found });
  assert.deepEqual([await readdir(runs), await left()], [[], []]);
  assert.deepEqual(await contentAt(server.url), after);
});

test('a plan for a running server that cannot be asked names it, and what is in the way', async (t) => {
  const [tlsPort, nothing, authority] = [await freePort(), await freePort(), makeAuthority()];
  const issued = authority.issue('127.0.0.1');
  const directory = await temporaryDirectory(t);
  const file = (name: string) => path.join(directory, name);
  await writeFile(file('ca'), authority.certificate);
  await writeFile(file('other'), makeAuthority().certificate);
  await writeFile(file('certificate'), issued.certificate);
  await writeFile(file('key'), issued.key);
  const { vault, server, snapshot } = await captured(t, 'redis7', [
    ...[`tls-port ${tlsPort}`, `tls-cert-file ${file('certificate')}`, `tls-key-file ${file('key')}`],
    ...[`tls-ca-cert-file ${file('ca')}`, 'tls-auth-clients no'],
  ]);
  await server.cli('ACL', 'SETUSER', 'nothing', 'on', '>secret', '-@all');
  await server.cli('ACL', 'SETUSER', 'some', 'on', '>secret', '-@all', '+info');
  const at = (login: string) => `redis://${login}127.0.0.1:${server.port}`;
  const [secure, ca] = [`rediss://127.0.0.1:${tlsPort}`, { caFile: file('ca') }];
  const cases = [
    [{ url: at('nothing:wrong@') }, 'REDIS_AUTH', /WRONGPASS/, /url/],
    [{ url: at('nothing:secret@') }, 'REDIS_PRIVILEGE', /read its state/, /\+info/],
    [{ url: at('some:secret@') }, 'REDIS_PRIVILEGE', /see who watches it|choose a database/, /\+client\|list|\+select/],
    [{ url: `redis://127.0.0.1:${nothing}` }, 'REDIS_UNREACHABLE', /ECONNREFUSED/, /is the server running/],
    [{ url: `redis://127.0.0.1:${tlsPort}` }, 'REDIS_UNREACHABLE', /without a word/, /`rediss:\/\/`/],
    [{ url: secure }, 'REDIS_UNREACHABLE', /certificate/, /'caFile'/],
    [{ url: secure, caFile: file('other') }, 'REDIS_UNREACHABLE', /certificate/, /'caFile'/],
  ] as const;
  for (const target of [{ type: 'live' }, { type: 'keys', pattern: '*', vault }] as const) {
    for (const [source, code, message, hint] of cases) {
      const { plan, text } = await planned(t, server, snapshot, { source, target });
      const where = source.url.replace(/\/\/.*@/, '//');
      const [blocker] = plan.blockers ?? [];
      assert.equal(blocker?.code, code, `${where} ${JSON.stringify(blocker)}`);
      assert.match(blocker?.message ?? '', message);
      assert.match(blocker?.hint ?? '', hint);
      assert.ok(text.includes(target.type === 'live' ? `all data of ${where}` : `and differ, in ${where}`), text);
      assert.doesNotMatch(text, / {2}is |in ;|undefined|secret|wrong@/);
    }
    const { plan } = await planned(t, server, snapshot, { source: { url: secure, ...ca }, target });
    assert.deepEqual(plan.blockers, undefined);
  }
  // It reads the beginning of TLS as a command whose end it waits for.
  await assert.rejects(RedisConnection.open({ url: `rediss://127.0.0.1:${server.port}`, ...ca }, { replyMs: 500 }), {
    ...{ code: 'REDIS_UNREACHABLE', message: /it took the connection, and no TLS was heard/, hint: /`redis:\/\/`/ },
  });
});
