// In place, only into the directory that the server works in, and only what it then has loaded counts: refused before it is stopped, or put back.

import assert from 'node:assert/strict';
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { start } from '../../../src/process/index.ts';
import {
  confirmInPlace,
  identify,
  planRedis,
  type RestoreInPlaceOptions,
  restoreInPlace,
  rollbackInPlace,
} from '../../../src/redis/index.ts';
import { serversIn } from '../../../src/redis/restore/directory-in-use.ts';
import { requireServerOf } from '../../../src/redis/restore/server-place.ts';
import { ready } from '../../../src/redis/throwaway/server.ts';
import { type Captured, captured, contentAt, LAYOUT } from '../../support/redis-restore.ts';
import { redisPrograms, testRedis } from '../../support/redis-server.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { waitFor } from '../../support/wait-for.ts';

const signal = new AbortController().signal;
const SAVING = ['save 3600 1'];

function options({ vault, server, snapshot }: Captured, started?: () => Promise<void>): RestoreInPlaceOptions {
  const { dataDirectory, programs, url } = server;
  return {
    ...{ vault, snapshot, programs, dataDirectory, run: 'restore-00000001', signal, source: { url } },
    layout: { ...LAYOUT, isAppendOnly: false },
    service: { stop: () => server.stop(), start: started ?? (() => server.start()) },
  };
}

async function untouched(setting: Captured, refused: RestoreInPlaceOptions, message: RegExp, code = 'TARGET_UNFIT') {
  const { server, after } = setting;
  const pid = server.pid();
  await assert.rejects(restoreInPlace(refused), { code, message });
  assert.equal(server.pid(), pid);
  assert.deepEqual(await contentAt(server.url), after);
}

test('the directory of another server, other names of files and another kind of persistence are refused while the server runs on', async (t) => {
  const setting = await captured(t, 'redis7', [...SAVING, 'dbfilename own.rdb']);
  const right = options(setting);
  const empty = await temporaryDirectory(t);
  await untouched(setting, { ...right, dataDirectory: empty }, /works in .*; it keeps its data in/);
  const other = await testRedis(t);
  await untouched(setting, { ...right, dataDirectory: other.dataDirectory }, /no such server of this host works in/);
  await untouched(setting, right, /its 'dbfilename' is 'own.rdb', and 'dump.rdb' by files.rdb/);
  const layout = { ...LAYOUT, rdbFile: 'own.rdb', isAppendOnly: true };
  await untouched(setting, { ...right, run: 'restore-00000002', layout }, /its 'appendonly' is 'no'/);
  // A user that may not ask is no reason to refuse: what is loaded in the end is compared.
  await setting.server.cli('ACL', 'SETUSER', 'least', 'on', '>least', '-@all', '+ping', '+info');
  const url = `redis://least:least@127.0.0.1:${setting.server.port}`;
  const connection = await setting.server.connect(url);
  const place = { dataDirectory: setting.server.dataDirectory, names: LAYOUT };
  const warnings = await requireServerOf(connection, await identify(connection), place);
  const appendOnly = requireServerOf(connection, await identify(connection), { ...place, isAppendOnly: true });
  await assert.rejects(appendOnly, { code: 'TARGET_UNFIT', message: /its 'appendonly' is 'no'/ });
  connection.close();
  // What was never brought in is not left in its directory.
  const staged = path.join(place.dataDirectory, '.holdfast', 'restore-00000002', 'new');
  await access(staged);
  await rollbackInPlace({ ...right, run: 'restore-00000002', layout });
  await assert.rejects(access(staged));
  assert.deepEqual(
    warnings.map((each) => /'(.*)'/.exec(each)?.[1]),
    ['config|get', 'client|list'],
  );
});

test('a replica is refused: what is brought in would not stay', async (t) => {
  const setting = await captured(t, 'redis7', SAVING);
  const primary = await testRedis(t);
  await primary.cli('ACL', 'SETUSER', 'default', '-psync', '-sync');
  await setting.server.cli('REPLICAOF', '127.0.0.1', String(primary.port));
  await untouched(setting, options(setting), /is a replica/, 'REDIS_UNFIT');
});

for (const [what, isAppendOnly] of [
  ['an RDB', false],
  ['append-only files', true],
] as const) {
  test(`a server that comes back with other data than ${what} that was brought in is given its own back`, async (t) => {
    const setting = await captured(t, 'redis8', isAppendOnly ? ['appendonly yes'] : SAVING);
    const { server, after } = setting;
    let starts = 0;
    const file = isAppendOnly ? 'appendonlydir' : 'dump.rdb';
    const place = options(setting, async () => {
      starts++;
      // It is as if it read another directory.
      if (starts === 1) await rm(path.join(server.dataDirectory, file), { recursive: true });
      await server.start();
    });
    const layout = { ...LAYOUT, isAppendOnly };
    await assert.rejects(restoreInPlace({ ...place, layout }), {
      code: 'ROLLED_BACK',
      message: /did not load what was brought in: .*the server loaded 0/,
    });
    assert.deepEqual(await contentAt(server.url), after);
  });
}

test('a server that has turned to append-only files since the restore has its own data back all the same; one that is stopped finds what is brought in, whichever it reads', async (t) => {
  const setting = await captured(t, 'redis7', SAVING);
  const { server, before, after, snapshot } = setting;
  const { dataDirectory } = server;
  const place = options(setting);
  await restoreInPlace(place);
  await server.cli('CONFIG', 'SET', 'appendonly', 'yes');
  await waitFor('the append-only files', async () => {
    const state = await server.cli('INFO', 'persistence');
    return /aof_rewrite_in_progress:0/.test(state) && /aof_rewrite_scheduled:0/.test(state);
  });
  await server.cli('CONFIG', 'REWRITE');
  await rollbackInPlace(place);
  assert.match(await server.cli('INFO', 'persistence'), /aof_enabled:1/);
  assert.deepEqual(await contentAt(server.url), after);
  // A new host: the same configuration, and nothing in the directory.
  await server.stop();
  for (const name of await readdir(dataDirectory)) await rm(path.join(dataDirectory, name), { recursive: true });
  const { service, ...empty } = place;
  assert.ok(service);
  const plan = await planRedis({
    ...{ run: 'restore-00000002', component: 'redis/cache', host: 'db1', requested: 'the latest', snapshot },
    ...{
      chosen: { id: snapshot.id, from: snapshot.from, to: snapshot.to, state: 'clean', copy: 'local' },
      warnings: [],
    },
    ...{ source: empty.source, programs: server.programs, runs: await temporaryDirectory(t) },
    places: [path.join(dataDirectory, '.holdfast')],
    signal: empty.signal,
    target: { type: 'stopped', dataDirectory, names: LAYOUT, hasService: false },
  });
  assert.match(plan.warnings.join(), /no server answers: .*it is given both/);
  const layout = { ...LAYOUT, isAppendOnly: plan.isAppendOnly ?? false };
  const byHand = { ...empty, run: 'restore-00000002', layout };
  await restoreInPlace(byHand);
  // Who starts it is a person, so what it reads is looked at when that person says that all is well.
  const isKept = async () => (await readdir(path.join(dataDirectory, '.holdfast', byHand.run))).includes('old');
  await assert.rejects(confirmInPlace(byHand), {
    code: 'JOURNAL_STATE',
    message: /nothing shows that a server has taken/,
  });
  const [broughtIn, aside] = [path.join(dataDirectory, 'appendonlydir'), path.join(dataDirectory, 'aside')];
  await rename(broughtIn, aside);
  await server.start();
  await assert.rejects(confirmInPlace(byHand), { code: 'CHECK_FAILED', message: /the server loaded 0/ });
  assert.equal(await isKept(), true);
  await server.stop();
  await rm(broughtIn, { recursive: true });
  await rename(aside, broughtIn);
  await server.start();
  assert.deepEqual(await contentAt(server.url), before);
  // Another start, after somebody wrote: its own account is of other data by then.
  await server.cli('SET', 'by a client', '1');
  await server.stop();
  await server.start();
  await confirmInPlace(byHand);
  assert.equal(await isKept(), false);
});

test('other data with as many keys is noticed by its samples', async (t) => {
  const setting = await captured(t, 'redis7', SAVING);
  const { server, before } = setting;
  const old = await readFile(await savedBy(setting));
  let starts = 0;
  const place = options(setting, async () => {
    starts++;
    if (starts === 1) await writeFile(path.join(server.dataDirectory, 'dump.rdb'), old);
    await server.start();
  });
  await assert.rejects(restoreInPlace(place), { code: 'ROLLED_BACK', message: /'string:raw'/ });
  assert.notDeepEqual(await contentAt(server.url), before);
});

/** The keys of the snapshot, with one other value. */
async function savedBy({ server, snapshot, vault }: Captured): Promise<string> {
  const directory = server.dataDirectory;
  await server.cli('DEL', 'made later');
  const reader = await vault.openSnapshot(snapshot.id);
  reader.close();
  await server.cli('SADD', 'set:intset', ...Array.from({ length: 100 }, (_, number) => String(number)));
  await server.cli('SAVE');
  return path.join(directory, 'dump.rdb');
}

test('clients that write as soon as the server is back are no reason to take the restore back', async (t) => {
  const setting = await captured(t, 'redis7', SAVING);
  const { server, before } = setting;
  const place = options(setting, async () => {
    await server.start();
    await server.cli('SET', 'string:raw', 'by a client');
    await server.cli('DEL', 'zset:geo');
  });
  await restoreInPlace(place);
  const there = await contentAt(server.url);
  const isTouched = (line: string) => /"string:raw"|"zset:geo"/.test(line);
  assert.deepEqual(
    there.filter((line) => !isTouched(line)),
    before.filter((line) => !isTouched(line)),
  );
  await rollbackInPlace({ ...place, service: { ...place.service!, start: () => server.start() } });
});

test('a server in a container of its own is found by the directory itself', async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const place = await temporaryDirectory(t);
  const inside = path.join(place, 'data');
  await mkdir(inside);
  const file = path.join(place, 'redis.conf');
  const socket = path.join(place, 's');
  await writeFile(file, `port 0\nunixsocket ${socket}\ndir ${inside}\nsave ""\n`);
  const program = path.join(redisPrograms('redis7'), 'redis-server');
  const script = `mount --bind ${dataDirectory} ${inside} && exec ${program} ${file}`;
  const command = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script];
  const container = await start('unshare', command, { logFile: path.join(place, 'log') });
  t.after(() => container.stop({ signal: 'SIGKILL' }).then(() => undefined));
  const connection = await waitFor('the server to answer', () => ready(`unix://${socket}`));
  const servers = await serversIn(dataDirectory);
  assert.deepEqual(
    servers.map(({ ownPid }) => ownPid),
    [1],
  );
  assert.notEqual(servers[0]?.pid, 1);
  // On this side of the mount the directory of that name is another one.
  assert.deepEqual(await serversIn(inside), []);
  const identity = await identify(connection);
  assert.deepEqual(await requireServerOf(connection, identity, { dataDirectory, names: LAYOUT }), []);
  await assert.rejects(requireServerOf(connection, identity, { dataDirectory: inside, names: LAYOUT }), {
    code: 'TARGET_UNFIT',
  });
  // The first process of every other container counts itself by the same number.
  const stranger = { ...identity, uptimeSeconds: (identity.uptimeSeconds ?? 0) + 60 };
  await assert.rejects(requireServerOf(connection, stranger, { dataDirectory, names: LAYOUT }), {
    code: 'TARGET_UNFIT',
    message: /is process 1 of a container and runs for \d+ s, and the one that works in .*: it is another one/,
  });
  connection.close();
  await assert.rejects(access(path.join(inside, 'dump.rdb')));
});

test('a server that has changes in memory alone and saves nothing when it stops is refused, by the plan and before the stop; one that has save points is not', async (t) => {
  const setting = await captured(t, 'redis7');
  const { server, snapshot, after } = setting;
  const { dataDirectory, programs } = server;
  const right = options(setting);
  const { id, from, to } = snapshot;
  const planned = async (url = server.url) =>
    await planRedis({
      ...{ run: right.run, component: 'redis/cache', host: 'db1', requested: 'the latest', snapshot, signal },
      ...{ chosen: { id, from, to, state: 'clean', copy: 'local' }, warnings: [], source: { url }, programs },
      ...{ runs: await temporaryDirectory(t), places: [path.join(dataDirectory, '.holdfast')] },
      target: { type: 'stopped', dataDirectory, names: LAYOUT, hasService: true },
    });
  const changes = /rdb_changes_since_last_save:(\d+)/.exec(await server.cli('INFO', 'persistence'))?.[1];
  const message = new RegExp(`has ${changes} changes since its last save and saves nothing when it stops`);
  const { blockers: [blocker, ...more] = [] } = await planned();
  assert.deepEqual([blocker?.code, more], ['TARGET_UNFIT', []]);
  assert.match(blocker?.message ?? '', message);
  assert.match(blocker?.hint ?? '', /`redis-cli CONFIG SET save "3600 1"` .* `--live`/);
  await untouched(setting, right, message);
  // One that may not ask for it does not know.
  await server.cli('ACL', 'SETUSER', 'least', 'on', '>least', '-@all', '+ping', '+info', '+client|list');
  const unknown = await planned(`redis://least:least@127.0.0.1:${server.port}`);
  assert.equal(unknown.blockers, undefined);
  assert.match(unknown.warnings.join(), new RegExp(`may not ask whether .* saves when it stops .* ${changes} changes`));
  // What the hint says.
  await server.cli('CONFIG', 'SET', 'save', '3600 1');
  const free = await planned();
  assert.deepEqual([free.blockers, free.warnings], [undefined, []]);
  await server.cli('CONFIG', 'SET', 'save', '');
  await server.cli('SAVE');
  assert.deepEqual((await planned()).blockers, undefined);
  await server.cli('SET', 'made later', '2');
  assert.match((await planned()).blockers?.[0]?.message ?? '', /has 1 change since/);
  await server.cli('SET', 'made later', '1');
  await server.cli('CONFIG', 'SET', 'save', '3600 1');
  await restoreInPlace(right);
  await rollbackInPlace(right);
  assert.deepEqual(await contentAt(server.url), after);
});
