// Connecting to real servers: what a person is told when it fails, and what the cluster says of itself.

import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { openPlain, openReplication } from '../../src/postgres/connection/index.ts';
import { identify } from '../../src/postgres/identity.ts';
import { preflight } from '../../src/postgres/preflight.ts';
import { findTools } from '../../src/postgres/tools.ts';
import { freePort, type ScratchPostgres, startScratchPostgres } from '../support/scratch-postgres.ts';

const component = 'database/main';
const password = 'hush-4711';

async function addRole(server: ScratchPostgres, role: string, attributes: string): Promise<void> {
  await server.query(`create role ${role} login ${attributes} password '${password}'`);
}

/** Everything an error could carry out of the process. */
function everything(error: unknown): string {
  const { stack, cause } = error as Error;
  return `${stack} ${JSON.stringify(error)} ${cause instanceof Error ? everything(cause) : String(cause)}`;
}

for (const major of [15, 17, 18]) {
  test(`a role with only LOGIN and REPLICATION learns who PostgreSQL ${major} is`, async (t) => {
    const server = await startScratchPostgres(t, { major, initdb: ['--data-checksums', '--wal-segsize=4'] });
    await addRole(server, 'keeper', 'replication');
    const source = { component, url: server.url('keeper', password) } as const;
    const identity = await identify(source);
    const [control] = await server.query('select system_identifier::text as id from pg_control_system()');
    assert.equal(identity.systemId, control?.id);
    assert.equal(identity.major, major);
    assert.deepEqual(
      [identity.timeline, identity.role, identity.segmentSizeBytes, identity.pageSizeBytes, identity.pageChecksums],
      [1, 'primary', 4 * 1024 * 1024, 8192, true],
    );
    assert.equal(identity.dataDirectory, '');
    await server.query('grant pg_read_all_settings to keeper');
    assert.equal((await identify(source)).dataDirectory, server.dataDirectory);

    const checks = await preflight(source);
    assert.deepEqual(
      checks.filter((check) => !check.ok).map((check) => check.name),
      ['max_slot_wal_keep_size'],
    );
    assert.match(
      checks.find((check) => !check.ok)?.hint ?? '',
      /^run: ALTER SYSTEM SET max_slot_wal_keep_size = '64GB'; then run: SELECT pg_reload_conf\(\);$/,
    );
    assert.ok((await preflight(source, { allowUnlimitedSlot: true })).every((check) => check.ok));
  });
}

test('every reason not to be let in has its error and the statement or line that helps', async (t) => {
  const port = await freePort();
  const hba = `local all all trust
host all all 127.0.0.1/32 scram-sha-256
host replication keeper 127.0.0.1/32 scram-sha-256
host replication plain 127.0.0.1/32 scram-sha-256
`;
  const server = await startScratchPostgres(t, { major: 15, hba });
  await addRole(server, 'keeper', 'replication');
  await addRole(server, 'plain', '');
  await addRole(server, 'outsider', 'replication');
  const at = (url: string) => ({ component, url }) as const;
  const cases = [
    [
      openPlain,
      `postgresql://keeper:${password}@127.0.0.1:${port}/postgres`,
      'DATABASE_UNREACHABLE',
      /ECONNREFUSED/,
      /is the server running/,
    ],
    [
      openPlain,
      server.url('keeper', `${password}x`),
      'DATABASE_AUTH',
      /password authentication failed/,
      /check role 'keeper'/,
    ],
    [openPlain, server.url('nobody', password), 'DATABASE_AUTH', /authentication failed/, /check role 'nobody'/],
    [
      openPlain,
      server.url('keeper', password, 'nowhere'),
      'DATABASE_AUTH',
      /database "nowhere" does not exist/,
      /database in the url/,
    ],
    [
      openReplication,
      server.url('plain', password),
      'DATABASE_PRIVILEGE',
      /replication|WAL sender/,
      /^run: ALTER ROLE plain REPLICATION;$/,
    ],
    [
      openReplication,
      server.url('outsider', password),
      'DATABASE_HBA',
      /no pg_hba.conf entry for replication connection/,
      /^add this line to pg_hba.conf and reload: host replication outsider 127.0.0.1\/32 scram-sha-256$/,
    ],
    [
      openPlain,
      `mysql://keeper:${password}@127.0.0.1/x`,
      'SECRET_UNRESOLVED',
      /is not the url of a PostgreSQL database/,
      /expected postgresql:/,
    ],
  ] as const;
  for (const [open, url, code, message, hint] of cases) {
    await assert.rejects(open(at(url)), (error: Error & { code: string; hint: string }) => {
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      assert.match(error.hint, hint);
      assert.ok(!everything(error).includes(password), 'the password shows in the error');
      return true;
    });
  }
  const checks = await preflight(at(server.url('outsider', password)));
  assert.equal(checks.find((check) => check.name === 'replication connection')?.ok, false);
});

test('a line that was missing in pg_hba.conf is exactly the one that the hint gave', async (t) => {
  const hba = 'local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n';
  const server = await startScratchPostgres(t, { major: 17, hba });
  await addRole(server, 'keeper', 'replication');
  const source = { component, url: server.url('keeper', password) } as const;
  const error = await openReplication(source).then(
    () => assert.fail('was let in'),
    (e: Error & { hint: string }) => e,
  );
  await appendFile(path.join(server.dataDirectory, 'pg_hba.conf'), `${error.hint.split(': ')[1]}\n`);
  await server.query('select pg_reload_conf()');
  // The postmaster reads the file a moment after it was told to.
  for (let attempt = 0; ; attempt += 1) {
    try {
      (await openReplication(source)).close();
      break;
    } catch (refused) {
      if (attempt > 200) throw refused;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
});

test('a server that hangs is given up after the deadline', async (t) => {
  const server = await startScratchPostgres(t, { major: 15 });
  const connection = await openPlain({ component, url: server.url() }, { statementMs: 300 });
  await assert.rejects(connection.query('wait', 'select pg_sleep(60)'), { code: 'DATABASE_UNREACHABLE' });
  await connection.close();
});

test('programs of another major are not taken for the right ones', async () => {
  assert.equal((await findTools(15)).major, 15);
  await assert.rejects(findTools(12), { code: 'TOOL_VERSION' });
});
