// Captures of real servers: what is committed is what the server has, judged whole by three, and nothing broken is ever committed.

import assert from 'node:assert/strict';
import { copyFile, readFile, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HoldfastError } from '../../../src/errors/index.ts';
import { run } from '../../../src/process/index.ts';
import { type CaptureServer, proveRdb, type RdbDetails } from '../../../src/redis/index.ts';
import { RdbWalk } from '../../../src/redis/rdb/index.ts';
import { synchronise } from '../../../src/redis/sync/index.ts';
import { withThrowaway } from '../../../src/redis/throwaway/server.ts';
import { findTools } from '../../../src/redis/tools.ts';
import type { SnapshotOnCopies, Vault } from '../../../src/vault/index.ts';
import { makeAuthority } from '../../support/certificates.ts';
import { CACHE, redisSetting } from '../../support/redis-capture.ts';
import { contentOf, fillMany, fillRich } from '../../support/redis-data.ts';
import { redisKinds, testRedis } from '../../support/redis-server.ts';
import { freePort } from '../../support/scratch-postgres.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { readFiles, seededBytes } from '../../support/vault.ts';
import { waitFor } from '../../support/wait-for.ts';

const signal = new AbortController().signal;
const detailsOf = ({ engine }: SnapshotOnCopies) => engine as unknown as RdbDetails;

async function rdbOf(vault: Vault, { id }: SnapshotOnCopies): Promise<Buffer> {
  const { 'dump.rdb': bytes } = await readFiles(await vault.openSnapshot(id));
  return bytes as Buffer;
}

function fromFirstKey(bytes: Buffer): Buffer {
  return bytes.subarray(bytes.indexOf(Buffer.from([0xfe, 0x00])), -8);
}

for (const kind of redisKinds) {
  test(`every type and encoding of ${kind} comes through either form of transfer and BGSAVE, counted and sampled right`, async (t) => {
    const server = await testRedis(t, { kind });
    const { vault, take } = await redisSetting(t);
    const connection = await server.connect();
    await fillRich(connection, kind);
    const content = await contentOf(connection);
    const tools = await findTools({ flavour: server.flavour, version: '7.0.0' }, server);
    for (const [number, way] of (['mark', 'length', 'bgsave'] as const).entries()) {
      if (way !== 'bgsave') await server.cli('CONFIG', 'SET', 'repl-diskless-sync', way === 'mark' ? 'yes' : 'no');
      const snapshot = await take(server, number + 1, way === 'bgsave' ? { way } : {});
      assert.deepEqual([snapshot.kind, snapshot.class, snapshot.state], ['rdb', 'rdb', 'clean']);
      const { facts, sizeBytes } = detailsOf(snapshot);
      assert.equal(facts.missing, undefined);
      assert.equal(facts.keys, content.length - 1);
      assert.deepEqual(
        facts.databases.map(({ number: database }) => database),
        [0, 3, 15],
      );
      assert.equal(facts.functions, 1);
      // All but the one with a very long name.
      assert.equal(facts.samples.length, facts.keys - 1);
      const directory = await temporaryDirectory(t);
      const bytes = await rdbOf(vault, snapshot);
      // Byte for byte what the command line tool gets, but for what stands before the first key: the time, and the memory used.
      const tool = path.join(directory, 'tool.rdb');
      await server.cli('--rdb', tool);
      assert.ok(fromFirstKey(await readFile(tool)).equals(fromFirstKey(bytes)));
      assert.equal(bytes.length, sizeBytes);
      await writeFile(path.join(directory, 'dump.rdb'), bytes);
      const comparison = await proveRdb({ tools, directory, facts, signal }, async (throwaway) => {
        assert.deepEqual(await contentOf(throwaway.connection), content);
      });
      assert.deepEqual(comparison, {
        keys: facts.keys,
        expired: 0,
        samples: facts.keys - 1,
        differences: [],
        hasCompared: true,
      });
    }
    connection.close();
  });
}

test('a server that waits for further replicas before it begins, as it does unless it is told otherwise, is waited for', async (t) => {
  const server = await testRedis(t, { settings: ['repl-diskless-sync yes', 'repl-diskless-sync-delay 3'] });
  const { take } = await redisSetting(t);
  await server.cli('SET', 'one', '1');
  assert.equal(detailsOf(await take(server, 1)).facts.keys, 1);
});

test('a server that has sent everything and is gone long before it was read has sent all the same', async (t) => {
  const slowly = async (kind: (typeof redisKinds)[number]) => {
    // Whatever it waits for from those who have received everything, it waits no longer for.
    const server = await testRedis(t, { kind, settings: ['repl-diskless-sync yes', 'repl-timeout 2'] });
    const connection = await server.connect();
    await connection.call('fill', 'SET', 'big', seededBytes('slowly', 300_000));
    connection.close();
    const incoming = await synchronise({ url: `redis://127.0.0.1:${server.port}` }, { idleMs: 5_000 });
    const bytes = incoming.bytes[Symbol.asyncIterator]();
    const walk = new RdbWalk();
    walk.push((await bytes.next()).value);
    await waitFor(`${kind} to be gone`, async () => /connected_slaves:0/.test(await server.cli('INFO')));
    // As long as a pack may take that goes to a slow store: longer than the silence of a server is borne.
    await sleep(6_000);
    for (let each = await bytes.next(); each.done !== true; each = await bytes.next()) walk.push(each.value);
    assert.equal(walk.end().keys, 1);
  };
  await Promise.all(redisKinds.map(slowly));
});

test('a server that falls silent in the middle is given up', async (t) => {
  const server = await testRedis(t, { settings: ['repl-diskless-sync yes'] });
  const connection = await server.connect();
  await fillMany(connection, 20_000);
  connection.close();
  await server.cli('CONFIG', 'SET', 'rdb-key-save-delay', '500');
  const incoming = await synchronise({ url: server.url }, { idleMs: 3_000 });
  const pid = server.pid() ?? 0;
  try {
    const reading = (async () => {
      for await (const chunk of incoming.bytes) if (chunk.length > 0) process.kill(pid, 'SIGSTOP');
    })();
    await assert.rejects(reading, { code: 'REDIS_UNREACHABLE', message: /sent nothing for 3 s/ });
  } finally {
    process.kill(pid, 'SIGCONT');
  }
});

test('a capture beside fast writers is of one instant', async (t) => {
  const server = await testRedis(t);
  const { vault, take } = await redisSetting(t);
  const writer = await server.connect();
  await fillMany(writer, 60_000);
  const stop = new AbortController();
  // Two keys that are always changed together: in one instant they are the same.
  const writing = (async () => {
    for (let number = 0; !stop.signal.aborted; number++) {
      await writer.call('write', 'MSET', 'one', number, 'other', number);
      await fillMany(writer, 200, `burst:${number}`);
    }
  })();
  const snapshot = await take(server, 1);
  stop.abort();
  await writing;
  writer.close();
  const directory = await temporaryDirectory(t);
  await writeFile(path.join(directory, 'dump.rdb'), await rdbOf(vault, snapshot));
  const { facts } = detailsOf(snapshot);
  assert.ok(facts.keys >= 60_000 && facts.samples.length > 60, `${facts.keys} keys, ${facts.samples.length} samples`);
  const tools = await findTools({ flavour: 'redis', version: '7.0.0' }, server);
  await proveRdb({ tools, directory, facts, signal }, async ({ connection }) => {
    const [one, other] = (await connection.call('read', 'MGET', 'one', 'other')) as [Buffer, Buffer];
    assert.deepEqual(one, other);
  });
});

test('an RDB with any byte changed, cut off or followed by more is rejected, and so are facts that are not of it', async (t) => {
  const server = await testRedis(t);
  const { vault, take } = await redisSetting(t);
  const connection = await server.connect();
  await fillRich(connection, 'redis7');
  connection.close();
  const snapshot = await take(server, 1);
  const whole = await rdbOf(vault, snapshot);
  const { facts } = detailsOf(snapshot);
  const tools = await findTools({ flavour: 'redis', version: '7.0.0' }, server);
  const directory = await temporaryDirectory(t);
  const prove = async (bytes: Buffer, claimed = facts) => {
    await writeFile(path.join(directory, 'dump.rdb'), bytes);
    return await proveRdb({ tools, directory, facts: claimed, signal });
  };
  const flipped = (at: number) => {
    const bytes = Buffer.from(whole);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
    return bytes;
  };
  for (const at of [0, 9, 200, Math.floor(whole.length / 2), whole.length - 9, whole.length - 1]) {
    await assert.rejects(prove(flipped(at)), { code: 'BACKUP_INVALID' }, `byte ${at}`);
  }
  await assert.rejects(prove(whole.subarray(0, -100)), { code: 'BACKUP_INVALID' });
  const walkOver = (bytes: Buffer, pieceBytes: number) => {
    const walk = new RdbWalk();
    for (let at = 0; at < bytes.length; at += pieceBytes) walk.push(bytes.subarray(at, at + pieceBytes));
    return walk.end();
  };
  for (const pieceBytes of [1, 7, 4096, whole.length]) assert.deepEqual(walkOver(whole, pieceBytes), facts);
  for (const length of [0, 5, 100, whole.length - 9, whole.length - 1]) {
    assert.throws(() => walkOver(whole.subarray(0, length), 999), { code: 'BACKUP_INVALID' }, `${length} bytes`);
  }
  assert.throws(() => walkOver(Buffer.concat([whole, Buffer.from('x')]), 999), { code: 'BACKUP_INVALID' });
  const claims = [
    { ...facts, keys: facts.keys + 1 },
    { ...facts, databases: facts.databases.map((database) => ({ ...database, persistent: database.persistent + 1 })) },
    { ...facts, databases: facts.databases.slice(1) },
    ...(['type', 'length', 'sha256', 'expiresAtMs', 'key'] as const).map((what) => ({
      ...facts,
      samples: facts.samples.map((sample) => ({
        ...sample,
        [what]: what === 'key' ? 'bm9uZQ==' : what === 'type' ? 'none' : 1,
      })),
    })),
  ];
  for (const claimed of claims) await assert.rejects(prove(whole, claimed), { code: 'CHECK_FAILED' });
  assert.deepEqual((await prove(whole)).differences, []);
});

test('keys whose time is over stay away, are told apart from lost ones, and a later one expires when it was to', async (t) => {
  const server = await testRedis(t);
  const { vault, take } = await redisSetting(t);
  const connection = await server.connect();
  // The source itself must not remove them before they are captured.
  await connection.call('hold', 'DEBUG', 'SET-ACTIVE-EXPIRE', 0);
  const at = Date.now() + 3_000;
  // All in one message: one that came after its time would never be there.
  const soon = Array.from({ length: 50 }, (_, number) => ['SET', `soon:${number}`, 'x', 'PXAT', at]);
  await connection.pipeline('fill', soon);
  await connection.call('fill', 'SET', 'stays', 'x');
  await connection.call('fill', 'SET', 'late', 'x', 'PXAT', at + 3_600_000);
  const snapshot = await take(server, 1);
  const { facts } = detailsOf(snapshot);
  assert.deepEqual([facts.keys, facts.databases[0]?.persistent], [52, 1]);
  await waitFor('their time to be over', () => Date.now() > at);
  const directory = await temporaryDirectory(t);
  await writeFile(path.join(directory, 'dump.rdb'), await rdbOf(vault, snapshot));
  const tools = await findTools({ flavour: 'redis', version: '7.0.0' }, server);
  const comparison = await proveRdb({ tools, directory, facts, signal }, async (throwaway) => {
    assert.equal(await throwaway.connection.text('look', 'PEXPIRETIME', 'late'), String(at + 3_600_000));
  });
  assert.deepEqual([comparison.keys, comparison.expired], [2, 50]);
  connection.close();
});

test('the least role that is documented is enough, by TLS too; a wrong password and a missing command are refused with what to do', async (t) => {
  const authority = makeAuthority();
  const { certificate, key } = authority.issue('127.0.0.1');
  const files = await temporaryDirectory(t);
  for (const [name, text] of [
    ['ca', authority.certificate],
    ['crt', certificate],
    ['key', key],
  ] as const)
    await writeFile(path.join(files, name), text);
  const tlsPort = await freePort();
  const testServer = await testRedis(t, {
    settings: [
      ...[
        `tls-port ${tlsPort}`,
        `tls-cert-file ${files}/crt`,
        `tls-key-file ${files}/key`,
        `tls-ca-cert-file ${files}/ca`,
      ],
      'tls-auth-clients no',
    ],
  });
  const { vault, take } = await redisSetting(t);
  const words = 'ACL SETUSER holdfast on >se/cret resetkeys resetchannels -@all +ping +info +psync +replconf';
  await testServer.cli(...words.split(' '), '+set', '~mine');
  await testServer.cli('SET', 'mine', '1');
  const as = (login: string) => ({
    source: { url: `rediss://${login}@127.0.0.1:${tlsPort}`, caFile: path.join(files, 'ca') },
    programs: testServer.programs,
  });
  const snapshot = await take(testServer, 1, { server: as('holdfast:se%2Fcret') });
  assert.equal(detailsOf(snapshot).facts.keys, 1);
  const refused = (number: number, server: CaptureServer) => take(testServer, number, { server });
  await assert.rejects(refused(2, as('holdfast:wrong')), (error: HoldfastError) => {
    assert.equal(error.code, 'REDIS_AUTH');
    assert.doesNotMatch(error.message, /wrong(?! )|se\/cret/);
    return true;
  });
  await testServer.cli('ACL', 'SETUSER', 'holdfast', '-psync');
  await assert.rejects(refused(2, as('holdfast:se%2Fcret')), { code: 'REDIS_PRIVILEGE', hint: /\+psync/ });
  await testServer.cli('ACL', 'SETUSER', 'holdfast', '-info');
  await assert.rejects(refused(2, as('holdfast:se%2Fcret')), { code: 'REDIS_PRIVILEGE', hint: /\+info/ });
  await assert.rejects(refused(2, { ...as('holdfast:x'), source: { url: as('holdfast:x').source.url } }), {
    code: 'REDIS_UNREACHABLE',
  });
  const nobody = { source: { url: `redis://127.0.0.1:${await freePort()}` }, programs: testServer.programs };
  await assert.rejects(refused(2, nobody), { code: 'REDIS_UNREACHABLE' });
  await assert.rejects(refused(2, { source: { url: testServer.url }, programs: '/nowhere' }), {
    code: 'TOOL_VERSION',
  });
  assert.equal((await vault.listSnapshots(CACHE)).length, 1);
});

test('a replica serves as the source; one that lost its primary, a node of a cluster, a Sentinel and programs that are too old are refused', async (t) => {
  const primary = await testRedis(t);
  const { take } = await redisSetting(t);
  await primary.cli('SET', 'key', 'value');
  const replica = await testRedis(t, { settings: [`replicaof 127.0.0.1 ${primary.port}`] });
  await waitFor('the replica to be in step', async () => /master_link_status:up/.test(await replica.cli('INFO')));
  const { server, facts } = detailsOf(await take(replica, 1));
  assert.deepEqual([server.role, facts.keys], ['replica', 1]);
  await primary.stop('SIGKILL');
  await waitFor('the replica to notice', async () => /master_link_status:down/.test(await replica.cli('INFO')));
  await assert.rejects(take(replica, 2), { code: 'REDIS_UNREACHABLE', hint: /lost its primary/ });
  // It would save its old data without a word.
  await assert.rejects(take(replica, 2, { way: 'bgsave' }), { code: 'REDIS_UNREACHABLE', hint: /lost its primary/ });
  const node = await testRedis(t, { settings: ['cluster-enabled yes'] });
  await assert.rejects(take(node, 2), { code: 'REDIS_UNFIT', hint: /clusters are not supported yet/ });
  const newer = await testRedis(t, { kind: 'redis8' });
  const older = { source: { url: newer.url }, programs: primary.programs };
  await assert.rejects(take(newer, 2, { server: older }), { code: 'TOOL_VERSION', message: /8\.0.*7\.0/ });
});

test('a file that the server has not just saved is not taken for what it has, however new it looks', async (t) => {
  const server = await testRedis(t);
  const { vault, take } = await redisSetting(t);
  await server.cli('SET', 'old', '1');
  await server.cli('SAVE');
  const elsewhere = await temporaryDirectory(t);
  const stale = path.join(elsewhere, 'dump.rdb');
  await copyFile(path.join(server.dataDirectory, 'dump.rdb'), stale);
  await server.cli('SET', 'new', '1');
  const second = Math.floor(Date.now() / 1000);
  await waitFor('the next second', () => Math.floor(Date.now() / 1000) > second);
  // As in another mount namespace: the name is the same, what lies there is not.
  await run('mount', ['--bind', elsewhere, server.dataDirectory]);
  try {
    await utimes(stale, second - 60, second - 60);
    await assert.rejects(take(server, 1, { way: 'bgsave' }), { code: 'REDIS_UNFIT', message: /has just saved/ });
    await utimes(stale, second + 3600, second + 3600);
    await assert.rejects(take(server, 1, { way: 'bgsave' }), { code: 'REDIS_UNFIT', message: /has just saved/ });
  } finally {
    await run('umount', [server.dataDirectory]);
  }
  assert.deepEqual(await vault.listSnapshots(CACHE), []);
  assert.equal(detailsOf(await take(server, 1, { way: 'bgsave' })).facts.keys, 2);
});

test('a server that dies in the middle leaves nothing committed, and the next attempt of the same snapshot succeeds', async (t) => {
  const server = await testRedis(t);
  const { vault, take } = await redisSetting(t);
  const connection = await server.connect();
  await fillMany(connection, 100_000);
  connection.close();
  // So slow that it is in the middle when it dies.
  await server.cli('CONFIG', 'SET', 'rdb-key-save-delay', '200');
  let bytes = 0;
  const taking = take(server, 1, {
    onProgress: (done) => {
      bytes = done;
    },
  });
  taking.catch(() => undefined); // awaited below
  await waitFor('some of it to come', () => bytes > 0);
  await server.stop('SIGKILL');
  await assert.rejects(taking, { code: 'REDIS_UNREACHABLE' });
  assert.deepEqual(await vault.listSnapshots(CACHE), []);
  await server.start();
  await server.cli('SET', 'after', '1');
  assert.equal(detailsOf(await take(server, 1)).facts.keys, 1);
  // And once more: what is committed is found, not taken again.
  await server.stop();
  assert.equal((await take(server, 1)).id, (await vault.listSnapshots(CACHE))[0]?.id);
});

test('a cancelled capture ends with the transfer and its check, and commits nothing', async (t) => {
  const server = await testRedis(t);
  const { vault, take } = await redisSetting(t);
  const connection = await server.connect();
  await fillMany(connection, 20_000);
  connection.close();
  await server.cli('CONFIG', 'SET', 'rdb-key-save-delay', '500');
  const stop = new AbortController();
  await assert.rejects(take(server, 1, { signal: stop.signal, onProgress: () => stop.abort() }), { code: 'CANCELLED' });
  assert.deepEqual(await vault.listSnapshots(CACHE), []);
  await waitFor('the server to have no replica', async () => /connected_slaves:0/.test(await server.cli('INFO')));
});

test('a throwaway server listens on no port and has nothing of production, and one that cannot load says why', async (t) => {
  const server = await testRedis(t);
  const { vault, take } = await redisSetting(t);
  await server.cli('SET', 'key', 'value');
  const directory = await temporaryDirectory(t);
  await writeFile(path.join(directory, 'dump.rdb'), await rdbOf(vault, await take(server, 1)));
  const tools = await findTools({ flavour: 'redis', version: '7.0.0' }, server);
  await withThrowaway({ tools, directory, signal }, async ({ connection }) => {
    const info = await connection.text('look', 'INFO');
    assert.match(info, /tcp_port:0/);
    assert.match(info, /role:master/);
    assert.match(info, /aof_enabled:0/);
  });
  await writeFile(path.join(directory, 'dump.rdb'), 'REDIS0099 of the future');
  await assert.rejects(
    withThrowaway({ tools, directory, signal }, async () => undefined),
    {
      code: 'RECOVERY_FAILED',
      message: /RDB format version/i,
    },
  );
  const memoryBytes = 1024 ** 5;
  await assert.rejects(
    withThrowaway({ tools, directory, memoryBytes, signal }, async () => undefined),
    { code: 'NO_SPACE' },
  );
});
