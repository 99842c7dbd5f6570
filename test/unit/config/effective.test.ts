// What a good file comes to: every default, absolute paths, units as numbers, and a digest of its content.

import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';
import { parseConfiguration, secretFiles } from '../../../config/index.ts';
import { changed, FILE, minimal } from '../../support/configuration.ts';

describe('a good file', () => {
  test('comes with every default and absolute paths', () => {
    const configuration = parseConfiguration(minimal, FILE);
    assert.equal(configuration.timezone, 'UTC');
    assert.deepEqual(configuration.temporal, { profile: 'default' });
    assert.deepEqual(configuration.vault.keys, [{ name: 'host', file: '/etc/holdfast/vault.key' }]);
    assert.deepEqual(configuration.vault.copies.local, {
      site: 'home',
      medium: 'disk',
      offsite: false,
      file: '/etc/holdfast/copies/local',
    });
    assert.deepEqual(configuration.vault.commit, { copies: 1, offsite: 0 });
    assert.equal(configuration.vault.compression, 'zstd');
    assert.deepEqual(configuration.database.main, {
      kind: 'database',
      id: 'database/main',
      name: 'main',
      host: 'db1',
      url: 'env:DATABASE_URL',
      backup: {},
      reading: { way: 'auto' },
      logical: { jobs: 4, include: [], exclude: [] },
      log: { withinSeconds: 900, synchronous: false },
      objective: {},
      facts: { maximum: [], withinSeconds: 30 },
      checks: [],
    });
    assert.deepEqual(configuration.approval, { restoreInPlace: 'never', withinSeconds: 3600 });
  });

  test('of files says what is left out, how fast and around what', () => {
    const text = `${minimal}
files:
  uploads:
    host: db1
    roots: [/srv/uploads]
    exclude: ['*.tmp']
    largest: 1GiB
    backup: { snapshot: every 1h, rate: 50MB/s }
    hooks: { before: [/usr/bin/freeze, now], within: 1min }
    keep: 90d
    objective: { rpo: 1h }
`;
    assert.deepEqual(parseConfiguration(text, FILE).files.uploads, {
      kind: 'files',
      id: 'files/uploads',
      name: 'uploads',
      host: 'db1',
      roots: ['/srv/uploads'],
      rules: { exclude: ['*.tmp'], oneFileSystem: true, cacheTags: true, largestBytes: 1024 ** 3 },
      bytesPerSecond: 50_000_000,
      hooks: { before: ['/usr/bin/freeze', 'now'], withinSeconds: 60 },
      backup: { snapshot: 'every 1h' },
      keep: { classes: { files: { ageSeconds: 90 * 86_400 } } },
      objective: { rpoSeconds: 3600 },
    });
  });

  test('of a host says what is run, what is kept from Git, and where the history goes', () => {
    const text = `${minimal}
configuration:
  etc:
    host: db1
    paths: [/etc/, '/srv/*/app.conf']
    commands:
      globals: { run: [pg_dumpall, --globals-only], timeout: 30s, env: { PGPASSWORD: file:pg.secret }, runAs: postgres }
      packages: { shell: dpkg-query --show }
    redact: [ { pattern: 'licence (\\S+)' } ]
    git: { remote: { url: 'https://git.invalid/etc.git', user: robot, password: file:git.secret } }
    backup: { snapshot: daily 01:00 }
    keep: 365d
`;
    const configuration = parseConfiguration(text, FILE);
    const directory = path.dirname(FILE);
    const command = { timeoutSeconds: 60, largestBytes: 4 * 1024 ** 2, env: {} };
    assert.deepEqual(configuration.configuration.etc, {
      kind: 'configuration',
      id: 'configuration/etc',
      name: 'etc',
      host: 'db1',
      paths: ['/etc', '/srv/*/app.conf'],
      rules: { exclude: [], oneFileSystem: true, cacheTags: true },
      commands: [
        {
          ...{ ...command, name: 'globals', argv: ['pg_dumpall', '--globals-only'], timeoutSeconds: 30 },
          ...{ env: { PGPASSWORD: `file:${directory}/pg.secret` }, runAs: 'postgres' },
        },
        { ...command, name: 'packages', argv: ['/bin/sh', '-c', 'dpkg-query --show'] },
      ],
      redact: [{ pattern: 'licence (\\S+)', kind: 'secret' }],
      withhold: [],
      largestTextBytes: 1024 ** 2,
      remote: {
        ...{ url: 'https://git.invalid/etc.git', branch: 'main', user: 'robot', timeoutSeconds: 120 },
        password: `file:${directory}/git.secret`,
      },
      backup: { snapshot: 'daily 01:00' },
      keep: { classes: { configuration: { ageSeconds: 365 * 86_400 } } },
      objective: {},
    });
    const secret = secretFiles(configuration);
    for (const file of ['pg.secret', 'git.secret']) assert.ok(secret.includes(`${directory}/${file}`), file);
  });

  test('of a host refuses what cannot be meant', () => {
    const problems = (lines: string) => {
      try {
        parseConfiguration(`${minimal}\nconfiguration:\n  etc:\n    host: db1\n${lines}`, FILE);
      } catch (error) {
        return String(error);
      }
      return '';
    };
    const paths = '    paths: [/etc]\n';
    assert.match(problems('    paths: [/]\n'), /expected an absolute path or pattern below/);
    assert.match(problems(`${paths}    commands: { a: { run: [x], shell: x } }\n`), /exactly one of 'run', 'shell'/);
    assert.match(problems(`${paths}    redact: [ { pattern: '(' } ]\n`), /expected a regular expression/);
    const remote = (fields: string) => `${paths}    git: { remote: { ${fields} } }\n`;
    assert.match(problems(remote('url: "https://me:s3cret@git.invalid/x"')), /without a password/);
    assert.match(problems(remote('url: "https://t0ken@git.invalid/x"')), /without a password or token/);
    assert.match(problems(`${paths}    git: { largest: 17MiB }\n`), /expected a size of at most 16MiB/);
    for (const url of ['/srv/x.git', 'http://git.example.org/x.git', 'http://127.0.0.1.example.org/x'])
      assert.match(problems(remote(`url: '${url}', password: env:TOKEN`)), /no other remote asks for a password/, url);
    assert.equal(problems(paths), '');
  });

  test('of files elsewhere says how they are reached, and where a mirror is kept', () => {
    const text = `${minimal}
files:
  www:
    host: db1
    roots: [/srv/www]
    pull: { ssh: backup@www1, keyFile: pull.key, knownHosts: /etc/known, rsync: sudo rsync }
  uploads:
    host: db1
    roots: [/srv/uploads]
    mirror: { ssh: "m@[::1]", port: 2222, directory: /srv/m, keyFile: m.key, knownHosts: known, rate: 1MB/s, behind: 6h }
`;
    const { www, uploads } = parseConfiguration(text, FILE).files;
    assert.deepEqual(www?.pull, {
      ...{ ssh: 'backup@www1', keyFile: '/etc/holdfast/pull.key', knownHosts: '/etc/known', rsync: 'sudo rsync' },
      silenceSeconds: 120,
    });
    assert.deepEqual(uploads?.mirror, {
      ...{ directory: '/srv/m', exclude: [], bytesPerSecond: 1_000_000, maxDelete: 1000, behindSeconds: 6 * 3600 },
      remote: {
        ...{ ssh: 'm@[::1]', port: 2222, keyFile: '/etc/holdfast/m.key', knownHosts: '/etc/holdfast/known' },
        silenceSeconds: 120,
      },
    });
  });

  test('of a mirror says when it is late: after two of its runs, or a day without a schedule', () => {
    for (const [fields, expected] of [
      ['', [undefined, 86_400]],
      [', schedule: every 15min', ['every 15min', 1_800]],
      [', schedule: "weekly sunday 03:30"', ['weekly sunday 03:30', 14 * 86_400]],
      [', schedule: "daily 03:30", behind: 25h', ['daily 03:30', 25 * 3_600]],
    ] as const) {
      const text = `${minimal}\nfiles: { a: { host: db1, roots: [/srv/a], mirror: { directory: /srv/m${fields} } } }\n`;
      const mirror = parseConfiguration(text, FILE).files.a?.mirror;
      assert.deepEqual([mirror?.schedule, mirror?.behindSeconds], expected);
    }
  });

  test('of a bucket gets its own defaults: path style with an endpoint, TLS 1.3', () => {
    const text = changed(
      '{ file: copies/local, site: home }',
      '{ s3: { bucket: b, region: r, endpoint: "http://127.0.0.1:1", prefix: /a/b/ }, site: home }',
    );
    const copy = parseConfiguration(text, FILE).vault.copies.local;
    assert.deepEqual(copy, {
      site: 'home',
      medium: 'object',
      offsite: false,
      account: '127.0.0.1:1',
      s3: {
        bucket: 'b',
        region: 'r',
        endpoint: 'http://127.0.0.1:1',
        prefix: 'a/b',
        pathStyle: true,
        storageClass: 'STANDARD',
        minimumTls: '1.3',
      },
    });
  });

  test('takes locks, encryption, class, limits and credentials for each purpose of a bucket', () => {
    const s3 = `{ bucket: b, region: r, lock: compliance, lockFor: 97d, sse: "aws:kms", kmsKeyId: alias/dr, storageClass: STANDARD_IA, caFile: ca.pem,
      credentials: { write: { accessKeyId: "env:W", secretAccessKey: "file:w" }, prune: { accessKeyId: "env:P", secretAccessKey: "env:Q" } } }`;
    const text = changed('{ file: copies/local, site: home }', `{ s3: ${s3}, bandwidth: 10MB/s, site: home }`);
    const { vault } = parseConfiguration(text.replace('vault:\n', 'vault:\n  bandwidth: 50MB/s\n'), FILE);
    assert.equal(vault.bandwidthBytesPerSecond, 50_000_000);
    assert.equal(vault.copies.local?.bandwidthBytesPerSecond, 10_000_000);
    const { lock, lockForSeconds, sse, kmsKeyId, storageClass, caFile, credentials } = vault.copies.local?.s3 ?? {};
    assert.deepEqual(
      { lock, lockForSeconds, sse, kmsKeyId, storageClass, caFile },
      {
        lock: 'compliance',
        lockForSeconds: 97 * 86_400,
        sse: 'aws:kms',
        kmsKeyId: 'alias/dr',
        storageClass: 'STANDARD_IA',
        caFile: '/etc/holdfast/ca.pem',
      },
    );
    assert.deepEqual(credentials, {
      write: { accessKeyId: 'env:W', secretAccessKey: 'file:/etc/holdfast/w' },
      prune: { accessKeyId: 'env:P', secretAccessKey: 'env:Q' },
    });
  });

  test('has a digest that knows the content, not the order of its keys or the place of the file', () => {
    const digest = (text: string, file = FILE) => parseConfiguration(text, file).digest;
    const [first = '', ...rest] = minimal.split('\n');
    const absolute = minimal.replace('vault.key', '/k').replace('copies/local', '/c');
    assert.match(digest(minimal), /^[0-9a-f]{16}$/);
    assert.equal(digest([...rest, first].join('\n')), digest(minimal));
    assert.equal(digest(absolute, '/a/x.yaml'), digest(absolute, '/b/y.yaml'));
    assert.notEqual(
      digest(changed('commit: { copies: 1 }', 'commit: { copies: 1, offsite: 0 }\n  compression: gzip')),
      digest(minimal),
    );
    assert.equal(digest(changed('commit: { copies: 1 }', 'commit: { copies: 1, offsite: 0 }')), digest(minimal));
  });

  test('keeps everything where it says nothing of retention, and exactly what it says where it does', () => {
    const silent = parseConfiguration(minimal, FILE);
    assert.equal(silent.database.main?.keep, undefined);
    assert.deepEqual(silent.retention, {
      schedule: 'daily 04:00',
      graceSeconds: 7 * 86_400,
      maximum: { share: 0.35, snapshots: 3 },
    });
    const rules = 'keep: { full: { age: 90d, daily: 14, yearly: 5 }, log: 24h } }';
    const said = parseConfiguration(changed('url: "env:DATABASE_URL" }', `url: "env:DATABASE_URL", ${rules}`), FILE);
    assert.deepEqual(said.database.main?.keep, {
      classes: {
        full: { ageSeconds: 90 * 86_400, daily: 14, yearly: 5 },
        incremental: { ageSeconds: 90 * 86_400, daily: 14, yearly: 5 },
      },
      logSeconds: 86_400,
    });
    const plain = changed('url: "env:DATABASE_URL" }', 'url: "env:DATABASE_URL", keep: { full: 90d, log: 24h } }');
    assert.deepEqual(parseConfiguration(plain, FILE).database.main?.keep?.classes, {
      full: { ageSeconds: 90 * 86_400 },
      incremental: { ageSeconds: 90 * 86_400 },
    });
    const each = parseConfiguration(plain.replace('full: 90d', 'full: 90d, incremental: 14d'), FILE);
    assert.deepEqual(each.database.main?.keep?.classes.incremental, { ageSeconds: 14 * 86_400 });
  });

  test('says how base backups are read: by which server, which way, how fast', () => {
    const how =
      'url: "env:DATABASE_URL", backup: { full: daily 02:00, way: stream, rate: 50MB/s }, standby: { url: "file:s" } }';
    const { backup, reading, standby } =
      parseConfiguration(changed('url: "env:DATABASE_URL" }', how), FILE).database.main ?? {};
    assert.deepEqual(backup, { full: 'daily 02:00' });
    assert.deepEqual(reading, { way: 'stream', bytesPerSecond: 50_000_000 });
    assert.deepEqual(standby, { url: 'file:/etc/holdfast/s', behindBytes: 2 ** 30 });
  });

  test('may use anchors', () => {
    const text = changed('hosts: { db1: { site: home } }', 'hosts: { db1: &host { site: home }, db2: *host }');
    assert.deepEqual(parseConfiguration(text, FILE).hosts.db2, { site: 'home' });
  });
});
