// A cluster that was never prepared: what it lacks is told as statements, run only with consent, and enough for everything that Holdfast asks of it.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Configuration, SecretReference } from '../../config/index.ts';
import { setUpHost } from '../../src/host/setup.ts';
import { preflight } from '../../src/postgres/preflight.ts';
import { logger, slot } from '../support/receiver-host.ts';
import { startScratchPostgres } from '../support/scratch-postgres.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { COMPONENT, testVault } from '../support/vault.ts';

const ROLE = 'the "backup" role';
const PASSWORD = 'not to be seen, p@ss/word';

async function unprepared(t: TestContext, major: number) {
  const settings = { log_statement: 'all', max_wal_senders: 1, logging_collector: 'off' };
  const server = await startScratchPostgres(t, { major, settings });
  const made = await testVault();
  t.after(() => made[Symbol.asyncDispose]());
  const directory = await temporaryDirectory(t);
  const reference = async (name: string, text: string) => {
    await writeFile(path.join(directory, name), text, { mode: 0o600 });
    return `file:${path.join(directory, name)}` as SecretReference;
  };
  const url = server.url(encodeURIComponent(ROLE), PASSWORD);
  const admin = await reference('admin', server.url());
  const copies = Object.fromEntries(
    made.vault.copies.map(({ name }) => [
      name,
      { file: made.path(name), site: 'home', medium: 'disk', offsite: false },
    ]),
  );
  const main = {
    ...{ kind: 'database', id: COMPONENT, name: 'main', host: 'here', url: await reference('url', url) },
    ...{ backup: {}, reading: { way: 'auto' } },
  };
  const configuration = {
    ...{ name: 'acme', timezone: 'UTC', sites: { home: {} } },
    hosts: { here: { site: 'home', stateDirectory: path.join(directory, 'state') } },
    vault: { keys: [{ name: 'host', file: made.keyFile }], copies, commit: made.vault.policy },
    ...{ redis: {}, files: {}, configuration: {} },
    database: { main: { ...main, dataDirectory: server.dataDirectory, log: { withinSeconds: 900 }, objective: {} } },
  } as unknown as Configuration;
  const setUp = (options: { admin?: SecretReference; isAgreed?: boolean; dryRun?: boolean }) =>
    setUpHost(configuration, {
      ...{ host: 'here', logger, dryRun: options.dryRun === true, makeKeys: false, allowUnlimitedSlot: false },
      ...(options.admin && { admin: { reference: options.admin, isAgreed: options.isAgreed === true } }),
      onStep: () => undefined,
    });
  return { server, url, admin, setUp };
}

for (const major of [15, 18]) {
  test(`role, rights and settings are told, made with consent alone, and are enough, on ${major}`, async (t) => {
    const { server, url, admin, setUp } = await unprepared(t, major);
    const roles = () =>
      server.query<{ n: string }>(`select count(*)::text as n from pg_roles where rolname like 'the %'`);
    const stepOf = (steps: Awaited<ReturnType<typeof setUp>>, name: string) => steps.find((step) => step.name === name);

    const told = stepOf(await setUp({}), 'database/main server');
    assert.equal(told?.state, 'failed');
    assert.match(told?.error?.hint ?? '', /holdfast setup --admin env:ADMIN_URL --dry-run/);

    const dry = await setUp({ admin, dryRun: true });
    const planned = stepOf(dry, 'database/main adoption');
    assert.equal(planned?.state, 'planned');
    for (const statement of [
      `CREATE ROLE "the ""backup"" role" LOGIN REPLICATION PASSWORD '…'`,
      `GRANT pg_read_all_settings TO "the ""backup"" role"`,
      `GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() TO "the ""backup"" role"`,
      `GRANT EXECUTE ON FUNCTION pg_catalog.pg_backup_start(text, boolean) TO "the ""backup"" role"`,
      `GRANT EXECUTE ON FUNCTION pg_catalog.pg_backup_stop(boolean) TO "the ""backup"" role"`,
      `ALTER SYSTEM SET max_wal_senders = '4'`,
      `ALTER SYSTEM SET max_slot_wal_keep_size = '`,
    ]) {
      assert.ok(planned?.message.includes(statement), `${statement} in ${planned?.message}`);
    }
    assert.match(planned?.message ?? '', /then the server must be restarted, for 1 of them$/);
    assert.deepEqual(
      dry.filter(({ name }) => /server|slot$/.test(name)).map(({ state }) => state),
      ['planned', 'planned'],
    );

    const refused = stepOf(await setUp({ admin }), 'database/main adoption');
    assert.equal(refused?.error?.code, 'USAGE');
    assert.equal((await roles())[0]?.n, '0');

    const adopted = await setUp({ admin, isAgreed: true });
    assert.equal(stepOf(adopted, 'database/main adoption')?.state, 'done');
    // Only the restart is left, and said.
    assert.match(stepOf(adopted, 'database/main server')?.message ?? '', /^max_wal_senders: /);
    await server.stop();
    await server.start();

    const again = await setUp({ admin, isAgreed: true });
    assert.deepEqual(
      again.filter(({ name }) => name.startsWith('database/main')).map(({ name, state }) => [name, state]),
      [
        ['database/main adoption', 'present'],
        ['database/main server', 'present'],
        ['database/main slot', 'done'],
      ],
    );
    const [role] = await server.query<{ super: boolean; data: boolean }>(
      `select rolsuper as super, pg_has_role(oid, 'pg_read_all_data', 'usage') as data from pg_roles where rolname like 'the %'`,
    );
    assert.deepEqual(role, { super: false, data: false });
    const checks = await preflight({ component: COMPONENT, url }, { slot, files: true });
    assert.deepEqual(
      checks.filter(({ ok }) => !ok),
      [],
    );
    assert.match(checks.find(({ name }) => name === 'base backups')?.message ?? '', /^full ones read the files in '/);
    const log = await readFile(path.join(server.directory, 'server.log'), 'utf8');
    assert.match(log, /CREATE ROLE "the ""backup"" role" LOGIN REPLICATION PASSWORD 'SCRAM-SHA-256\$/);
    assert.ok(!log.includes(PASSWORD) && !log.includes(encodeURIComponent(PASSWORD)));
  });
}

test('an administrator of another server, or without the right to change one, is refused before anything is run', async (t) => {
  const { server, url, setUp } = await unprepared(t, 17);
  const directory = await temporaryDirectory(t);
  const refusedFor = async (text: string) => {
    const file = path.join(directory, 'other');
    await writeFile(file, text, { mode: 0o600 });
    const steps = await setUp({ admin: `file:${file}` as SecretReference, isAgreed: true });
    return steps.find(({ name }) => name === 'database/main adoption')?.error;
  };
  const elsewhere = await refusedFor(`postgres://postgres:x@127.0.0.1:1/${new URL(url).pathname.slice(1)}`);
  assert.equal(elsewhere?.code, 'DATABASE_IDENTITY');
  assert.equal((await refusedFor(server.url('postgres', undefined, 'template1')))?.code, 'DATABASE_IDENTITY');
  await server.query(`create role mere login password 'mere'`);
  assert.equal((await refusedFor(server.url('mere', 'mere')))?.code, 'DATABASE_PRIVILEGE');
});
