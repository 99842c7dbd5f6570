// Why a recovering server has ended: only what itself or its restore command could not write is a disk that is full.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { HoldfastError } from '../../../../src/errors/index.ts';
import { explainEnd } from '../../../../src/postgres/recovery/await-server.ts';
import { startLine } from '../../../../src/postgres/recovery/recovery-server.ts';
import { temporaryDirectory } from '../../../support/temporary.ts';

const at = (level: string, words: string) => `2026-11-26 10:00:00.000 UTC [42] ${level}:  ${words}`;
const started = at('LOG', 'starting PostgreSQL 18.1 on x86_64-pc-linux-gnu');
const ended = at(
  'FATAL',
  'could not restore file "000000010000000000000007" from archive: child process exited with exit code 255',
);
const noRoom = 'No space left on device';

async function endOf(t: TestContext, ...lines: readonly string[]): Promise<HoldfastError> {
  const log = path.join(await temporaryDirectory(t), 'server.log');
  await writeFile(log, lines.map((line) => `${line}\n`).join(''));
  return await explainEnd('the recovering server', log).catch((cause: unknown) => cause as HoldfastError);
}

const codeOf = async (...asked: Parameters<typeof endOf>) => (await endOf(...asked)).code;

test('a server that could not write, or whose restore command could not, has no room', async (t) => {
  const told = [
    at('FATAL', `could not write to file "pg_wal/xlogtemp.42": ${noRoom}`),
    at('PANIC', `could not extend file "base/5/16384": ${noRoom}`),
    at('FATAL', 'could not write to file "pg_wal/xlogtemp.42": Disk quota exceeded'),
    `cp: error writing 'pg_wal/RECOVERYXLOG': ${noRoom}`,
    `ln: pg_wal/RECOVERYXLOG: ${noRoom}`,
    `/srv/my data.holdfast/runs/restore-00000001/quarantine/restore-command.sh: 21: cannot create /srv/wanted/7: ${noRoom}`,
  ];
  for (const line of told) assert.equal(await codeOf(t, started, line, ended), 'NO_SPACE', line);
});

test('the same words of memory, of a query, of a message told on, or of an earlier start say nothing of the disk', async (t) => {
  const others = [
    at('ERROR', `could not resize shared memory segment "/PostgreSQL.17" to 8388608 bytes: ${noRoom}`),
    at('FATAL', `could not resize shared memory segment "/PostgreSQL.17" to 8388608 bytes: ${noRoom}`),
    at('FATAL', `could not create semaphores: ${noRoom}`),
    at('ERROR', `could not write to file "base/pgsql_tmp/pgsql_tmp42.0": ${noRoom}`),
    at('STATEMENT', `select 'FATAL: ${noRoom}'`),
    `a program of somebody's: ${noRoom}`,
  ];
  for (const line of others) assert.equal(await codeOf(t, started, line, ended), 'RECOVERY_FAILED', line);
  const earlier = at('FATAL', `could not write to file "pg_wal/xlogtemp.42": ${noRoom}`);
  assert.equal(await codeOf(t, started, earlier, started, ended), 'RECOVERY_FAILED');
});

test('a start that ended before the server said a word is not explained by an earlier one', async (t) => {
  const earlier = [startLine, started, at('FATAL', `could not write to file "pg_wal/xlogtemp.42": ${noRoom}`), ended];
  const silent = await endOf(t, ...earlier, startLine);
  assert.deepEqual(
    [silent.code, silent.message, silent.details?.log],
    ['RECOVERY_FAILED', 'the recovering server ended: without a word', ''],
  );
  const refused = "setpriv: failed to execute '/usr/lib/postgresql/18/bin/postgres': Permission denied";
  assert.equal((await endOf(t, ...earlier, startLine, refused)).message, `the recovering server ended: ${refused}`);
  const killed = await endOf(t, ...earlier, startLine, started, at('LOG', 'redo starts at 0/2000028'));
  assert.equal(killed.message, 'the recovering server ended: without a word');
  assert.equal(await codeOf(t, ...earlier, startLine, started, ...earlier.slice(2)), 'NO_SPACE');
});
