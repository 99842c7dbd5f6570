// What a person reads at whose restore another one is under way: whose that is, in what the two differ, what to type.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonical } from '../../../activities/lib/canonical.ts';
import type { RestoreFilesInput, RestorePartInput, RunStatus } from '../../../src/domain/operations.ts';
import { busyWith } from '../../../src/temporal/busy-with.ts';

const common = { estate: 'acme', host: 'db1', approval: 'never', approveWithinSeconds: 60 } as const;
const files = (more: Partial<RestoreFilesInput>) =>
  canonical('restoreFiles', { ...common, component: 'files/uploads', to: 'latest', ...more }).request;
const part = (more: Partial<RestorePartInput>) =>
  canonical('restorePart', { ...common, component: 'database/main', to: 'latest', ...more }).request;

const running = (request: string | undefined, more: Partial<RunStatus> = {}): RunStatus => ({
  ...{ run: 'restore-3f9a1c2b', workflowId: 'acme/restore/files/uploads', operation: 'restoreFiles' },
  ...{ component: 'files/uploads', state: 'running', steps: [], message: '', by: 'ada@db1' },
  startedAt: '2026-11-23T03:02:11.507Z',
  data: request === undefined ? {} : { request },
  ...more,
});

test('it is told in words: which run of what, since when, by whom, what it was asked for and what it was not', () => {
  const error = busyWith(running(files({ from: 'eu' })), files({ to: '2026-11-23T02:59:00Z', paths: ['/srv/a, b'] }));
  assert.deepEqual(error.message.split('\n'), [
    'the restore of files/uploads is under way and was asked for something else',
    'restore-3f9a1c2b, since 2026-11-23T03:02:11Z, by ada@db1',
    'it was asked for: to latest, from eu',
    'it was not asked for: to 2026-11-23T02:59:00Z, path /srv/a, b',
  ]);
  assert.match(error.hint, /`holdfast show restore-3f9a1c2b`.*type this again.*`holdfast cancel restore-3f9a1c2b`/);
});

test('one that differs only by being asked for less has nothing of its own to tell', () => {
  const { message } = busyWith(running(files({})), files({ from: 'eu' }));
  assert.match(message, /by ada@db1\nit was not asked for: from eu$/);
});

test('one that waits for approval is answered, one that cannot tell is looked at, one that has ended is in nobody’s way', () => {
  assert.match(busyWith(running(files({}), { state: 'waiting' }), files({ from: 'eu' })).hint, /holdfast approve rest/);
  const silent = busyWith(running(undefined), files({}));
  assert.match(silent.message, /^the restore of files\/uploads is under way and does not tell yet what it was asked/);
  const over = busyWith(running(files({}), { endedAt: '2026-11-23T03:10:00.000Z' }), files({ from: 'eu' }));
  assert.match(over.message, /^the restore of files\/uploads was under way until now/);
  assert.match(over.hint, /^type this again/);
});

test('what is about all components is about the vault', () => {
  const status = running('hashed', { operation: 'verifySnapshots', component: 'vault', run: 'verify-3f9a1c2b' });
  const { message } = busyWith(status, 'decrypted on eu');
  assert.match(
    message,
    /^the verification of the vault is .*\n.*\nit was asked for: hashed\nit was not asked for: decr/,
  );
});

test('what a version of before noted, by position or in one sentence, is told as far as it has words', () => {
  const before = JSON.stringify(['files/uploads', 'latest', [], [], 'eu', null]);
  assert.match(busyWith(running(before), files({})).message, /\nit was asked for: latest, eu\n/);
  assert.match(busyWith(running('files/uploads, to latest'), files({})).message, /for: files\/uploads, to latest\n/);
});

test('two requests have one text only when they are one', () => {
  assert.notEqual(files({ paths: ['/a', '/b'] }), files({ paths: ['/a, path /b'] }));
  assert.notEqual(files({ paths: ['/a'] }), files({ patterns: ['/a'] }));
  const table = (schema: string, name: string) => part({ table: { schema, table: name }, replace: true });
  assert.notEqual(table('a.b', 'c'), table('a', 'b.c'));
  assert.equal(table('ledger', 'entries'), table('ledger', 'entries'));
});
