// The loader: what a file comes to, and every way it can be wrong, with place, value and what was expected; never a secret.

import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  loadConfiguration,
  parseConfiguration,
  resolveSecret,
  type SecretReference,
  stateDirectoryOf,
} from '../../../config/index.ts';
import { type ErrorCode, type HoldfastError, isHoldfastError } from '../../../src/errors/index.ts';

const minimal = `name: acme
sites: { home: {} }
hosts: { db1: { site: home } }
vault:
  keys: [{ name: host, file: vault.key }]
  copies: { local: { file: copies/local, site: home } }
  commit: { copies: 1 }
database:
  main: { host: db1, url: "env:DATABASE_URL" }
`;

const FILE = '/etc/holdfast/holdfast.yaml';

/** The minimal file with one text replaced by another. */
function changed(from: string, to: string): string {
  assert.ok(minimal.includes(from), from);
  return minimal.replace(from, to);
}

function errorOf(text: string): HoldfastError {
  try {
    parseConfiguration(text, FILE);
  } catch (error) {
    if (isHoldfastError(error, 'CONFIG_INVALID')) return error;
    throw error;
  }
  return assert.fail('the configuration was accepted');
}

function problemsOf(text: string): string[] {
  const { message } = errorOf(text);
  return message
    .split('\n')
    .filter((line) => line.startsWith(FILE))
    .map((line) => line.slice(FILE.length + 1));
}

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
      id: 'database/main',
      name: 'main',
      host: 'db1',
      url: 'env:DATABASE_URL',
      backup: {},
      log: { withinSeconds: 900 },
      objective: {},
      checks: [],
    });
    assert.deepEqual(configuration.approval, { restoreInPlace: 'never', withinSeconds: 3600 });
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
      classes: { full: { ageSeconds: 90 * 86_400, daily: 14, yearly: 5 } },
      logSeconds: 86_400,
    });
    const plain = changed('url: "env:DATABASE_URL" }', 'url: "env:DATABASE_URL", keep: { full: 90d, log: 24h } }');
    assert.deepEqual(parseConfiguration(plain, FILE).database.main?.keep?.classes, {
      full: { ageSeconds: 90 * 86_400 },
    });
  });

  test('may use anchors', () => {
    const text = changed('hosts: { db1: { site: home } }', 'hosts: { db1: &host { site: home }, db2: *host }');
    assert.deepEqual(parseConfiguration(text, FILE).hosts.db2, { site: 'home' });
  });
});

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
      'backup: { incremental: every 6h }, host: db1',
      /unknown key 'incremental', expected 'full'$/,
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

describe('a secret in the file', () => {
  const secret = 'hunter2-correct-horse';
  for (const [where, text] of [
    ['the url of a database', changed('env:DATABASE_URL', `postgres://holdfast:${secret}@db1/postgres`)],
    ['a passphrase', changed('file: vault.key', `passphrase: ${secret}`)],
    [
      'an access key',
      changed(
        '{ file: copies/local, site: home }',
        `{ s3: { bucket: b, region: r, accessKeyId: ${secret}, secretAccessKey: ${secret} }, site: home }`,
      ),
    ],
    ['a key nobody knows', changed('host: db1', `host: db1, password: ${secret}`)],
    ['another place', changed('hosts: { db1: { site: home }', `hosts: { db1: { site: "postgres://a:${secret}@b/c" }`)],
    ['a broken file', `${minimal}\n  url: [${secret}`],
    ['a key twice', changed('url: "env:DATABASE_URL"', `url: "env:DATABASE_URL", url: ${secret}`)],
  ] as const) {
    test(`in ${where} is refused and not repeated`, () => {
      const error = errorOf(text);
      assert.ok(!JSON.stringify(error).includes(secret) && !error.message.includes(secret), error.message);
    });
  }

  test('is told how it is done', () => {
    const [problem] = problemsOf(changed('env:DATABASE_URL', 'postgres://a:b@c/d'));
    assert.match(
      problem ?? '',
      /^9:27: database\.main\.url, expected a reference, env:NAME or file:\/path, because a secret does not belong in this file/,
    );
    assert.match(
      problemsOf(changed('env:DATABASE_URL', 'aws-secret:prod'))[0] ?? '',
      /aws-secret: is not supported by this version$/,
    );
    assert.match(
      problemsOf(changed('env:DATABASE_URL', 'env:not-a-name'))[0] ?? '',
      /expected env: followed by the name of a variable/,
    );
  });
});

describe('a file on disk', () => {
  let directory: string;
  const own = (name: string) => path.join(directory, name);
  before(async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), 'holdfast-config-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  test('is found by its path or by the variable, and missed with a hint', async () => {
    await writeFile(own('a.yaml'), minimal);
    assert.equal((await loadConfiguration(own('a.yaml'))).configuration.path, own('a.yaml'));
    const before = process.env.HOLDFAST_CONFIG;
    process.env.HOLDFAST_CONFIG = own('a.yaml');
    try {
      assert.equal((await loadConfiguration()).configuration.name, 'acme');
    } finally {
      if (before === undefined) delete process.env.HOLDFAST_CONFIG;
      else process.env.HOLDFAST_CONFIG = before;
    }
    await assert.rejects(
      loadConfiguration(own('none.yaml')),
      (error) => isHoldfastError(error, 'CONFIG_NOT_FOUND') && /ENOENT/.test(error.message),
    );
    await assert.rejects(
      loadConfiguration(directory),
      (error) => isHoldfastError(error, 'CONFIG_NOT_FOUND') && /EISDIR/.test(error.message),
    );
  });

  test('warns of what is allowed but not careful', async () => {
    await writeFile(own('vault.key'), 'x\n');
    await chmod(own('vault.key'), 0o644);
    await writeFile(own('b.yaml'), minimal);
    const { warnings } = await loadConfiguration(own('b.yaml'));
    for (const expected of [
      /^3-2-1: 1 copy is configured, 2 are wanted beside production$/,
      /^3-2-1: all copies are on the same kind of medium/,
      /^3-2-1: no copy has 'offsite: true'/,
      /one key only/,
      /chmod 600/,
      /no schedule/,
      /only be restored beside/,
    ]) {
      assert.ok(
        warnings.some((warning) => expected.test(warning)),
        `${expected}\n${warnings.join('\n')}`,
      );
    }
  });

  test('that ships as the example has no problem and no warning', async () => {
    const example = path.resolve(import.meta.dirname, '..', '..', '..', 'config', 'holdfast.example.yaml');
    assert.deepEqual((await loadConfiguration(example)).warnings, []);
  });

  const reference = (text: string) => text as SecretReference;
  const unresolved = (text: string, message: RegExp) =>
    assert.rejects(
      resolveSecret(reference(text)),
      (error) => isHoldfastError(error, 'SECRET_UNRESOLVED' satisfies ErrorCode) && message.test(error.message),
    );

  test('gives a secret less one newline, a variable as it is', async () => {
    await writeFile(own('secret'), ' two words \n\n');
    assert.equal(await resolveSecret(reference(`file:${own('secret')}`)), ' two words \n');
    process.env.HOLDFAST_TEST_SECRET = 'value';
    assert.equal(await resolveSecret(reference('env:HOLDFAST_TEST_SECRET')), 'value');
    delete process.env.HOLDFAST_TEST_SECRET;
  });

  test('that holds no secret, or a reference that is none, is an error without the value', async () => {
    await writeFile(own('empty'), '\n');
    await unresolved(`file:${own('empty')}`, /is empty$/);
    await unresolved(`file:${own('none')}`, /cannot be read \(ENOENT\)$/);
    await unresolved('env:HOLDFAST_TEST_UNSET', /'HOLDFAST_TEST_UNSET' is not set$/);
    await unresolved('postgres://a:hunter2@b', /^(?!.*hunter2)/);
  });
});

test('the state directory is the configured one, else one of the user', () => {
  const configuration = parseConfiguration(
    changed('db1: { site: home }', 'db1: { site: home, stateDirectory: state }, db2: { site: home }'),
    FILE,
  );
  assert.equal(stateDirectoryOf(configuration, 'db1'), '/etc/holdfast/state');
  assert.match(stateDirectoryOf(configuration, 'db2'), /holdfast\/acme$/);
  assert.throws(
    () => stateDirectoryOf(configuration, 'db3'),
    (error) => isHoldfastError(error, 'CONFIG_INVALID'),
  );
});
