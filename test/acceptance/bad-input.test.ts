// What people get wrong: each is refused with its code, a hint that mends it and its exit status, and nothing is touched.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { run } from '../../src/process/index.ts';
import { localObjects } from '../support/estate-objects.ts';
import { type Answer, estateSandbox } from '../support/estate-sandbox.ts';

const estate = await estateSandbox();
const { sandbox } = estate;
const { directory, postgres } = sandbox;
const { dataDirectory, bindir, runAs } = postgres;
const text = await readFile(sandbox.configuration, 'utf8');
const databaseUrl = await readFile(path.join(directory, 'secrets', 'database-url'), 'utf8');
const user = runAs === undefined ? {} : { runAs };

/** A secret beside the real ones. */
const secret = (name: string, value: string) =>
  writeFile(path.join(directory, 'secrets', name), `${value}\n`, { mode: 0o600 });

/** The configuration with something changed, beside the real one. */
async function variant(name: string, ...changes: readonly (readonly [string, string])[]): Promise<string> {
  const changed = changes.reduce((before, [from, to]) => {
    assert.ok(before.includes(from), from);
    return before.replace(from, to);
  }, text);
  const file = path.join(directory, `${name}.yaml`);
  await writeFile(file, changed);
  return file;
}

function refused({ exit, json, stderr, stdout }: Answer, code: string, status: number, hint: RegExp): void {
  assert.equal(json?.error?.code, code, `${stdout}${stderr}`);
  assert.equal(exit, status, stdout);
  assert.match(json.error.hint, hint);
}

/** Packs, manifests and keys; the log goes on whatever a person does, and runs leave their records. */
async function kept(): Promise<string[]> {
  const keys = [...(await localObjects(sandbox.copies.local.path)).keys()];
  return keys.filter((key) => !/\/log\/|^runs\/|^probe|^leases\//.test(key));
}

/** The production data and all that stands beside it. */
const beside = async () => (await readdir(path.dirname(dataDirectory))).toSorted();

const noTemporal = [sandbox.temporal.address, '127.0.0.1:1'] as const;
const withoutKeyFile = [/^.*name: host, file.*\n/m.exec(text)?.[0] ?? '', ''] as const;
const wrongPassphrase = ['file:secrets/passphrase', 'file:secrets/wrong-passphrase'] as const;

test('a wrong passphrase, with the key file gone, opens nothing', async () => {
  await secret('wrong-passphrase', 'correct horse battery staple');
  const before = await kept();
  const gone = await variant('key-gone', ['secrets/vault.key', 'secrets/gone.key'], wrongPassphrase);
  refused(await estate.holdfast(['setup', '--yes'], gone), 'VAULT_KEY_WRONG', 3, /bring the key file back/);
  const alone = await variant('passphrase-alone', withoutKeyFile, wrongPassphrase, noTemporal);
  refused(await estate.holdfast(['setup', '--yes'], alone), 'VAULT_KEY_WRONG', 3, /check the key file or passphrase/);
  const answer = await estate.holdfast(['list'], alone);
  refused(answer, 'TEMPORAL_UNREACHABLE', 1, /none of the keys 'safe' opens the vault/);
  assert.equal(answer.json.error.details.host.code, 'VAULT_KEY_WRONG');
  assert.deepEqual(await kept(), before);
  assert.ok(!(await readdir(path.join(directory, 'secrets'))).includes('gone.key'));
});

test('the right passphrase alone opens the vault', async () => {
  const alone = await variant('passphrase-right', withoutKeyFile, noTemporal);
  const { exit, json } = await estate.holdfast(['list'], alone);
  assert.equal(exit, 0, JSON.stringify(json));
});

test('a database that cannot be reached', async () => {
  await secret('far-url', databaseUrl.trim().replace(`:${postgres.port}/`, ':1/'));
  const far = await variant('far', ['secrets/database-url', 'secrets/far-url']);
  refused(await estate.holdfast(['setup', '--yes'], far), 'DATABASE_UNREACHABLE', 1, /is the server running/);
});

test('a role without REPLICATION', async () => {
  await estate.query(`create role weak login password 'weak-password'`);
  await secret('weak-url', `postgres://weak:weak-password@127.0.0.1:${postgres.port}/postgres`);
  const weak = await variant('weak', ['secrets/database-url', 'secrets/weak-url']);
  refused(await estate.holdfast(['setup', '--yes'], weak), 'DATABASE_PRIVILEGE', 3, /run: ALTER ROLE weak REPLICATION/);
  // The worker has another file: it does not work by one that it did not read.
  refused(await estate.holdfast(['backup', 'database/main'], weak), 'CONFIG_MISMATCH', 3, /restart the worker/);
});

test('a wrong password', async () => {
  await secret('other-url', `postgres://holdfast:other@127.0.0.1:${postgres.port}/postgres`);
  const other = await variant('other', ['secrets/database-url', 'secrets/other-url']);
  refused(await estate.holdfast(['setup', '--yes'], other), 'DATABASE_AUTH', 3, /check role 'holdfast', its password/);
});

test('a pg_hba.conf that lets nobody replicate', async () => {
  const file = path.join(dataDirectory, 'pg_hba.conf');
  const lines = await readFile(file, 'utf8');
  const reload = async (content: string) => {
    await writeFile(file, content);
    await estate.query('select pg_reload_conf()');
  };
  await reload(lines.replace(/^host replication.*\n/m, ''));
  try {
    const line = /add this line to pg_hba.conf and reload: host replication holdfast 127.0.0.1\/32 scram-sha-256/;
    refused(await estate.holdfast(['setup', '--yes']), 'DATABASE_HBA', 3, line);
  } finally {
    await reload(lines);
  }
  assert.equal((await estate.holdfast(['setup', '--yes'])).exit, 0);
});

test('targets that cannot be: nothing is touched, and production goes on', async () => {
  await estate.query('create table precious as select 42 as n');
  await estate.done('backup', 'database/main');
  const before = [await kept(), await beside(), await estate.value('select pg_postmaster_start_time()')];
  const restore = (...args: string[]) => estate.holdfast(['restore', 'database/main', '--yes', ...args]);
  refused(await restore('--to', '2099-01-01T00:00:00Z'), 'TARGET_OUTSIDE', 3, /nearest/);
  refused(await restore('--to', '2001-01-01T00:00:00Z'), 'TARGET_OUTSIDE', 3, /nearest/);
  refused(await restore('--to', 'lsn:FF/FF000000'), 'TARGET_OUTSIDE', 3, /./);
  refused(await restore('--to', 'name:nobody-made-it'), 'TARGET_OUTSIDE', 3, /./);
  refused(await restore('--to', 'next tuesday'), 'MOMENT_INVALID', 2, /write a moment such as/);
  refused(await restore('--to', '2026-02-30T00:00:00Z'), 'MOMENT_INVALID', 2, /./);
  const full = path.join(path.dirname(dataDirectory), 'full');
  await mkdir(full);
  await writeFile(path.join(full, 'file'), 'of somebody');
  refused(await restore('--to', 'latest', '--beside', full), 'TARGET_UNFIT', 3, /./);
  assert.equal(await readFile(path.join(full, 'file'), 'utf8'), 'of somebody');
  refused(await estate.holdfast(['restore', 'database/mian', '--to', 'latest']), 'UNKNOWN_COMPONENT', 2, /main/);
  const now = [
    await kept(),
    (await beside()).filter((name) => name !== 'full'),
    await estate.value('select pg_postmaster_start_time()'),
  ];
  assert.deepEqual(now, before);
  assert.equal(await estate.value('select n from precious'), '42');
});

test('a target with too little space is refused with the numbers, and nothing is put there', async (t) => {
  // A file system of its own that is really too small; only root may mount one.
  assert.equal(process.getuid?.(), 0, 'this test mounts a small file system, for which it must be root');
  const small = path.join(directory, 'small');
  await mkdir(small);
  await run('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=0755', 'tmpfs', small]);
  t.after(() => run('umount', [small]));
  const answer = await estate.holdfast(['restore', 'database/main', '--to', 'latest', '--beside', `${small}/new`]);
  refused(answer, 'NO_SPACE', 3, /make room for [\d.]+ MiB more there, or choose a directory on another one/);
  assert.match(answer.json.error.message, /needs [\d.]+ MiB, and 16\.0 MiB are free in '.*\/small'/);
  const { neededBytes, availableBytes } = answer.json.error.details;
  assert.equal(availableBytes, 16 * 2 ** 20);
  assert.ok(neededBytes > availableBytes);
  assert.equal(answer.json.state, 'refused');
  assert.deepEqual(await readdir(small), []);
  assert.equal(await estate.value('select n from precious'), '42');
});

test('a data directory of another cluster is not replaced', async () => {
  const other = path.join(path.dirname(dataDirectory), 'other');
  await run(path.join(bindir, 'initdb'), ['-D', other, '-U', 'postgres', '--no-sync'], { cwd: '/', ...user });
  const control = await readFile(path.join(other, 'global', 'pg_control'));
  const configuration = await variant('elsewhere', [JSON.stringify(dataDirectory), JSON.stringify(other)]);
  await estate.killWorker();
  await estate.startWorker(configuration);
  const args = ['restore', 'database/main', '--to', 'latest', '--yes'];
  refused(await estate.holdfast(args, configuration), 'DATABASE_IDENTITY', 3, /nothing was touched|check/);
  assert.deepEqual(await readFile(path.join(other, 'global', 'pg_control')), control);
  assert.deepEqual(
    (await beside()).filter((name) => /before|removing/.test(name)),
    [],
  );
  assert.equal(await estate.value('select n from precious'), '42');
});
