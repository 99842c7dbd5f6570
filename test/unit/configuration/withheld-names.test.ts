// Files that are withheld by their names alone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WithheldNames } from '../../../src/configuration/withheld-names.ts';

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
