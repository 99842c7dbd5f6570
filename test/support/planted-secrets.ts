// Secrets of every kind as configuration files write them: planted in a tree, looked for wherever they must not be.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface Planted {
  readonly what: string;
  /** Below a directory of configuration. */
  readonly file: string;
  readonly text: string;
  /** What must be seen nowhere; each line of it, of a key. */
  readonly secrets: readonly string[];
}

const execute = promisify(execFile);
const KEY_LINES = [
  'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj',
  'MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu',
];
const SCRAM =
  'SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0$StoredKeyStoredKeyStoredKey12345678901234=:ServerKeyServerKeyServerKey123456789012=';

/** One for each kind. Values differ, so that finding one is no luck of another. */
export const PLANTED: readonly Planted[] = [
  plant(
    'a private key',
    'tls/server.pem',
    ['-----BEGIN PRIVATE KEY-----', ...KEY_LINES, '-----END PRIVATE KEY-----'],
    KEY_LINES,
  ),
  plant(
    'a private key that is cut off',
    'tls/cut.pem',
    ['-----BEGIN RSA PRIVATE KEY-----', 'Qk9vbmxpbmVvZmFrZXkxMjM0NTY3ODkwYWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4'],
    ['Qk9vbmxpbmVvZmFrZXkxMjM0NTY3ODkwYWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4'],
  ),
  plant(
    'a private key in one line of JSON',
    'app/key.json',
    [
      '{"private_key_id": 7, "key": "-----BEGIN EC PRIVATE KEY-----\\nMHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY/PuoAoG\\n-----END EC PRIVATE KEY-----\\n", "x": 1}',
    ],
    ['MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY'],
  ),
  plant(
    'a password in an address',
    'app/url.env',
    ['DATABASE=postgres://app:tr0ub4dor&3@db.internal:5432/app?sslmode=require'],
    ['tr0ub4dor&3'],
  ),
  plant(
    'a password with an @ in an address',
    'app/url2.env',
    ['BROKER=amqp://u:p@ss-w0rd/9@mq:5672/vhost'],
    ['p@ss-w0rd/9'],
  ),
  plant(
    'password =',
    'app/main.ini',
    ['[database]', 'user = app', 'password = correct horse battery', 'port = 5432'],
    ['correct horse battery'],
  ),
  plant('a short password', 'app/short.ini', ['db_password=1234x'], ['1234x']),
  plant(
    'a quoted password',
    'app/quoted.toml',
    ['admin_passwd = "qu0ted \\"secret\\" here"'],
    ['qu0ted \\"secret\\" here'],
  ),
  plant('a password in YAML', 'app/one.yaml', ['db:', '  host: h', '  passphrase: opensesame-42'], ['opensesame-42']),
  plant(
    'a block of YAML',
    'app/block.yaml',
    ['client_secret: |', '  line0ne-of-secret', '  lineTw0-of-secret', 'other: 1'],
    ['line0ne-of-secret', 'lineTw0-of-secret'],
  ),
  plant(
    'a mapping of secrets',
    'app/map.yaml',
    ['secrets:', '  db: hunter2hunter', '  smtp: sw0rdfish99', 'other: 1'],
    ['hunter2hunter', 'sw0rdfish99'],
  ),
  plant(
    'a mapping of secrets in JSON',
    'app/map.json',
    ['{ "credentials": {', '  "first": "f1rst-value",', '  "second": "sec0nd-value"', '}, "port": 1 }'],
    ['f1rst-value', 'sec0nd-value'],
  ),
  plant(
    'a manifest of Kubernetes',
    'k8s/secret.yaml',
    ['kind: Secret', 'data:', '  user: YWRtaW4tdXNlcg==', 'metadata:', '  name: x'],
    ['YWRtaW4tdXNlcg=='],
  ),
  plant('an element of XML', 'app/context.xml', ['<db><dbPassword>xml-s3cret</dbPassword></db>'], ['xml-s3cret']),
  plant('a named value of XML', 'app/web.config', ['<add key="SmtpPassword" value="attr-s3cret"/>'], ['attr-s3cret']),
  plant(
    'a setting of Redis',
    'redis/redis.conf',
    ['port 6379', 'requirepass foobared-77', 'masterauth other-f00'],
    ['foobared-77', 'other-f00'],
  ),
  plant(
    'an access list of Redis',
    'redis/users.acl',
    ['user worker on >wrk-pass1 ~jobs:* +@all', `user old on #${'ab12'.repeat(16)} ~* +@all`],
    ['wrk-pass1', 'ab12'.repeat(16)],
  ),
  plant(
    'CONFIG GET',
    'redis/config-get.txt',
    ['maxmemory', '0', 'requirepass', 'next-line-pw', 'save', '3600 1'],
    ['next-line-pw'],
  ),
  plant(
    'roles of PostgreSQL',
    'pg/globals.sql',
    [
      `ALTER ROLE app WITH LOGIN PASSWORD '${SCRAM}';`,
      "ALTER ROLE old WITH PASSWORD 'md5d41d8cd98f00b204e9800998ecf8427e';",
    ],
    [SCRAM, 'md5d41d8cd98f00b204e9800998ecf8427e'],
  ),
  plant(
    'a password in SQL',
    'pg/init.sql',
    ["CREATE USER app IDENTIFIED BY 'sql-p4ss';", "CREATE ROLE r PASSWORD 'rol3-p4ss';"],
    ['sql-p4ss', 'rol3-p4ss'],
  ),
  plant(
    'a connection string',
    'pg/recovery.conf',
    ["primary_conninfo = 'host=p user=r password=c0nninfo-pw sslmode=require'"],
    ['c0nninfo-pw'],
  ),
  plant(
    'hashes of passwords',
    'auth/users.txt',
    [
      'alice:$6$rounds$abcdefgh.ijklmnop:19000:',
      'bob:$apr1$salt$abcdefghijklmnopqrstuv',
      'carol:$2b$12$abcdefghijklmnopqrstuvwxyz0123456789',
    ],
    ['$6$rounds$abcdefgh.ijklmnop', '$apr1$salt$abcdefghijklmnopqrstuv', '$2b$12$abcdefghijklmnopqrstuvwxyz0123456789'],
  ),
  plant(
    'keys of AWS',
    'aws/config',
    [
      '[default]',
      'aws_access_key_id = AKIAIOSFODNN7EXAMPLF',
      'aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEZ',
    ],
    ['AKIAIOSFODNN7EXAMPLF', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEZ'],
  ),
  plant(
    'a key of AWS under no name',
    'aws/bare.txt',
    ['wKalrYUtnGEMI/K8MDENG/bQxRfiDYEXAMPL1K2Y'],
    ['wKalrYUtnGEMI/K8MDENG/bQxRfiDYEXAMPL1K2Y'],
  ),
  plant(
    'tokens of services',
    'ci/tokens.txt',
    [
      'ghp_0123456789abcdefghijABCDEFGHIJ012345',
      'glpat-abcdefghijklmnop1234',
      'xoxb-1234567890-abcdefghij',
      'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl',
    ],
    [
      'ghp_0123456789abcdefghijABCDEFGHIJ012345',
      'glpat-abcdefghijklmnop1234',
      'xoxb-1234567890-abcdefghij',
      'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl',
    ],
  ),
  plant(
    'a header',
    'proxy/site.conf',
    ['proxy_set_header Authorization "Bearer abcdefgh.12345678";'],
    ['abcdefgh.12345678'],
  ),
  plant(
    'options of a command',
    'cron/jobs',
    ['0 3 * * * backup --password clear-t3xt --verbose', '0 4 * * * curl -u robot:r0b0t-pw https://x'],
    ['clear-t3xt', 'r0b0t-pw'],
  ),
  plant(
    'a word that looks random',
    'app/random.txt',
    ['seed q7Rk2Xz9Lm4Tn8Vb1Wc6Yd3Ef5Gh0 end'],
    ['q7Rk2Xz9Lm4Tn8Vb1Wc6Yd3Ef5Gh0'],
  ),
  plant(
    'a secret of another file',
    'app/echo.log',
    ['retrying with correct horse battery now'],
    ['correct horse battery'],
  ),
  plant('a file of passwords', 'home/.pgpass', ['db:5432:*:app:pgpass-pl4in'], ['pgpass-pl4in']),
  plant('a secret of a file that is withheld', 'app/pg.log', ['no login with pgpass-pl4in today'], ['pgpass-pl4in']),
  plant('a file of hashes', 'shadow', ['root:*:19000:0:99999:7:::', 'x:shadow-plain:1::::::'], ['shadow-plain']),
];

function plant(what: string, file: string, lines: readonly string[], secrets: readonly string[]): Planted {
  return { what, file, text: `${lines.join('\n')}\n`, secrets };
}

export const SECRETS: readonly string[] = [...new Set(PLANTED.flatMap(({ secrets }) => secrets))];

/** Secrets that a repository holds anywhere: contents, names and messages of everything that it has, reachable or not. */
export async function secretsInRepository(repository: string, secrets = SECRETS): Promise<string[]> {
  const git = async (...args: string[]) =>
    (await execute('git', [`--git-dir=${repository}`, ...args], { maxBuffer: 256 * 1024 * 1024, encoding: 'latin1' }))
      .stdout;
  const all = await git('cat-file', '--batch-all-objects', '--batch', '--unordered');
  const log = await git('log', '-p', '--all', '--text', '--format=raw');
  const found = new Set(secrets.filter((secret) => all.includes(secret) || log.includes(secret)));
  for (const secret of secrets) {
    const grep = await git('grep', '--fixed-strings', '--text', '-e', secret, 'refs/heads/main').catch(() => '');
    if (grep !== '') found.add(secret);
  }
  return [...found];
}
