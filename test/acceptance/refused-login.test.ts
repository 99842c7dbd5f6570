// The role's password was changed after the recovered moment: the restore is good, and says what has to be mended before log and backups go on.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { estateSandbox } from '../support/estate-sandbox.ts';
import { waitFor } from '../support/wait-for.ts';

const estate = await estateSandbox();
const { sandbox } = estate;
const urlFile = path.join(sandbox.directory, 'secrets', 'database-url');
const newPassword = 'changed-after-the-moment';
const changePassword = `alter role holdfast password '${newPassword}'`;

let target: string;
let run: string;

test('a backup, a moment, then another password', async () => {
  await estate.query("create table ledger as select 'kept' as note");
  await estate.done('backup', 'database/main');
  target = await estate.moment();
  await estate.query("insert into ledger values ('later')");
  await estate.query(changePassword);
  const url = new URL((await readFile(urlFile, 'utf8')).trim());
  url.password = newPassword;
  await writeFile(urlFile, `${url.href}\n`, { mode: 0o600 });
  await estate.killWorker();
  await estate.startWorker();
  await estate.done('check', 'database/main');
});

test('the restore to before completes, with the statement that mends the refused login', async () => {
  const { exit, json, stdout } = await estate.holdfast(['restore', 'database/main', '--to', target, '--yes']);
  assert.equal(exit, 0, stdout);
  assert.equal(json.state, 'completed');
  run = json.run.id;
  assert.equal(await estate.value("select string_agg(note, ' ') from ledger"), 'kept');
  const [warning, ...more] = json.restore.warnings;
  assert.deepEqual(more, []);
  assert.deepEqual(json.warnings, json.restore.warnings);
  assert.match(warning, /the data is proved, but the server refuses the configured login/);
  assert.match(warning, /the log is not received and no backup is taken/);
  assert.match(warning, /ALTER ROLE holdfast PASSWORD/);
  assert.ok(!warning.includes(newPassword));
  const journal = await readFile(`${sandbox.postgres.dataDirectory}.holdfast/journal/${run}.jsonl`, 'utf8');
  const verified = journal
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .find(({ step, state }) => step === 'verify' && state === 'done');
  assert.match(verified.data.systemId, /^\d+$/);
  assert.match(verified.data.checkpointLsn, /^[0-9A-F]+\/[0-9A-F]+$/);
});

test('once it is mended, the log reaches every copy again and a backup is taken', async () => {
  const before = await estate.holdfast(['backup', 'database/main']);
  assert.equal(before.json.error?.code, 'DATABASE_AUTH', before.stdout);
  await estate.query(changePassword);
  const isRead = async () => (await estate.value('select active from pg_replication_slots')) === 'true';
  await waitFor('the receiver to be back by itself', isRead, { limitMs: 300_000, pauseMs: 500 });
  await estate.done('check', 'database/main');
  await estate.done('backup', 'database/main');
  await estate.done('confirm', run, '--yes');
});
