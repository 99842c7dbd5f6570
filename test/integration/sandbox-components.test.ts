// The real servers that everything else is tested on: they answer, they stand side by side, they survive what tests do to them.

import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { GetObjectCommand, ListBucketsCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Connection } from '@temporalio/client';
import pg from 'pg';
import { searchAttributes } from '../../src/domain/ids.ts';
import { isHoldfastError } from '../../src/errors/index.ts';
import { isAlive, run } from '../../src/process/index.ts';
import { startPostgres } from '../../src/sandbox/index.ts';
import { testPostgres, testS3, testTemporal } from '../support/components.ts';
import { temporaryDirectory } from '../support/temporary.ts';

async function query(connectionString: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

for (const major of [15, 17, 18]) {
  test(`PostgreSQL ${major}: a server whose role can back it up and do little else`, async (t) => {
    const server = await testPostgres(t, { major, walSegmentSizeMb: 1, settings: { max_wal_senders: 7 } });
    const settings =
      "select current_setting('wal_segment_size'), current_setting('max_wal_senders'), current_setting('data_directory')";
    assert.deepEqual(await query(server.url, settings), ['1MB', '7', server.dataDirectory]);
    await query(server.url, "select pg_create_restore_point('x'), pg_switch_wal()");
    await query(server.url, 'checkpoint');
    await assert.rejects(query(server.url, 'create table t ()'), /permission denied for schema public/);
    await assert.rejects(query(server.url, 'select * from pg_authid'), /permission denied/);
    const target = await temporaryDirectory(t);
    const backup = ['-D', path.join(target, 'backup'), '-X', 'stream', '-d', server.url, '--checkpoint=fast'];
    await run(path.join(server.bindir, 'pg_basebackup'), backup);
    await run(path.join(server.bindir, 'pg_verifybackup'), [path.join(target, 'backup')]);
  });
}

test('a PostgreSQL server that crashed or was stopped starts again with its data', async (t) => {
  const server = await testPostgres(t);
  await query(server.superuserUrl, 'create table t as select 42 as answer');
  for (const mode of ['fast', 'immediate'] as const) {
    const { pid, startTime } = server.identity;
    await server.stop(mode);
    assert.equal(await isAlive(pid, startTime), false);
    await server.start();
    assert.deepEqual(await query(server.superuserUrl, 'select answer from t'), [42]);
  }
});

test('a PostgreSQL server without the replication line in pg_hba.conf refuses to replicate', async (t) => {
  const server = await testPostgres(t, { allowReplication: false });
  const backup = run(path.join(server.bindir, 'pg_receivewal'), [
    '-D',
    import.meta.dirname,
    '-d',
    server.url,
    '--no-loop',
  ]);
  await assert.rejects(backup, /no pg_hba.conf entry for replication connection/);
});

test('a PostgreSQL server that cannot start says why, from its log', async (t) => {
  const dir = path.join(await temporaryDirectory(t), 'postgres');
  await assert.rejects(startPostgres({ dir, settings: { shared_buffers: 'plenty' } }), (error) => {
    assert.ok(isHoldfastError(error, 'PROCESS_FAILED'));
    assert.match(error.message, /^PostgreSQL [\d.]+ ended while it started; its log '.*' ends with\n/);
    assert.match(error.message, /invalid value for parameter "shared_buffers": "plenty"/);
    return true;
  });
});

test('three S3 regions stand side by side, each with its own buckets and credentials', async (t) => {
  const regions = ['eu-central-1', 'us-east-1', 'ap-south-1'];
  const servers = await Promise.all(regions.map((region) => testS3(t, { region, buckets: [`only-${region}`] })));
  for (const [index, server] of servers.entries()) {
    const client = server.client();
    const { Buckets = [] } = await client.send(new ListBucketsCommand());
    const names = Buckets.map(({ Name }) => Name).filter((name) => name?.startsWith('only-'));
    assert.deepEqual(names, [`only-${regions[index]}`]);
    client.destroy();
    const other = servers[(index + 1) % 3] as (typeof servers)[number];
    const { accessKeyId, secretAccessKey } = other;
    const credentials = { accessKeyId, secretAccessKey };
    const stranger = new S3Client({
      endpoint: server.endpoint,
      region: server.region,
      forcePathStyle: true,
      credentials,
    });
    await assert.rejects(stranger.send(new ListBucketsCommand()), { name: 'InvalidAccessKeyId' });
    stranger.destroy();
  }
});

test('an S3 server that was cut off has its objects when it is back at the same address', async (t) => {
  const server = await testS3(t, { buckets: ['kept'] });
  const client = server.client();
  const where = { Bucket: 'kept', Key: 'a/b' };
  const body = Buffer.alloc(5_000_000, 'x');
  await client.send(new PutObjectCommand({ ...where, Body: body }));
  await server.stop();
  await assert.rejects(client.send(new ListBucketsCommand()), { code: /^ECONN(REFUSED|RESET)$/ });
  await server.start();
  const { Body } = await client.send(new GetObjectCommand(where));
  assert.equal((await Body?.transformToByteArray())?.length, body.length);
  client.destroy();
});

test('the shared Temporal server knows the search attributes', async () => {
  const connection = await Connection.connect({ address: await testTemporal() });
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
  for (const name of Object.keys(searchAttributes)) assert.ok(name in (customAttributes ?? {}), name);
  await connection.close();
});
