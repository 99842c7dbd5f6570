// Restores of real servers: beside, live and by pattern; each undone again, each refused where it must be.

import assert from 'node:assert/strict';
import { access, appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { isAlive, run, start, stopByPid } from '../../../src/process/index.ts';
import {
  confirmKeys,
  confirmLive,
  planKeys,
  type RestoreBesideOptions,
  type RestoreKeysOptions,
  restoreBeside,
  restoreKeys,
  restoreLive,
  rollbackKeys,
  rollbackLive,
  runningBeside,
  stopBeside,
  undoBeside,
} from '../../../src/redis/index.ts';
import { IN_FLIGHT_BYTES, LARGEST_BYTES, matchingNames, valuesOf } from '../../../src/redis/restore/matching-keys.ts';
import type { SnapshotOnCopies } from '../../../src/vault/index.ts';
import { redisSetting } from '../../support/redis-capture.ts';
import { captured, contentAt, dying, livePlace } from '../../support/redis-restore.ts';
import { redisKinds, type TestRedis, testRedis } from '../../support/redis-server.ts';
import { freePort } from '../../support/scratch-postgres.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { waitFor } from '../../support/wait-for.ts';

const signal = new AbortController().signal;

test('beside: the same content in a new directory, on a private socket; nothing is written over, and a later attempt takes over', async (t) => {
  const { vault, server, snapshot, before, after } = await captured(t, 'redis8');
  const directory = path.join(await temporaryDirectory(t), 'beside');
  const { programs } = server;
  const options = { vault, snapshot, run: 'restore-00000001', directory, programs, start: true, signal };
  const restored = await restoreBeside(options);
  t.after(() => stopByPid(restored.server!.identity).then(() => undefined));
  assert.deepEqual(await contentAt(restored.server!.url), before);
  assert.deepEqual((await restoreBeside(options)).server, restored.server);
  assert.deepEqual(await contentAt(server.url), after);
  const configuration = await readFile(restored.configuration, 'utf8');
  assert.match(configuration, /^port 0$/m);
  // Another run finds no place there, and its undoing leaves the server and the files alone.
  const other = { ...options, run: 'restore-00000002' };
  await assert.rejects(restoreBeside(other), { code: 'TARGET_UNFIT', message: /not empty/ });
  await undoBeside(directory, other.run);
  assert.equal(await stopBeside(directory, other.run), false);
  assert.deepEqual(await contentAt(restored.server!.url), before);
  const full = await temporaryDirectory(t);
  await writeFile(path.join(full, 'dump.rdb'), 'of somebody else');
  await assert.rejects(restoreBeside({ ...options, directory: full }), { code: 'TARGET_UNFIT', message: /not empty/ });
  assert.equal(await readFile(path.join(full, 'dump.rdb'), 'utf8'), 'of somebody else');
  const ofFiles = { ...snapshot, kind: 'files', component: 'files/uploads' } as SnapshotOnCopies;
  await assert.rejects(restoreBeside({ ...options, snapshot: ofFiles }), { code: 'NO_SNAPSHOT', message: /'files'/ });
  await assert.rejects(restoreBeside({ ...options, directory: path.join(full, 'd'.repeat(120)) }), {
    code: 'TARGET_UNFIT',
  });
  await undoBeside(directory, options.run);
  await assert.rejects(access(directory));
  await leftInTheMiddle(t, options, before);
});

/** As by attempts that were killed while their server was loading: it answers nothing else by then. */
async function leftInTheMiddle(t: TestContext, options: RestoreBesideOptions, before: readonly string[]) {
  const { directory, run: name, programs = '' } = options;
  const loading = async () => {
    const { configuration } = await restoreBeside({ ...options, start: false });
    await appendFile(configuration, 'key-load-delay 200000\nloading-process-events-interval-bytes 1024\n');
    const logFile = path.join(directory, 'redis.log');
    const said = () => readFile(logFile, 'utf8').catch(() => '');
    // An earlier server has written there too.
    const { length } = await said();
    const child = await start(path.join(programs, 'redis-server'), [configuration], { logFile, cwd: directory });
    await waitFor('it to load', async () => /Loading RDB/.test((await said()).slice(length)));
    for (const part of ['dump.rdb.0a1b.holdfast-part', 'dump.rdb.part'])
      await writeFile(path.join(directory, part), 'part');
    await mkdir(path.join(directory, '.aof'), { recursive: true });
    await writeFile(path.join(directory, '.aof', 'part'), 'part');
    return child;
  };
  const first = await loading();
  const { server } = await restoreBeside(options);
  t.after(() => stopByPid(server!.identity).then(() => undefined));
  assert.equal(await isAlive(first.identity.pid, first.identity.startTime), false);
  assert.notEqual(server?.identity.pid, first.identity.pid);
  assert.deepEqual(await contentAt(server!.url), before);
  assert.equal(await stopBeside(directory, name), true);
  const second = await loading();
  assert.deepEqual(await runningBeside(directory), second.identity);
  await undoBeside(directory, name);
  assert.equal(await isAlive(second.identity.pid, second.identity.startTime), false);
  await assert.rejects(access(directory));
}

test('beside on a disk that is too small is refused with the numbers before anything is written', async (t) => {
  const { vault, server, snapshot } = await captured(t, 'redis7');
  const small = await temporaryDirectory(t);
  await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small]);
  try {
    const directory = path.join(small, 'beside');
    const { programs } = server;
    const options = { vault, snapshot, run: 'restore-00000001', directory, programs, start: false, signal };
    await assert.rejects(restoreBeside(options), { code: 'NO_SPACE', message: /needs .* are free/ });
    await assert.rejects(access(path.join(directory, 'dump.rdb')));
  } finally {
    await run('umount', [small]);
  }
});

for (const kind of redisKinds) {
  test(`live: the running ${kind} takes the snapshot without a restart, and gives back what it had`, async (t) => {
    const { vault, server, snapshot, before, after } = await captured(t, kind);
    const place = await livePlace(t, server);
    const pid = server.pid();
    const comparison = await restoreLive({ ...place, vault, snapshot });
    assert.deepEqual(comparison.differences, []);
    assert.deepEqual(await contentAt(server.url), before);
    assert.match(await server.cli('INFO'), /role:master/);
    assert.equal(await server.cli('SET', 'written', 'again'), 'OK\n');
    await rollbackLive(place);
    assert.deepEqual(await contentAt(server.url), after);
    assert.equal(server.pid(), pid);
    // What was written in between is kept too.
    await access(path.join(place.directory, 'replaced', 'dump.rdb'));
    await assert.rejects(confirmLive(place), { code: 'JOURNAL_STATE' });
    const next = { ...place, directory: `${place.directory}-next` };
    await restoreLive({ ...next, vault, snapshot });
    await confirmLive(next);
    await assert.rejects(rollbackLive(next), { code: 'JOURNAL_STATE' });
    assert.deepEqual((await readdir(next.directory)).sort(), ['journal.jsonl', 'lock']);
  });
}

test('live: writers wait and lose nothing of what they write afterwards; a replica of the server follows through both changes', async (t) => {
  const { vault, server, snapshot, before } = await captured(t, 'redis7');
  const replica = await testRedis(t, { settings: [`replicaof 127.0.0.1 ${server.port}`] });
  await waitFor('the replica to be in step', async () => /master_link_status:up/.test(await replica.cli('INFO')));
  const stop = new AbortController();
  const written: number[] = [];
  const writing = (async () => {
    const writer = await server.connect();
    for (let number = 0; !stop.signal.aborted; number++) {
      await writer.call('write', 'SET', 'counter', number);
      written.push(number);
    }
    writer.close();
  })();
  await restoreLive({ ...(await livePlace(t, server)), vault, snapshot });
  const soFar = written.length;
  await waitFor('writers to go on', () => written.length > soFar + 10);
  stop.abort();
  await writing;
  assert.equal(await server.cli('GET', 'counter'), `${written.at(-1)}\n`);
  await server.cli('DEL', 'counter');
  assert.deepEqual(await contentAt(server.url), before);
  await waitFor('the replica to be in step again', async () => {
    const isUp = /master_link_status:up/.test(await replica.cli('INFO'));
    return isUp && JSON.stringify(await contentAt(replica.url)) === JSON.stringify(before);
  });
});

test('live is refused, with nothing touched, on a replica, under Sentinel, on another life of the server, and by an older server', async (t) => {
  const { vault, server, snapshot, after, take } = await captured(t, 'redis7');
  const place = await livePlace(t, server);
  await assert.rejects(restoreLive({ ...place, vault, snapshot, runId: 'another' }), { code: 'REDIS_IDENTITY' });
  const replica = await testRedis(t, { settings: [`replicaof 127.0.0.1 ${server.port}`] });
  const there = await livePlace(t, replica);
  await assert.rejects(restoreLive({ ...there, vault, snapshot }), { code: 'REDIS_UNFIT', message: /is a replica/ });
  const newer = await testRedis(t, { kind: 'redis8' });
  await newer.cli('SET', 'key', 'value');
  const late = await take(newer, 2);
  await assert.rejects(restoreLive({ ...place, vault, snapshot: late }), {
    code: 'REDIS_UNFIT',
    message: /cannot read/,
  });
  const directory = await temporaryDirectory(t);
  const port = await freePort();
  const file = path.join(directory, 'sentinel.conf');
  await writeFile(file, `port ${port}\ndir ${directory}\nsentinel monitor main 127.0.0.1 ${server.port} 1\n`);
  const logFile = path.join(directory, 'log');
  const sentinel = await start(path.join(server.programs, 'redis-server'), [file, '--sentinel'], { logFile });
  t.after(() => sentinel.stop({ signal: 'SIGKILL' }).then(() => undefined));
  await waitFor('Sentinel to watch it', async () => /name=sentinel-/.test(await server.cli('CLIENT', 'LIST')));
  await assert.rejects(restoreLive({ ...place, vault, snapshot }), { code: 'REDIS_UNFIT', message: /Sentinel/ });
  const watched = { server: { source: { url: `redis://127.0.0.1:${port}` }, programs: server.programs } };
  await assert.rejects(take(server, 3, watched), { code: 'REDIS_UNFIT', message: /is a Sentinel/ });
  assert.deepEqual(await contentAt(server.url), after);
});

test('live: what fails in the middle is rolled back; a run that is killed there goes on, or is rolled back by another process', async (t) => {
  const { vault, server, snapshot, before, after, made } = await captured(t, 'redis7');
  const place = await livePlace(t, server);
  const journalOf = (directory: string) => readFile(path.join(directory, 'journal.jsonl'), 'utf8').catch(() => '');
  // The snapshot that is served is not the one that was proven: the comparison in the server must notice.
  const check = async () => {
    const other = path.join(await temporaryDirectory(t), 'other.rdb');
    await server.cli('--rdb', other);
    await writeFile(path.join(place.directory, 'new', 'dump.rdb'), await readFile(other));
  };
  let isDone = false;
  const once = async () => {
    if (isDone || !(await journalOf(place.directory)).includes('"keep"')) return;
    isDone = true;
    await check();
  };
  await assert.rejects(restoreLive({ ...place, vault, snapshot, check: once }), {
    code: 'ROLLED_BACK',
    message: /not what was captured/,
  });
  assert.deepEqual(await contentAt(server.url), after);
  const killed = async (directory: string) => {
    const asked = { what: 'live', action: 'restore', directory, run: 'restore-00000002' } as const;
    // Before the server is told where to take the data from.
    assert.ok(await dying({ made, server }, { ...asked, at: { line: 4 } }));
    assert.match(await journalOf(directory), /"replace","state":"begin"/);
  };
  const second = { ...place, directory: `${place.directory}-second` };
  await killed(second.directory);
  await restoreLive({ ...second, vault, snapshot });
  assert.deepEqual(await contentAt(server.url), before);
  await rollbackLive(second);
  assert.deepEqual(await contentAt(server.url), after);
  const third = { ...place, directory: `${place.directory}-third` };
  await killed(third.directory);
  await rollbackLive(third);
  assert.deepEqual(await contentAt(server.url), after);
});

test('by pattern: only what matches and differs is replaced, a rollback puts each value and expiry back, in every database', async (t) => {
  const { vault, server, snapshot, before, after } = await captured(t, 'redis7');
  await server.cli('PEXPIREAT', 'string:embstr', String(Date.now() + 7_200_000));
  await server.cli('SET', 'string:surplus', '1');
  const changed = await contentAt(server.url);
  const place = {
    directory: path.join(await temporaryDirectory(t), 'state'),
    source: { url: server.url },
    programs: server.programs,
    signal,
  };
  const options = { ...place, vault, snapshot, pattern: '*:*' };
  const plan = await restoreKeys(options);
  assert.equal(plan.surplus, 1);
  assert.equal(plan.create, 1);
  assert.ok(plan.replace >= 2 && plan.replace < plan.matching, JSON.stringify(plan));
  // 'made later' does not match, and what surplus there is stays.
  const expected = [...before, ...changed.filter((line) => /made later|string:surplus/.test(line))].sort();
  assert.deepEqual(await contentAt(server.url), expected);
  assert.deepEqual(await restoreKeys(options), plan);
  await rollbackKeys(place);
  assert.deepEqual(await contentAt(server.url), changed);
  await writtenBetween(options, server, changed);
  await assert.rejects(confirmKeys(place), { code: 'JOURNAL_STATE' });
  assert.notDeepEqual(after, changed);
});

/** What clients make of keys that are on the list is kept, whenever they do it. */
async function writtenBetween(options: RestoreKeysOptions, server: TestRedis, changed: readonly string[]) {
  const place = { ...options, directory: `${options.directory}-next` };
  await planKeys(place);
  await server.cli('SET', 'string:raw', 'after the list was made');
  await restoreKeys(place);
  const restored = await contentAt(server.url);
  // As by another attempt whose one before was killed before it could say that it is done.
  const journal = path.join(place.directory, 'journal.jsonl');
  const lines = (await readFile(journal, 'utf8')).split('\n');
  await writeFile(journal, lines.filter((line) => !line.includes('"replace","state":"done"')).join('\n'));
  await server.cli('SET', 'string:raw', 'between two attempts');
  await restoreKeys(place);
  assert.deepEqual(await contentAt(server.url), restored);
  await server.cli('SET', 'string:raw', 'after the restore');
  await rollbackKeys(place);
  assert.deepEqual(await contentAt(server.url), changed);
  const kept = (await readFile(path.join(place.directory, 'replaced.jsonl'), 'utf8')).trimEnd().split('\n');
  for (const [number, line] of kept
    .map((each) => JSON.parse(each) as { key: string; value: string; expiresAtMs: number })
    .filter(({ key }) => Buffer.from(key, 'base64').toString() === 'string:raw')
    .entries()) {
    const text = ['after the list was made', 'between two attempts', 'after the restore'][number] ?? 'nothing';
    assert.ok(Buffer.from(line.value, 'base64').includes(text), text);
    if (number === 2) return;
  }
  assert.fail(`not everything was kept: ${kept.length} lines`);
}

test('by pattern: values are read a few at a time, whatever they take, and one that is too large is refused by name before anything is written', async (t) => {
  const server = await testRedis(t);
  const { vault, take } = await redisSetting(t);
  const connection = await server.connect();
  const value = (byte: number) => Buffer.alloc(1024 * 1024, byte);
  for (let number = 0; number < 60; number++) await connection.call('fill', 'SET', `big:${number}`, value(number));
  const before = await contentAt(server.url);
  const snapshot = await take(server, 1);
  for (let number = 0; number < 60; number++) await connection.call('fill', 'SET', `big:${number}`, value(number + 1));
  const changed = await contentAt(server.url);
  const [target, source] = [await server.connect(), await server.connect()];
  const groups: number[] = [];
  for await (const names of matchingNames(source, 'big:*')) {
    await target.call('choose a database', 'SELECT', names.database);
    for await (const group of valuesOf(target, names))
      groups.push(group.reduce((sum, each) => sum + each.value.length, 0));
  }
  assert.ok(groups.length >= 4 && Math.max(...groups) <= IN_FLIGHT_BYTES, groups.join(' '));
  const { programs } = server;
  const place = {
    directory: path.join(await temporaryDirectory(t), 'state'),
    source: { url: server.url },
    programs,
    signal,
  };
  const plan = await restoreKeys({ ...place, vault, snapshot, pattern: 'big:*' });
  assert.deepEqual([plan.matching, plan.replace], [60, 60]);
  assert.deepEqual(await contentAt(server.url), before);
  await rollbackKeys(place);
  assert.deepEqual(await contentAt(server.url), changed);
  await connection.call('fill', 'SETRANGE', 'big:7', LARGEST_BYTES, 'x');
  const next = { ...place, directory: `${place.directory}-next`, vault, snapshot, pattern: 'big:*' };
  await assert.rejects(restoreKeys(next), { code: 'REDIS_UNFIT', message: /key 'big:7' of database 0 .* takes/ });
  await connection.call('fill', 'SET', 'big:7', value(8));
  assert.deepEqual(await contentAt(server.url), changed);
  for (const each of [connection, target, source]) each.close();
});

test('by pattern without the right to write, or into an older server, is refused and changes nothing', async (t) => {
  const { vault, server, snapshot, after } = await captured(t, 'redis7');
  await server.cli('ACL', 'SETUSER', 'reader', 'on', '>secret', '~*', '+@read', '+info', '+select');
  const source = { url: `redis://reader:secret@127.0.0.1:${server.port}` };
  const place = {
    directory: path.join(await temporaryDirectory(t), 'state'),
    source,
    programs: server.programs,
    signal,
  };
  await assert.rejects(restoreKeys({ ...place, vault, snapshot, pattern: '*' }), {
    code: 'REDIS_PRIVILEGE',
    hint: /\+restore|\+unlink/,
  });
  assert.deepEqual(await contentAt(server.url), after);
});
