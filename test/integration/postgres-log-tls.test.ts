// Log through TLS, where the socket below the encryption reads into memory of its own.

import assert from 'node:assert/strict';
import { chmod, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { lsnValue, parseLsn, segmentName } from '../../src/domain/lsn.ts';
import { openReplication } from '../../src/postgres/connection/index.ts';
import { floorLsn, WalStream } from '../../src/postgres/receiver/wal-stream.ts';
import { run } from '../../src/process/index.ts';
import { giveToServer, type ScratchPostgres, startScratchPostgres } from '../support/scratch-postgres.ts';

const SEGMENT_BYTES = 1024 * 1024;
const hba = `local all all trust
hostssl all all 127.0.0.1/32 scram-sha-256
hostssl replication all 127.0.0.1/32 scram-sha-256
`;

async function encrypt(server: ScratchPostgres): Promise<void> {
  const [key, certificate] = ['server.key', 'server.crt'].map((name) => path.join(server.dataDirectory, name));
  const made = ['-x509', '-nodes', '-newkey', 'rsa:2048', '-days', '2', '-subj', '/CN=127.0.0.1'];
  await run('openssl', ['req', ...made, '-keyout', `${key}`, '-out', `${certificate}`]);
  await chmod(`${key}`, 0o600);
  await giveToServer(`${key}`, `${certificate}`);
  await server.stop();
  await server.start();
}

test('log comes through TLS as the server has it', async (t) => {
  const settings = { max_wal_size: '1GB' };
  const server = await startScratchPostgres(t, { major: 17, hba, settings, initdb: ['--wal-segsize=1'] });
  await server.query("alter system set ssl = 'on'");
  await encrypt(server);
  await server.query("select pg_create_physical_replication_slot('tls', true)");
  const [row] = await server.query('select pg_switch_wal()::text as lsn');
  const startLsn = floorLsn(parseLsn(row?.lsn ?? ''), SEGMENT_BYTES);
  await server.query(
    'create table filler as select repeat(md5(n::text), 8) as words from generate_series(1, 40000) as n',
  );
  const source = { component: 'database/main', url: `${server.url()}?sslmode=no-verify` } as const;
  const connection = await openReplication(source);
  t.after(() => connection.close());
  const stream = await WalStream.start(connection, { slot: 'tls', timeline: 1, startLsn });
  assert.ok(stream instanceof WalStream);
  const wantedBytes = 8 * SEGMENT_BYTES;
  const parts: Buffer[] = [];
  for (let bytes = 0; bytes < wantedBytes; ) {
    const message = await stream.next();
    if (message.type !== 'log') continue;
    const part = Buffer.concat(message.pieces);
    parts.push(part);
    bytes += part.length;
  }
  const came = Buffer.concat(parts);
  for (let at = 0; at < wantedBytes; at += SEGMENT_BYTES) {
    const number = (lsnValue(startLsn) + BigInt(at)) / BigInt(SEGMENT_BYTES);
    const name = segmentName(1, number, SEGMENT_BYTES);
    const there = await readFile(path.join(server.dataDirectory, 'pg_wal', name));
    assert.ok(came.subarray(at, at + SEGMENT_BYTES).equals(there), `segment ${name} came otherwise`);
  }
});
