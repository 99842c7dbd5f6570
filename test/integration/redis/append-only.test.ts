// Append-only files of real servers: kept through rewrites, captured while they are written, restored to any second, cut where they end in the middle.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Moment, momentFromDate } from '../../../src/domain/moment.ts';
import { start } from '../../../src/process/index.ts';
import { CommandWalk } from '../../../src/redis/aof/command-walk.ts';
import { type AofDetails, hasTimes } from '../../../src/redis/aof/details.ts';
import { keepNow, keptSets, readManifest, runKeeper } from '../../../src/redis/aof/keeper.ts';
import { parseManifest, writeManifest } from '../../../src/redis/aof/manifest.ts';
import { identify } from '../../../src/redis/identity.ts';
import { type CaptureAofOptions, captureAof, restoreBeside, restoreLive } from '../../../src/redis/index.ts';
import { withThrowaway } from '../../../src/redis/throwaway/server.ts';
import { findTools } from '../../../src/redis/tools.ts';
import type { SnapshotOnCopies } from '../../../src/vault/index.ts';
import { CACHE, redisSetting } from '../../support/redis-capture.ts';
import { contentOf, fillMany, fillRich } from '../../support/redis-data.ts';
import { type RedisKind, redisKinds, type TestRedis, testRedis } from '../../support/redis-server.ts';
import { type Runtime, rescue, runtimes, takeRescue } from '../../support/rescue.ts';
import { freePort } from '../../support/scratch-postgres.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { snapshotId } from '../../support/vault.ts';
import { waitFor } from '../../support/wait-for.ts';

const signal = new AbortController().signal;
const ON = ['appendonly yes', 'aof-timestamp-enabled yes', 'auto-aof-rewrite-percentage 0'];
const detailsOf = ({ engine }: SnapshotOnCopies) => engine as unknown as AofDetails;
const placeOf = ({ dataDirectory }: TestRedis) => ({
  ...{ dataDirectory, appendDirectory: 'appendonlydir', appendFile: 'appendonly.aof' },
});

async function setting(t: TestContext, kind: RedisKind, settings: readonly string[] = ON) {
  const server = await testRedis(t, { kind, settings });
  const { vault, made } = await redisSetting(t);
  const take = (number: number, changes: Partial<CaptureAofOptions> = {}) =>
    captureAof({
      ...{ vault, signal, place: placeOf(server) },
      server: { source: { url: server.url }, programs: server.programs },
      request: { snapshotId: snapshotId(number), component: CACHE, host: 'db1' },
      ...changes,
    });
  const recovered = async (snapshot: SnapshotOnCopies, moment?: Moment) => {
    const directory = path.join(await temporaryDirectory(t), 'beside');
    const { programs } = server;
    await restoreBeside({
      ...{ vault, snapshot, directory, programs, signal, run: 'restore-00000001' },
      start: false,
      ...(moment && { moment }),
    });
    const tools = await findTools({ flavour: server.flavour, version: '7.0.0' }, server);
    return await withThrowaway({ tools, directory, signal }, ({ connection }) => contentOf(connection));
  };
  return { server, vault, made, take, recovered };
}

async function rewrite(server: TestRedis): Promise<void> {
  await server.cli('BGREWRITEAOF');
  await waitFor('the rewrite to end', async () => {
    const info = await server.cli('INFO', 'persistence');
    return /aof_rewrite_in_progress:0/.test(info) && /aof_rewrite_scheduled:0/.test(info);
  });
}

/** A moment after all that was written and before all that will be: the server notes whole seconds. */
async function quiet(): Promise<Moment> {
  const second = Math.floor(Date.now() / 1000);
  await waitFor('the next second', () => Math.floor(Date.now() / 1000) > second + 1);
  return momentFromDate(new Date((second + 1) * 1000));
}

for (const kind of redisKinds) {
  test(`${kind}: any second between two captures can be restored, through a rewrite that discarded it`, async (t) => {
    const { server, take, recovered } = await setting(t, kind);
    const connection = await server.connect();
    await fillRich(connection, kind);
    // What replaying the file comes to is what the server itself makes of it.
    await connection.call('replay', 'DEBUG', 'LOADAOF');
    const first = await take(1);
    assert.equal(detailsOf(first).sets.length, 1);
    assert.ok(hasTimes(detailsOf(first)));
    const content = () => contentOf(connection);
    const all = await content();
    assert.deepEqual(await recovered(first), all);
    await connection.call('write', 'SET', 'a', 'before the rewrite');
    const [a, atA] = [await content(), await quiet()];
    await connection.call('write', 'DEL', 'list:listpack');
    await rewrite(server);
    await connection.call('write', 'SET', 'b', 'after the rewrite');
    const [b, atB] = [await content(), await quiet()];
    await connection.call('write', 'FLUSHALL');
    const second = await take(2);
    const { sets } = detailsOf(second);
    assert.deepEqual(
      sets.map(({ follows }) => follows),
      [true, true],
    );
    assert.deepEqual(await recovered(second, atA), a);
    assert.deepEqual(await recovered(second, atB), b);
    assert.equal((await recovered(second)).length, 1);
    await assert.rejects(recovered(second, '2020-01-01T00:00:00.000000Z' as Moment), { code: 'TARGET_OUTSIDE' });
    // What was captured and is in no manifest any more is let go.
    assert.equal((await keptSets(placeOf(server))).length, 1);
    // The next capture reads only what is new.
    const third = await take(3);
    assert.equal(third.statistics.readBytes, 0);
    connection.close();
  });
}

test('rescue.mjs alone gives back what a server loads by the command that it prints', async (t) => {
  const { server, made, take } = await setting(t, 'redis8');
  const connection = await server.connect();
  await fillRich(connection, 'redis8');
  await connection.call('replay', 'DEBUG', 'LOADAOF');
  await rewrite(server);
  await connection.call('write', 'SET', 'a', 'after the rewrite');
  const content = await contentOf(connection);
  connection.close();
  const { id } = await take(1);
  const directory = await temporaryDirectory(t);
  const script = await takeRescue(made.path('local'), path.join(directory, 'bare'));
  const vault = ['--vault', made.path('local'), '--key-file', made.keyFile];
  const [runtime] = (await runtimes()) as [Runtime];
  const to = path.join(directory, 'rescued');
  const { status, said, complained } = await rescue(script, runtime, ['restore', id, '--to', to, ...vault]);
  assert.equal(status, 0, said + complained);
  const [program = '', ...words] = said.trimEnd().split('\n').at(-1)?.trim().split(' ') ?? [];
  const port = await freePort();
  words[words.indexOf('--port') + 1] = `${port}`;
  const rescued = await start(path.join(server.programs, program), words);
  t.after(() => rescued.stop().then(() => undefined));
  await waitFor('the server to answer', async () => {
    const other = await server.connect(`redis://127.0.0.1:${port}`).catch(() => undefined);
    return (await other?.call('ping', 'PING').catch(() => undefined)) !== undefined;
  });
  const other = await server.connect(`redis://127.0.0.1:${port}`);
  assert.deepEqual(await contentOf(other), content);
  other.close();
});

test('beside fast writers and rewrites every capture is whole, and the keeper lets no set go by', async (t) => {
  const { server, take, recovered } = await setting(t, 'redis7');
  const stop = new AbortController();
  const troubles: unknown[] = [];
  const keeper = runKeeper(placeOf(server), { signal: stop.signal, onTrouble: (error) => troubles.push(error) });
  const writing = (async () => {
    const writer = await server.connect();
    for (let number = 0; !stop.signal.aborted; number++) {
      await writer.pipeline('write', [['MULTI'], ['SET', 'one', number], ['SET', 'other', number], ['EXEC']]);
      await fillMany(writer, 50, `burst:${number % 100}`);
    }
    writer.close();
  })();
  const snapshots: SnapshotOnCopies[] = [];
  for (let number = 1; number <= 3; number++) {
    for (let count = 0; count < 2; count++) {
      await rewrite(server);
      await waitFor('the keeper to see the new set', async () => {
        const present = (await readManifest(placeOf(server))).find(({ type }) => type === 'base');
        return (await keptSets(placeOf(server))).some(({ base }) => base.name === present?.name);
      });
    }
    snapshots.push(await take(number));
  }
  stop.abort();
  await Promise.all([writing, keeper]);
  assert.deepEqual(troubles, []);
  for (const [number, snapshot] of snapshots.entries()) {
    const { sets } = detailsOf(snapshot);
    assert.deepEqual(
      sets.map(({ follows }, index) => follows || number + index === 0),
      sets.map(() => true),
      `snapshot ${number + 1}`,
    );
    const content = await recovered(snapshot);
    const [one, other] = ['one', 'other'].map((key) =>
      content
        .find((line) => line.startsWith(`0 "${key}" `))
        ?.split(' ')
        .at(-1),
    );
    assert.ok(one !== undefined && one === other, `${one} ${other}`);
  }
});

test('a set that went by unseen is a gap: no moment in it can be restored, those around it can', async (t) => {
  const { server, take, recovered } = await setting(t, 'redis7');
  await server.cli('SET', 'a', '1');
  await take(1);
  const beforeGap = await quiet();
  await server.cli('SET', 'last', '1');
  await rewrite(server);
  await server.cli('SET', 'unseen', '1');
  const inGap = await quiet();
  await rewrite(server);
  await server.cli('SET', 'b', '1');
  const afterGap = await quiet();
  const snapshot = await take(2);
  const { sets } = detailsOf(snapshot);
  assert.deepEqual(
    sets.map(({ follows }) => follows),
    [true, false],
  );
  const keys = async (moment: Moment) =>
    (await recovered(snapshot, moment)).slice(0, -1).map((line) => line.split('"')[1]);
  assert.deepEqual(await keys(beforeGap), ['a']);
  assert.deepEqual(await keys(afterGap), ['a', 'b', 'last', 'unseen']);
  await assert.rejects(keys(inGap), { code: 'TARGET_OUTSIDE', message: /gap/ });
});

test('without times only the beginnings of sets and the end can be had; without append-only files it says what is missing', async (t) => {
  const { server, take, recovered } = await setting(t, 'redis7', ['appendonly yes', 'auto-aof-rewrite-percentage 0']);
  await server.cli('SET', 'a', '1');
  await rewrite(server);
  const moment = await quiet();
  await server.cli('SET', 'b', '1');
  const snapshot = await take(1);
  assert.equal(hasTimes(detailsOf(snapshot)), false);
  assert.equal((await recovered(snapshot)).length, 3);
  assert.equal((await recovered(snapshot, moment)).length, 2);
  const { server: other, take: takeOther } = await setting(t, 'redis7', []);
  assert.match(await other.cli('INFO'), /aof_enabled:0/);
  await assert.rejects(takeOther(1), { code: 'REDIS_UNFIT', hint: /appendonly yes/ });
});

test('a file that ends anywhere is cut at its last whole command outside of a transaction, and loads; a damaged one is refused', async (t) => {
  const { server, take } = await setting(t, 'redis7');
  const connection = await server.connect();
  await connection.call('write', 'SET', 'a', '1');
  await connection.pipeline('write', [['MULTI'], ['SET', 'b', '2'], ['SET', 'c', 'x'.repeat(300)], ['EXEC']]);
  await connection.call('write', 'SET', Buffer.from('\r\n*1\r\n$4\r\nMULTI'), '#TS:1\r\n');
  const { incrementals } = await keepNow(placeOf(server));
  const file = path.join(server.dataDirectory, 'appendonlydir', incrementals[0]?.name ?? '');
  const whole = await readFile(file);
  const walkOver = (bytes: Buffer, pieceBytes = bytes.length + 1) => {
    const walk = new CommandWalk();
    for (let at = 0; at < bytes.length; at += pieceBytes) walk.push(bytes.subarray(at, at + pieceBytes));
    return walk.end();
  };
  const { commands, wholeBytes } = walkOver(whole);
  assert.equal(wholeBytes, whole.length);
  const ends = new Set<number>();
  for (let length = 0; length <= whole.length; length++) {
    const found = walkOver(whole.subarray(0, length), 7);
    assert.equal(found.damage, undefined, `${length} bytes`);
    assert.ok(found.wholeBytes <= length);
    ends.add(found.wholeBytes);
  }
  // SELECT, SET, the transaction as one, SET, and the times between them: far fewer than commands and bytes.
  assert.ok(ends.size >= 4 && ends.size <= commands + 2, `${ends.size} ends of ${commands} commands`);
  const tools = await findTools({ flavour: 'redis', version: '7.0.0' }, server);
  for (const end of ends) {
    const directory = await temporaryDirectory(t);
    await writeFile(path.join(directory, 'cut.aof'), '');
    const name = 'cut.aof.1.incr.aof';
    const appendOnly = { directory: '.', file: 'cut.aof' };
    await writeFile(path.join(directory, name), whole.subarray(0, end));
    await writeFile(
      path.join(directory, 'cut.aof.manifest'),
      writeManifest([{ name, sequence: 1, type: 'incremental' }]),
    );
    await withThrowaway(
      {
        tools,
        directory: path.dirname(directory),
        appendOnly: { ...appendOnly, directory: path.basename(directory) },
        signal,
      },
      async (throwaway) => {
        const [b, c] = (await throwaway.connection.call('look', 'MGET', 'b', 'c')) as (Buffer | null)[];
        assert.equal(b === null, c === null);
      },
    );
  }
  const harmed = Buffer.from(whole);
  harmed.writeUInt8('!'.charCodeAt(0), whole.indexOf('$1') ?? 0);
  await writeFile(file, harmed);
  await assert.rejects(take(1), { code: 'BACKUP_INVALID', message: /is damaged behind byte/ });
  connection.close();
});

test('append-only files are given back live, too', async (t) => {
  const { server, vault, take } = await setting(t, 'redis8');
  const connection = await server.connect();
  await fillRich(connection, 'redis8');
  const before = await contentOf(connection);
  const snapshot = await take(1);
  await connection.call('change', 'FLUSHALL');
  const { runId } = await identify(connection);
  const directory = path.join(await temporaryDirectory(t), 'state');
  const { programs } = server;
  await restoreLive({ ...{ directory, programs, runId, signal, vault, snapshot }, source: { url: server.url } });
  assert.deepEqual(await contentOf(connection), before);
  connection.close();
});

test('a manifest of any version is understood, and one that is none is refused', () => {
  const text =
    '# by somebody\nfile appendonly.aof.2.base.rdb seq 2 type b\nfile "with space.aof" seq 1 type h\nfile a.3.incr.aof seq 3 type i startoffset 17 endoffset 99\n';
  const files = parseManifest(text, 'm');
  assert.deepEqual(
    files.map(({ name, sequence, type }) => [name, sequence, type]),
    [
      ['appendonly.aof.2.base.rdb', 2, 'base'],
      ['a.3.incr.aof', 3, 'incremental'],
    ],
  );
  assert.deepEqual(parseManifest(writeManifest(files), 'm'), files);
  for (const wrong of ['file ../x seq 1 type b', 'file a seq x type b', 'file a seq 1 type z', 'nonsense']) {
    assert.throws(() => parseManifest(wrong, 'm'), { code: 'REDIS_UNFIT' }, wrong);
  }
});
