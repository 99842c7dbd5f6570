// Every way that a file can be wrong, with place, value and what was expected.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { changed, errorOf, minimal, problemsOf } from '../../support/configuration.ts';

describe('a bad file', () => {
  for (const [what, from, to, expected] of [
    [
      'an unknown key',
      'name: acme',
      'name: acme\ntimezon: UTC',
      /^2:1: unknown key 'timezon', did you mean 'timezone'\?$/,
    ],
    [
      'an unknown key far from any other',
      'commit:',
      'retention: 1\n  commit:',
      /^7:3: vault, unknown key 'retention', expected 'keys', 'copies', 'commit', 'bandwidth', 'compression'$/,
    ],
    [
      'an option of a later version',
      'url: "env:DATABASE_URL" }',
      'url: "env:DATABASE_URL", tiers: { cold: 30d } }',
      /^9:47: database\.main, unknown key 'tiers'/,
    ],
    [
      'retention that says nothing of the log',
      'url: "env:DATABASE_URL" }',
      'url: "env:DATABASE_URL", keep: { full: 90d } }',
      /^9:47: database\.main\.keep\.log, missing, expected a duration .*; retention is given whole, 'full' and 'log', or not at all$/,
    ],
    [
      'retention that says nothing of the backups',
      'url: "env:DATABASE_URL" }',
      'url: "env:DATABASE_URL", keep: { log: 24h } }',
      /^9:47: database\.main\.keep\.full, missing, expected .*; retention is given whole/,
    ],
    ...(
      [
        ['without a rule', 'full: {}', /keep\.full: a mapping, expected a duration such as 90d, or rules such as/],
        ['with a bare number', 'full: 90', /keep\.full: 90, expected a duration such as 90d, or rules such as/],
        ['with a duration nobody knows', 'full: 3months', /keep\.full: '3months', expected a duration such as 30s/],
        [
          'with a misspelled rule',
          'full: { age: 90d, dayly: 14 }',
          /keep\.full, unknown key 'dayly', did you mean 'daily'/,
        ],
        ['that keeps none', 'full: { last: 0 }', /keep\.full\.last: 0, expected a number, at least 1$/],
        ['that is empty', 'full:', /keep\.full: nothing, expected a duration such as 90d, or rules such as/],
      ] as const
    ).map(
      ([name, full, message]) =>
        [
          `retention ${name}`,
          'url: "env:DATABASE_URL" }',
          `url: "env:DATABASE_URL", keep: { log: 24h, ${full} } }`,
          message,
        ] as const,
    ),
    [
      'a grace too short to notice anything',
      'database:',
      'retention: { grace: 10min }\ndatabase:',
      /^8:21: retention\.grace: '10min', expected a duration of at least 1h, such as 7d$/,
    ],
    [
      'a maximum that is no share',
      'database:',
      'retention: { maximum: { share: 0% } }\ndatabase:',
      /^8:32: retention\.maximum\.share: '0%', expected a share of the snapshots of a class from 1% to 100%/,
    ],
    [
      'a level that a directory never reaches',
      'database:',
      'verify: { level: attested }\ndatabase:',
      /^8:18: verify\.level: 'attested', expected 'hashed' or 'decrypted', because 'local', in a directory, attests nothing$/,
    ],
    ['a wrong type', 'name: acme', 'name: 17', /^1:7: name: 17, expected a name of small letters/],
    ['a name in capitals', 'name: acme', 'name: Acme', /^1:7: name: 'Acme', expected a name/],
    [
      'a missing key',
      'commit: { copies: 1 }',
      'compression: gzip',
      /^4:1: vault\.commit, missing, expected a mapping with 'copies', 'offsite'$/,
    ],
    [
      'no threads at all',
      'db1: { site: home }',
      'db1: { site: home, threads: 0 }',
      /^3:38: hosts\.db1\.threads: 0, expected a number of threads from 1 to 64$/,
    ],
    ['an empty value', 'host: db1', 'host: ', /^9:11: database\.main\.host: nothing, expected the name of a host$/],
    [
      'an unknown site',
      'db1: { site: home }',
      'db1: { site: homr }',
      /^3:23: hosts\.db1\.site: 'homr', expected one of the sites: 'home'$/,
    ],
    [
      'an unknown host',
      'host: db1',
      'host: db2',
      /^9:17: database\.main\.host: 'db2', expected one of the hosts: 'db1'$/,
    ],
    [
      'a copy that is nowhere',
      'file: copies/local, ',
      '',
      /^6:13: vault\.copies\.local, expected exactly one of 'file', 's3', got none$/,
    ],
    [
      'a copy that is in two places',
      'file: copies/local',
      'file: x, s3: { bucket: b, region: r }',
      /got 'file' and 's3'$/,
    ],
    [
      'a policy that needs more copies',
      'copies: 1 }',
      'copies: 2 }',
      /^7:21: vault\.commit\.copies: 2, expected at most 1, because only so many copies are configured$/,
    ],
    [
      'a policy that needs more off-site copies',
      'copies: 1 }',
      'copies: 1, offsite: 1 }',
      /offsite: 1, expected at most 0, because only so many copies have 'offsite: true'$/,
    ],
    [
      'a key of two kinds',
      'file: vault.key',
      'file: vault.key, passphrase: "env:P"',
      /^5:10: vault\.keys\[0\], expected exactly one of 'file', 'passphrase'/,
    ],
    [
      'a bad time zone',
      'name: acme',
      'name: acme\ntimezone: Europe/Berlinn',
      /^2:11: timezone: 'Europe\/Berlinn', expected an IANA time zone/,
    ],
    [
      'a bad duration',
      'host: db1',
      'log: { within: 15 }, host: db1',
      /within: 15, expected a duration such as 30s, 15min, 6h or 90d$/,
    ],
    [
      'a bad schedule',
      'host: db1',
      'backup: { full: daily 2am }, host: db1',
      /full: 'daily 2am', expected a schedule such as 'daily 02:00'/,
    ],
    [
      'a schedule of a kind that does not exist yet',
      'host: db1',
      'backup: { hourly: every 1h }, host: db1',
      /unknown key 'hourly', expected 'full', 'incremental'/,
    ],
    [
      'a bad expectation',
      'host: db1',
      'checks: [{ sql: select 1, expect: "1" }], host: db1',
      /checks\[0\]\.expect: '1', expected a comparison/,
    ],
    [
      'a service of two kinds',
      'host: db1',
      'service: { systemd: x, pgCtl: {} }, dataDirectory: /d, host: db1',
      /service, expected exactly one of 'pgCtl', 'systemd', 'commands', got 'pgCtl' and 'systemd'$/,
    ],
    [
      'pg_ctl without a directory',
      'host: db1',
      'service: { pgCtl: {} }, host: db1',
      /expected 'dataDirectory' beside 'pgCtl'$/,
    ],
    [
      'an objective below what is shipped',
      'host: db1',
      'objective: { rpo: 1min }, host: db1',
      /rpo: '1min', expected at least the 15min of 'log.within'/,
    ],
    [
      'TLS as a number',
      '{ file: copies/local, site: home }',
      '{ s3: { bucket: b, region: r, minimumTls: 1.3 }, site: home }',
      /minimumTls: 1\.3, expected one of '1\.2', '1\.3'$/,
    ],
    [
      'half a credential',
      '{ file: copies/local, site: home }',
      '{ s3: { bucket: b, region: r, accessKeyId: "env:A" }, site: home }',
      /expected 'accessKeyId' and 'secretAccessKey' together, or neither$/,
    ],
    [
      'a lock without an end',
      '{ file: copies/local, site: home }',
      '{ s3: { bucket: b, region: r, lock: governance }, site: home }',
      /s3\.lock, expected 'lock' and 'lockFor' together, or neither$/,
    ],
    [
      'a key of KMS without its encryption',
      '{ file: copies/local, site: home }',
      '{ s3: { bucket: b, region: r, sse: AES256, kmsKeyId: k }, site: home }',
      /s3\.kmsKeyId, expected 'sse: aws:kms' beside it$/,
    ],
    [
      'credentials only to delete',
      '{ file: copies/local, site: home }',
      '{ s3: { bucket: b, region: r, credentials: { prune: { accessKeyId: "env:A", secretAccessKey: "env:B" } } }, site: home }',
      /s3\.credentials, expected at least 'write' or 'restore'$/,
    ],
    [
      'credentials for each purpose beside a pair for all',
      '{ file: copies/local, site: home }',
      '{ s3: { bucket: b, region: r, accessKeyId: "env:A", secretAccessKey: "env:B", credentials: { write: { accessKeyId: "env:A", secretAccessKey: "env:B" } } }, site: home }',
      /s3\.credentials, expected either these or 'accessKeyId' and 'secretAccessKey', which serve for everything$/,
    ],
    [
      'a class that cannot be read at once',
      '{ file: copies/local, site: home }',
      '{ s3: { bucket: b, region: r, storageClass: GLACIER }, site: home }',
      /storageClass: 'GLACIER', expected one of 'STANDARD', .*'GLACIER_IR'$/,
    ],
    [
      'a bandwidth in bits',
      '{ file: copies/local, site: home }',
      '{ file: copies/local, site: home, bandwidth: 50Mbit/s }',
      /bandwidth: '50Mbit\/s', expected bytes per second such as 50MB\/s/,
    ],
    [
      'an endpoint that is none',
      '{ file: copies/local, site: home }',
      '{ s3: { bucket: b, region: r, endpoint: "localhost:80" }, site: home }',
      /endpoint: 'localhost:80', expected the address of an S3 endpoint/,
    ],
    [
      'no database at all',
      'main: { host: db1, url: "env:DATABASE_URL" }',
      '{}',
      /^9:3: database: a mapping, expected at least one of databases$/,
    ],
    [
      'a list for a mapping',
      'sites: { home: {} }',
      'sites: [home]',
      /^2:8: sites: a list, expected a mapping from names to sites$/,
    ],
  ] as const) {
    test(`with ${what} is refused with its place`, () => {
      const problems = problemsOf(changed(from, to));
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', expected);
    });
  }

  test('tells all its problems at once, in the order of the file', () => {
    const text = minimal
      .replace('acme', 'Acme')
      .replace('site: home }', 'site: away }')
      .replace('copies: 1', 'copies: 3')
      .replace('host: db1', 'hots: db1');
    const problems = problemsOf(text);
    assert.deepEqual(
      problems.map((problem) => problem.split(':')[0]),
      ['1', '3', '7', '9', '9'],
    );
    assert.match(errorOf(text).message, /^5 problems in '\/etc\/holdfast\/holdfast\.yaml'\n/);
    const details = errorOf(text).details?.problems as { line: number; path: string; value?: string }[];
    assert.equal(details.length, 5);
    assert.deepEqual([details[1]?.line, details[1]?.path, details[1]?.value], [3, 'hosts.db1.site', "'away'"]);
  });

  test('with one key twice is refused, where a lenient reader would take the last', () => {
    assert.match(problemsOf(`${minimal}name: other\n`)[0] ?? '', /^10:1: this key stands in the same mapping twice$/);
    assert.match(
      problemsOf(changed('copies: { local:', 'copies: { local: { file: x, site: home }, local:'))[0] ?? '',
      /^6:45: /,
    );
  });

  test('with two names for one key or one place is refused', () => {
    const keys = changed(
      '[{ name: host, file: vault.key }]',
      '[{ name: host, file: vault.key }, { name: host, file: other }]',
    );
    assert.match(problemsOf(keys)[0] ?? '', /keys\[1\]\.name: 'host', expected a name that no other key has$/);
    const copies = changed('{ local:', '{ other: { file: copies/local, site: home }, local:');
    assert.match(
      problemsOf(copies)[0] ?? '',
      /local, expected a place of its own, but copy 'other' is the same place$/,
    );
  });

  test('that is no YAML, empty, or two documents is refused', () => {
    assert.match(
      problemsOf('name: [')[0] ?? '',
      /^1:8: the indentation is wrong, or a bracket or quote above is not closed$/,
    );
    assert.match(problemsOf('')[0] ?? '', /^1:1: expected exactly one YAML document/);
    assert.match(problemsOf('# nothing\n')[0] ?? '', /expected exactly one YAML document/);
    assert.match(problemsOf(`${minimal}---\n${minimal}`)[0] ?? '', /expected exactly one YAML document/);
    assert.match(problemsOf('just text')[0] ?? '', /^1:1: 'just text', expected a mapping with 'name'/);
    assert.match(problemsOf(`${minimal}approval: *nothing\n`)[0] ?? '', /^10:11: this alias refers to nothing$/);
  });
});

describe('files that are elsewhere', () => {
  const problems = (more: string, roots = '[/srv/uploads]') =>
    problemsOf(`${minimal}\nfiles: { uploads: { host: db1, roots: ${roots}, ${more} } }\n`).join('\n');
  const key = 'keyFile: k, knownHosts: h';

  for (const [what, more, expected, roots] of [
    [
      'an address that is an option',
      `pull: { ssh: "-oProxyCommand=x@h", ${key} }`,
      /expected a user and a host, such as/,
    ],
    ['an address without a user', `pull: { ssh: www1, ${key} }`, /expected a user and a host, such as/],
    ['a pull without a key', 'pull: { ssh: b@h, knownHosts: h }', /pull\.keyFile, missing/],
    [
      'a pull of everything',
      `pull: { ssh: b@h, ${key} }`,
      /expected directories below the root of the other host/,
      '[/]',
    ],
    [
      'a mirror behind SSH without a key',
      'mirror: { ssh: b@h, directory: /m }',
      /expected 'keyFile' and 'knownHosts' beside 'ssh'/,
    ],
    ['a key without SSH', 'mirror: { directory: /m, keyFile: k }', /expected 'ssh' beside it/],
    [
      'a mirror inside of a root',
      'mirror: { directory: /srv/uploads/m }',
      /expected a directory that is in no root, and has none in it/,
    ],
    [
      'a root inside of a mirror',
      'mirror: { directory: /srv }',
      /expected a directory that is in no root, and has none in it/,
    ],
    [
      'a mirror that is late before its next run',
      'mirror: { directory: /m, schedule: every 6h, behind: 6h }',
      /mirror\.behind.*expected longer than 'schedule' needs from one run to the next \('every 6h'\)/,
    ],
    ['a mirror at no time', 'mirror: { directory: /m, schedule: hourly }', /expected a schedule such as/],
    [
      'a mirror of what is pulled',
      `pull: { ssh: b@h, ${key} }, mirror: { directory: /m }`,
      /expected 'pull' or 'mirror', not both/,
    ],
  ] as const) {
    test(`are refused with ${what}`, () => assert.match(problems(more, roots), expected));
  }
});
