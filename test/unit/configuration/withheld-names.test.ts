// Files that are withheld by their names alone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinksInTree } from '../../../src/configuration/links-in-tree.ts';
import { WithheldNames } from '../../../src/configuration/withheld-names.ts';
import type { TreeEntry } from '../../../src/vault/index.ts';

test('files that programs keep passwords in are withheld whole, and their neighbours are not', () => {
  const names = new WithheldNames([]);
  const reason = (path: string) => names.reasonFor(path, { path, type: 'file', mode: 0o600, sizeBytes: 1 } as never);
  for (const name of [
    'ipsec.secrets',
    'rsyncd.secrets',
    'ppp/chap-secrets',
    'postfix/sasl_passwd.db',
    'exim4/passwd.client',
  ])
    assert.equal(reason(`etc/${name}`), 'name of a secret file', name);
  for (const name of ['etc/pgbouncer/userlist.txt', 'var/lib/rabbitmq/.erlang.cookie', 'root/.mylogin.cnf'])
    assert.equal(reason(name), 'name of a secret file', name);
  for (const name of ['etc/passwd', 'etc/ipsec.conf', 'etc/secrets.conf', 'etc/list.txt'])
    assert.equal(reason(name), undefined);
});

const entry = (path: string, changes: object = {}) =>
  ({ path, type: 'file', mode: 0o600, mtimeSeconds: 1, sizeBytes: 4, ...changes }) as TreeEntry;

test('what a link with such a name leads to is withheld, however many links lead there', () => {
  const entries = [
    entry('etc/app/db.key', { type: 'symlink', linkTarget: '..data/db' }),
    entry('etc/app/..data', { type: 'symlink', linkTarget: '..2026_11' }),
    entry('etc/app/..2026_11/db'),
    entry('etc/app/..2026_11/other'),
    entry('etc/app/asked', { type: 'symlink', linkTarget: '/etc/store/one' }),
    entry('etc/store/one/deep/file'),
    entry('etc/store/two'),
    entry('etc/circle.key', { type: 'symlink', linkTarget: 'circle.key' }),
    entry('etc/out.key', { type: 'symlink', linkTarget: '../../../../nowhere' }),
  ];
  const links = new LinksInTree(entries);
  assert.equal(links.placeOf('etc/app/db.key'), 'etc/app/..2026_11/db');
  assert.equal(links.placeOf('etc/circle.key'), undefined);
  assert.equal(links.placeOf('etc/out.key'), 'nowhere');
  const names = new WithheldNames(['/etc/app/asked/'], ['digest-of-ours']);
  names.noteAll(
    entries.map((each) => {
      const leadsTo = links.placeOf(each.path);
      return {
        path: each.path,
        file: each.type === 'file' ? each : undefined,
        ...(each.type === 'symlink' && leadsTo !== undefined && { leadsTo }),
      };
    }),
  );
  const isWithheld = (path: string) => names.reasonFor(path, entry(path)) !== undefined;
  for (const path of ['etc/app/..2026_11/db', 'etc/store/one/deep/file']) assert.ok(isWithheld(path), path);
  for (const path of ['etc/app/..2026_11/other', 'etc/store/two']) assert.ok(!isWithheld(path), path);
  assert.ok(names.reasonFor('x', entry('x', { sha256: 'digest-of-ours' })));
});
