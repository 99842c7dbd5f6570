// What `files find` says of a path that is in no snapshot, and what a backup of several components says beside each.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foundLines } from '../../../src/cli/render/files-history.ts';
import { renderText } from '../../../src/cli/render/text.ts';
import { outcome } from '../../../src/cli/result.ts';
import type { FilesFound } from '../../../src/domain/files-history.ts';

test('a path that no snapshot has comes with the reasons', () => {
  const moment = {
    id: '20261123T061407Z-00000001',
    from: '2026-11-23T06:14:07.000000Z',
    to: '2026-11-23T06:15:00.000000Z',
  };
  const state = { first: moment, last: moment, snapshots: 2, why: 'not captured' };
  const looked = { snapshots: 2, oldest: moment, newest: moment };
  const found = { component: 'files/uploads', wanted: '/etc/passwd', looked, unread: [], paths: [], hasMore: false };
  const [first, second] = foundLines({ ...found, absent: [state] } as unknown as FilesFound, 'UTC');
  assert.equal(first, "'/etc/passwd' is in none of 2 snapshots of files/uploads");
  assert.match(second ?? '', /20261123T061407Z-00000001.* 2 snapshots +not captured: no root of then has it$/);
});

test('each of several backups comes with its own warnings', () => {
  const run = (id: string) => ({ id, workflowId: id, operation: 'backupFiles', component: 'files/uploads' });
  const components = [
    { state: 'completed', run: run('backup-00000001'), warnings: ['1 left out: /srv/u/sock (socket)'] },
    { state: 'completed', run: run('backup-00000002') },
  ] as const;
  const lines = renderText(outcome('several', { state: 'completed', components }), new Date()).split('\n');
  const warned = lines.findIndex((line) => line.includes('warning: 1 left out: /srv/u/sock (socket)'));
  const other = lines.findIndex((line) => line.startsWith('backup-00000002'));
  assert.ok(warned > 0 && warned < other, lines.join('\n'));
});
