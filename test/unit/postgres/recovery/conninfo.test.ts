// The way to a primary, in words that libpq reads: nothing secret in it, and no character lost.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { primaryConnection } from '../../../../src/postgres/recovery/conninfo.ts';

test('everything but the password is in the connection string, quoted', () => {
  const url =
    'postgresql://o%27neil:p%3Aa%5Css@db.example:5433/postgres?sslmode=verify-full&sslrootcert=/etc/ca.pem&application_name=x';
  assert.deepEqual(primaryConnection(url, '/w/passfile', 'standby_1'), {
    conninfo:
      "host='db.example' port='5433' user='o\\'neil' sslmode='verify-full' sslrootcert='/etc/ca.pem' application_name='standby_1' passfile='/w/passfile'",
    passwords: '*:*:*:*:p\\:a\\\\ss\n',
  });
});

test('without a password there is no file for one; addresses in brackets and sockets are hosts', () => {
  const made = primaryConnection('postgresql://me@[::1]/postgres', '/w/p', 's');
  assert.deepEqual(made, { conninfo: "host='::1' user='me' application_name='s'" });
  const socket = primaryConnection(
    'postgresql://me@localhost/postgres?host=/run/postgresql&sslmode=no-verify',
    '/w/p',
    's',
  );
  assert.equal(socket.conninfo, "host='/run/postgresql' user='me' sslmode='require' application_name='s'");
});

test('a password that a password file cannot hold is refused', () => {
  assert.throws(() => primaryConnection('postgresql://me:a%0Ab@h/postgres', '/w/p', 's'), { code: 'TARGET_UNFIT' });
});
