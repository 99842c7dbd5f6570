import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseToc } from '../../../../src/postgres/logical/archive-toc.ts';
import {
  clientEnvironment,
  databaseArgument,
  inDatabase,
} from '../../../../src/postgres/logical/client-environment.ts';
import { fits } from '../../../../src/postgres/logical/list-databases.ts';

const source = (url: string) => ({ component: 'database/main', url }) as const;

describe('where client programs connect', () => {
  it('is told by variables, with what the url says decoded', () => {
    const { env, secrets } = clientEnvironment(
      source('postgresql://dba:p%40ss%3Aword@db.example:5433/ledger?sslmode=verify-full'),
    );
    assert.deepEqual(env, {
      ...{ PGAPPNAME: 'holdfast', PGCONNECT_TIMEOUT: '15', PGHOST: 'db.example', PGPORT: '5433' },
      ...{ PGUSER: 'dba', PGPASSWORD: 'p@ss:word', PGDATABASE: 'ledger', PGSSLMODE: 'verify-full' },
    });
    assert.deepEqual(secrets, ['p@ss:word']);
  });

  it('may be a socket or an address of IPv6, and another database', () => {
    assert.equal(
      clientEnvironment(source('postgres://dba@/ledger?host=/run/postgresql')).env.PGHOST,
      '/run/postgresql',
    );
    assert.equal(clientEnvironment(source('postgres://dba@[::1]/ledger')).env.PGHOST, '::1');
    const { env, secrets } = clientEnvironment(inDatabase(source('postgres://dba@here/ledger'), 'a=b'));
    assert.deepEqual([env.PGDATABASE, secrets], ['a=b', []]);
  });

  it('is refused without showing what is no url', () => {
    assert.throws(
      () => clientEnvironment(source('password=hunter2')),
      (error: { code: string; message: string }) =>
        error.code === 'SECRET_UNRESOLVED' && !/hunter2/.test(error.message),
    );
  });

  it('quotes the name of a database that would be read as more than a name', () => {
    assert.equal(databaseArgument(`it's a\\b=c`), String.raw`--dbname=dbname='it\'s a\\b=c'`);
  });
});

describe('names of databases', () => {
  it('fit a pattern as a whole, and only a star stands for more', () => {
    assert.deepEqual(
      ['shop', 'shop_a', 'shop.a', 'my_shop'].filter((name) => fits('shop*', name)),
      ['shop', 'shop_a', 'shop.a'],
    );
    assert.ok(fits('shop.a', 'shop.a') && !fits('shop.a', 'shop_a'));
    assert.ok(fits('*', 'a\nb'));
  });
});

describe('the list of a dump', () => {
  it('tells number, kind and the rest of every entry', () => {
    const toc = parseToc(`;
; Archive created at 2026-11-26
215; 1259 16389 TABLE public empty postgres
3352; 0 16389 TABLE DATA public empty postgres
3356; 0 0 BLOBS - BLOBS 
3353; 0 16393 MATERIALIZED VIEW DATA public mv postgres
`);
    assert.deepEqual(
      toc.map(({ number, kind, rest }) => [number, kind, rest]),
      [
        [215, 'TABLE', 'public empty postgres'],
        [3352, 'TABLE DATA', 'public empty postgres'],
        [3356, 'BLOBS', '- BLOBS '],
        [3353, 'MATERIALIZED VIEW DATA', 'public mv postgres'],
      ],
    );
  });

  it('is refused when a line is none of a list', () => {
    assert.throws(() => parseToc('pg_restore: something else'), { code: 'BACKUP_INVALID' });
  });
});
