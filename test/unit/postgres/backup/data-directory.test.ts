// Which files of a data directory go into a base backup: what the server itself would send, name by name.

import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { findTablespaces, walkDataDirectory } from '../../../../src/postgres/backup/data-directory.ts';
import { temporaryDirectory } from '../../../support/temporary.ts';

const kept = [
  'PG_VERSION',
  'base/5/1259',
  'base/5/16385_init',
  'base/5/16386',
  'base/5/16386_fsm',
  'base/5/16386.1',
  'base/5/pg_filenode.map',
  'global/1262',
  'log/today.log',
  'pg_tblspc/16400/PG_17_1/5/16401',
  'pg_xact/0000',
  'postgresql.auto.conf',
];
const left = [
  'backup_label',
  'backup_manifest',
  'base/5/16385',
  'base/5/16385_fsm',
  'base/5/16385.1',
  'base/5/pg_internal.init',
  'base/5/t3_16390',
  'base/5/t3_16390_vm',
  'base/pgsql_tmp/pgsql_tmp1.0',
  'current_logfiles.tmp',
  'global/pg_control',
  'global/pg_internal.init.77',
  'pg_dynshmem/mmap.1',
  'pg_notify/0000',
  'pg_replslot/one/state',
  'pg_serial/0',
  'pg_snapshots/a',
  'pg_stat_tmp/db.stat',
  'pg_subtrans/0000',
  'pg_wal/000000010000000000000001',
  'pg_wal/archive_status/000000010000000000000001.done',
  'pg_wal/summaries/1.summary',
  'postgresql.auto.conf.tmp',
  'postmaster.opts',
  'postmaster.pid',
  'tablespace_map',
];

test('files are those of the server: no log, nothing of one life of it, of unlogged relations the init fork alone', async (t) => {
  const root = await temporaryDirectory(t);
  const space = await temporaryDirectory(t);
  const write = async (directory: string, file: string) => {
    await mkdir(path.join(directory, path.dirname(file)), { recursive: true });
    await writeFile(path.join(directory, file), file);
  };
  for (const file of [...kept, ...left]) {
    if (!file.startsWith('pg_tblspc')) await write(root, file);
  }
  await write(space, 'PG_17_1/5/16401');
  await write(space, 'PG_16_1/5/16401');
  await mkdir(path.join(root, 'pg_tblspc'));
  await symlink(space, path.join(root, 'pg_tblspc/16400'));
  await symlink('/etc/passwd', path.join(root, 'server.key'));

  const tablespaces = await findTablespaces(root);
  assert.deepEqual(tablespaces, [{ oid: 16_400, location: space }]);
  const skipped: string[] = [];
  const found = new Map<string, string>();
  const onSkipped = (name: string) => void skipped.push(name);
  for await (const { path: name, type } of walkDataDirectory({
    ...{ root, major: 17, tablespaceDirectory: 'PG_17_1', tablespaces, onSkipped },
  })) {
    assert.ok(!found.has(name), `${name} comes twice`);
    found.set(name, type);
  }
  const of = (type: string) => [...found].filter((each) => each[1] === type).map(([name]) => name);
  assert.deepEqual(of('file').sort(), kept.sort());
  assert.deepEqual(skipped, ['server.key']);
  assert.deepEqual(
    of('directory').filter((name) => /^pg_(wal|replslot|notify|subtrans|stat_tmp|tblspc)/.test(name)),
    [
      'pg_tblspc/16400/PG_17_1',
      'pg_tblspc/16400/PG_17_1/5',
      ...['pg_notify', 'pg_replslot', 'pg_stat_tmp', 'pg_subtrans', 'pg_tblspc', 'pg_wal'],
      ...['pg_wal/archive_status', 'pg_wal/summaries'],
    ],
  );
});

test('a tablespace inside of the data directory is no link, and is not taken for one', async (t) => {
  const root = await temporaryDirectory(t);
  await mkdir(path.join(root, 'pg_tblspc/16400'), { recursive: true });
  assert.equal(await findTablespaces(root), undefined);
});
