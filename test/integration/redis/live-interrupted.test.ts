// Live restores that were cut off, or that the server does not go along with: what clients wrote since is kept, the first state is put back, and nobody waits for ever.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { access, appendFile, readdir, readFile, rename, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { HoldfastError } from '../../../src/errors/index.ts';
import { run } from '../../../src/process/index.ts';
import { restoreLive, rollbackLive } from '../../../src/redis/index.ts';
import { isThere } from '../../../src/system/index.ts';
import { captured, contentAt, dying, livePlace } from '../../support/redis-restore.ts';
import { testRedis } from '../../support/redis-server.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { waitFor } from '../../support/wait-for.ts';

/** Lines of the journal: prepare (begin, done), keep, replace (begin), serve, send, replace (done), verify. */
const SENDING = 6;
const KEPT = 3;
const WHAT = { what: 'live', run: 'restore-00000001' } as const;

test('a restore that was killed goes on by itself when nobody touched the server, and is done once', async (t) => {
  const setting = await captured(t, 'redis7');
  const { vault, server, snapshot, before, after } = setting;
  const place = await livePlace(t, server);
  const { directory } = place;
  assert.ok(await dying(setting, { ...WHAT, directory, action: 'restore', at: { line: SENDING } }));
  assert.match(await server.cli('INFO', 'replication'), /role:slave/);
  const comparison = await restoreLive({ ...place, vault, snapshot });
  assert.deepEqual(await contentAt(server.url), before);
  // Nothing but we has written: there is nothing to set aside.
  await assert.rejects(access(path.join(directory, 'replaced')));
  // Another attempt after the end, as when the answer of the first was lost, leaves what clients write alone.
  await server.cli('SET', 'written', 'since');
  assert.deepEqual(await restoreLive({ ...place, vault, snapshot }), comparison);
  assert.equal(await server.cli('GET', 'written'), 'since\n');
  await rollbackLive(place);
  assert.deepEqual(await contentAt(server.url), after);
});

test('what an attempt before kept, and nothing was sent of, takes no room from the next', async (t) => {
  const setting = await captured(t, 'redis7');
  const { vault, server, snapshot, before } = setting;
  const disk = await temporaryDirectory(t);
  await run('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', disk]);
  try {
    const directory = path.join(disk, 'state');
    const place = { ...(await livePlace(t, server)), directory };
    assert.ok(await dying(setting, { ...WHAT, directory, action: 'restore', at: { line: KEPT } }));
    // As of one that was killed while it kept much more: the journal has room, and nothing else.
    const { bavail, bsize } = await statfs(disk);
    await writeFile(path.join(directory, 'kept', 'dump.rdb.part'), Buffer.alloc(bavail * bsize - 64 * 1024));
    await restoreLive({ ...place, vault, snapshot });
    assert.deepEqual(await contentAt(server.url), before);
  } finally {
    await run('umount', ['--lazy', disk]);
  }
});

test('what was written to a server that somebody promoted between two attempts is set aside by the next; the first state stays what is put back', async (t) => {
  const setting = await captured(t, 'redis7');
  const { vault, server, snapshot, before, after } = setting;
  const place = await livePlace(t, server);
  const { directory } = place;
  const bytesOf = (name: string) => readFile(path.join(directory, name, 'dump.rdb'));
  assert.ok(await dying(setting, { ...WHAT, directory, action: 'restore', at: { line: SENDING } }));
  const kept = await bytesOf('kept');
  await server.cli('REPLICAOF', 'NO', 'ONE');
  // As the pause of a process that is dead ends by itself.
  await server.cli('CLIENT', 'UNPAUSE');
  await server.cli('SET', 'first-since', '1');
  await restoreLive({ ...place, vault, snapshot });
  assert.deepEqual(await contentAt(server.url), before);
  assert.ok((await bytesOf('replaced')).includes('first-since'));
  assert.ok((await bytesOf('kept')).equals(kept));
  // The same of a rollback, and of one that is made again: neither writes over what is kept.
  await server.cli('SET', 'second-since', '1');
  const first = await bytesOf('replaced');
  assert.ok(await dying(setting, { ...WHAT, directory, action: 'rollback', at: { line: 2 } }));
  assert.match(await server.cli('INFO', 'replication'), /role:master/);
  await server.cli('CLIENT', 'UNPAUSE');
  await server.cli('SET', 'third-since', '1');
  await rollbackLive(place);
  assert.deepEqual(await contentAt(server.url), after);
  assert.ok((await bytesOf('replaced')).equals(first));
  assert.ok((await bytesOf('replaced.1')).includes('second-since'));
  assert.ok((await bytesOf('replaced.2')).includes('third-since'));
});

test('a server that somebody made a replica of another one is left alone, and can be rolled back once that is undone', async (t) => {
  const setting = await captured(t, 'redis7');
  const { vault, server, snapshot, after } = setting;
  const place = await livePlace(t, server);
  const { directory } = place;
  assert.ok(await dying(setting, { ...WHAT, directory, action: 'restore', at: { line: SENDING } }));
  const other = await testRedis(t);
  // It takes nothing of it, so that the end can be compared.
  await other.cli('ACL', 'SETUSER', 'default', '-psync', '-sync');
  await server.cli('REPLICAOF', '127.0.0.1', String(other.port));
  await assert.rejects(restoreLive({ ...place, vault, snapshot }), { code: 'STUCK', message: /not of us/ });
  await assert.rejects(rollbackLive(place), { code: 'REDIS_UNFIT', message: /not of us/ });
  assert.match(await server.cli('INFO', 'replication'), new RegExp(`master_port:${other.port}`));
  await server.cli('REPLICAOF', 'NO', 'ONE');
  await rollbackLive(place);
  assert.deepEqual(await contentAt(server.url), after);
});

test('a replica of ours that takes writes is one that clients may have written to: it is set aside before anything goes back', async (t) => {
  const setting = await captured(t, 'redis7');
  const { vault, server, snapshot, after } = setting;
  const place = await livePlace(t, server);
  const { directory } = place;
  await server.cli('CONFIG', 'SET', 'replica-read-only', 'no');
  await assert.rejects(restoreLive({ ...place, vault, snapshot }), {
    code: 'REDIS_UNFIT',
    message: /replica-read-only/,
  });
  await server.cli('CONFIG', 'SET', 'replica-read-only', 'yes');
  assert.ok(await dying(setting, { ...WHAT, directory, action: 'restore', at: { line: SENDING } }));
  await server.cli('CONFIG', 'SET', 'replica-read-only', 'no');
  await server.cli('CLIENT', 'UNPAUSE');
  assert.equal(await server.cli('SET', 'written-to-a-replica', '1'), 'OK\n');
  await assert.rejects(restoreLive({ ...place, vault, snapshot }), { code: 'STUCK', message: /replica-read-only/ });
  assert.equal(await server.cli('GET', 'written-to-a-replica'), '1\n');
  await server.cli('CONFIG', 'SET', 'replica-read-only', 'yes');
  await rollbackLive(place);
  assert.deepEqual(await contentAt(server.url), after);
  assert.ok((await readFile(path.join(directory, 'replaced', 'dump.rdb'))).includes('written-to-a-replica'));
});

test('a server that was ended in the middle, and reads its data still, is waited for before the way back', async (t) => {
  const setting = await captured(t, 'redis7', ['save 3600 1']);
  const { server, after } = setting;
  const place = await livePlace(t, server);
  assert.ok(await dying(setting, { ...WHAT, directory: place.directory, action: 'restore', at: { line: SENDING } }));
  await server.stop();
  await assert.rejects(rollbackLive({ ...place, limits: { awayMs: 100 } }), { code: 'REDIS_UNREACHABLE' });
  await appendFile(server.configuration, 'key-load-delay 60000\nloading-process-events-interval-bytes 1024\n');
  const started = server.start();
  const isLoading = async () => /loading:1/.test(await server.cli('INFO', 'persistence').catch(() => ''));
  await waitFor('it to read its data', isLoading);
  const rolledBack = rollbackLive(place);
  rolledBack.catch(() => undefined);
  await waitFor('it to have read its data', async () => !(await isLoading()));
  await server.cli('CONFIG', 'SET', 'key-load-delay', '0');
  await rolledBack;
  await started;
  assert.deepEqual(await contentAt(server.url), after);
});

test('a server that cannot reach us is writable again soon, and nothing of it is replaced', async (t) => {
  const { vault, server, snapshot } = await captured(t, 'redis7');
  const source = { url: `redis://127.0.0.1:${server.port}` };
  const place = { ...(await livePlace(t, server)), source };
  // It comes from another address than the one that we know it at, as through a gateway.
  await server.cli('CONFIG', 'SET', 'bind-source-addr', '127.0.0.2');
  const written = await contentAt(server.url);
  await assert.rejects(restoreLive({ ...place, vault, snapshot, limits: { askMs: 1_500 } }), {
    code: 'ROLLED_BACK',
    message: /does not ask us for the data/,
  });
  assert.match(await server.cli('INFO', 'replication'), /role:master/);
  assert.deepEqual(await contentAt(server.url), written);
  assert.match(await readFile(path.join(place.directory, 'journal.jsonl'), 'utf8'), /"rollback","state":"done"/);
  await assert.rejects(access(path.join(place.directory, 'replaced')));
  await server.cli('CONFIG', 'SET', 'bind-source-addr', '');
  const next = { ...place, directory: `${place.directory}-next` };
  await restoreLive({ ...next, vault, snapshot });
  // It can be asked again and again to take what is kept: what it has is set aside once, and again only when somebody has written.
  await server.cli('CONFIG', 'SET', 'bind-source-addr', '127.0.0.2');
  const refused = async () => {
    const limits = { askMs: 1_500 };
    await assert.rejects(rollbackLive({ ...next, limits }), { code: 'RECOVERY_FAILED', message: /does not ask us/ });
    return (await readdir(next.directory)).filter((name) => name.startsWith('replaced')).sort();
  };
  await server.cli('SET', 'first-since', '1');
  for (const _ of [1, 2]) assert.deepEqual(await refused(), ['replaced']);
  await server.cli('SET', 'second-since', '1');
  assert.deepEqual(await refused(), ['replaced', 'replaced.1']);
  assert.ok((await readFile(path.join(next.directory, 'replaced.1', 'dump.rdb'))).includes('second-since'));
  await server.cli('CONFIG', 'SET', 'bind-source-addr', '');
  await rollbackLive(next);
  assert.deepEqual(await contentAt(server.url), written);
});

test('a server that comes for the data again and again is given up after a few times, and has its own back', async (t) => {
  const { vault, server, snapshot, after } = await captured(t, 'redis7');
  const place = await livePlace(t, server);
  const served = path.join(place.directory, 'new', 'dump.rdb');
  let isBroken = false;
  const check = async () => {
    const journal = await readFile(path.join(place.directory, 'journal.jsonl'), 'utf8').catch(() => '');
    if (isBroken || !journal.includes('"keep"')) return;
    isBroken = true;
    // Of a version that no server loads: it drops what it has, fails, and asks again.
    const bytes = await readFile(served);
    await writeFile(`${served}.other`, Buffer.concat([Buffer.from('REDIS0099'), bytes.subarray(9)]));
    await rename(`${served}.other`, served);
  };
  await assert.rejects(restoreLive({ ...place, vault, snapshot, check }), {
    code: 'ROLLED_BACK',
    message: /has asked \d+ times for the data and did not take it/,
  });
  assert.deepEqual(await contentAt(server.url), after);
});

test('what clients wrote because the pause had ended while the worker stood still is replaced by neither a restore nor a rollback', async (t) => {
  const { vault, server, snapshot, before, after } = await captured(t, 'redis7');
  const place = { ...(await livePlace(t, server)), limits: { pauseMs: 500 } };
  // Nothing of this process runs until the server lets somebody write.
  const standingStill = (directory: string, mark: RegExp, key: string) => {
    let isDone = false;
    return async () => {
      const journal = await readFile(path.join(directory, 'journal.jsonl'), 'utf8').catch(() => '');
      if (isDone || !mark.test(journal)) return;
      isDone = true;
      execFileSync(path.join(server.programs, 'redis-cli'), ['-s', server.socket, 'SET', key, '1']);
    };
  };
  const check = standingStill(place.directory, /"keep"/, 'first-between');
  await assert.rejects(restoreLive({ ...place, vault, snapshot, check }), {
    code: 'ROLLED_BACK',
    message: /the pause of the writers of .* ended by itself/,
  });
  assert.equal(await server.cli('DEL', 'first-between'), '1\n');
  assert.deepEqual(await contentAt(server.url), after);
  const next = { ...(await livePlace(t, server)) };
  await restoreLive({ ...next, vault, snapshot });
  let asked = 0;
  const still = standingStill(next.directory, /"rollback"/, 'second-between');
  const inside = async () => {
    if (await isThere(path.join(next.directory, 'replaced', 'dump.rdb'))) asked++;
    if (asked > 0) await still();
  };
  await assert.rejects(rollbackLive({ ...next, limits: { pauseMs: 500 }, check: inside }), {
    code: 'RECOVERY_FAILED',
    message: /ended by itself/,
  });
  assert.equal(await server.cli('GET', 'second-between'), '1\n');
  await rollbackLive(next);
  assert.deepEqual(await contentAt(server.url), after);
  assert.ok((await readFile(path.join(next.directory, 'replaced.1', 'dump.rdb'))).includes('second-between'));
  assert.notDeepEqual(before, after);
});

test('an attempt that another one has fenced writes nothing into the journal, and puts nothing back', async (t) => {
  const { vault, server, snapshot, after, before } = await captured(t, 'redis7');
  const place = await livePlace(t, server);
  const journal = path.join(place.directory, 'journal.jsonl');
  const lines = () => readFile(journal, 'utf8').catch(() => '');
  let fencedAt: string | undefined;
  const check = async () => {
    if ((await lines()).includes('"send"')) fencedAt ??= await lines();
    if (fencedAt !== undefined) throw new HoldfastError('FENCED', 'somebody else is at it');
  };
  await assert.rejects(restoreLive({ ...place, vault, snapshot, check }), { code: 'FENCED' });
  assert.equal(await lines(), fencedAt);
  await restoreLive({ ...place, vault, snapshot });
  assert.deepEqual(await contentAt(server.url), before);
  await rollbackLive(place);
  assert.deepEqual(await contentAt(server.url), after);
});
