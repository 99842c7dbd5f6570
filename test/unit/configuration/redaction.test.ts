// What the looks of redaction find and leave: every planted secret goes, what a reader needs stays, and nothing takes for ever.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Redactor, type RedactorOptions } from '../../../src/configuration/redaction/redactor.ts';
import type { RedactionRule } from '../../../src/configuration/types.ts';
import { PLANTED } from '../../support/planted-secrets.ts';

const key = Buffer.alloc(32, 7);
const redactorWith = (options: Partial<RedactorOptions> = {}) => new Redactor({ key, rules: [], ...options });
const redactor = redactorWith();

/** Of each text, with what was found in all of them and what was known before. */
function redacted(
  texts: readonly { place: string; path?: string; text: string }[],
  with_: Redactor,
  known: string[] = [],
) {
  const found = texts.map((text) => with_.find(text));
  const findings = found.map((each) => ('spans' in each ? each : assert.fail(each.tooLong)));
  with_.know([...known, ...findings.flatMap(({ values }) => values)]);
  return texts.map((text, number) => with_.write(text, findings[number]?.spans ?? []));
}

function textOf(text: string, with_ = redactor, path = 'etc/x', known: string[] = []) {
  const [result] = redacted([{ place: path, path, text }], with_, known);
  return result ?? assert.fail();
}

function wordsOf(text: string, rules: readonly RedactionRule[] = [], splitAt: '/' | ' ' = '/'): string {
  const words = redactorWith({ rules }).words({ text, place: 'names', path: text, splitAt });
  return 'text' in words ? words.text : assert.fail(words.tooLong);
}

describe('the looks of redaction', () => {
  for (const { what, file, text, secrets } of PLANTED) {
    // These are withheld by their names, or known from another file.
    if (/^(?:a file of hashes|a secret of)/.test(what)) continue;
    it(`find ${what}, and tell line and kind`, () => {
      const result = textOf(text);
      for (const secret of secrets) assert.ok(!result.text.includes(secret), result.text);
      assert.ok(result.secrets.length > 0);
      for (const { line, kind } of result.secrets) assert.ok(line >= 1 && kind !== '');
      assert.ok(!JSON.stringify(result.secrets).includes(secrets[0] as string));
      assert.match(result.text, /\[redacted [a-zA-Z -]+ [0-9a-f]{8}\]/, file);
    });
  }

  it('leave what is no secret', () => {
    const kept = [
      'passwd:         files systemd',
      'password_encryption = scram-sha-256',
      'password        requisite                       pam_deny.so',
      'password        [success=1 default=ignore]      pam_unix.so obscure yescrypt',
      'PasswordAuthentication no',
      'ssl_key_file = /etc/ssl/private/ssl-cert.key',
      'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8Yl2n0nq5fQmZp3JmW1dXkzvGq0s6uVbYcT7rR9wXe admin@host',
      'ExecStart=/usr/lib/postgresql/17/bin/postgres -D /var/lib/postgresql/17/main',
      'sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
      'uuid 123e4567-e89b-12d3-a456-426614174000',
      "listen_addresses = 'localhost'",
      'use_token = off',
      'https://example.org:8080/path',
    ].join('\n');
    assert.equal(textOf(kept).text, kept);
    const names = [
      'mozilla/DigiCert_TLS_ECC_P384_Root_G5',
      'RateLimitIntervalSec=30s DefaultTimeoutStartSec=90s',
      'NewCenturySchlbk-BoldItalic=21',
    ];
    assert.equal(textOf(names.join('\n')).text, names.join('\n'));
    const pgp = `-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: 1\n\nmQINBGPL0BUBEADmW5NdOOHwPIJlgPu6JDcKw/NZJPR8lsD3K87ZM18gzyQZJD+w\n=ns1G\n-----END PGP PUBLIC KEY BLOCK-----\n`;
    assert.equal(textOf(pgp).text, pgp);
    const certificate = `-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJ\n-----END CERTIFICATE-----\n`;
    assert.equal(textOf(certificate).text, certificate);
  });

  it('show that a secret was changed, and not to what', () => {
    const [one, same, other] = ['password = first1', 'password = first1', 'password = second2'].map(
      (text) => textOf(text).text,
    );
    assert.equal(one, same);
    assert.notEqual(one, other);
    const elsewhere = redactorWith({ key: Buffer.alloc(32, 8) });
    assert.notEqual(textOf('password = first1', elsewhere).text, one);
    assert.notEqual(textOf('password = first1', redactor, 'etc/y').text, one);
  });

  it('take a secret of one text out of all, unless it is an ordinary word', () => {
    const texts = [
      { place: 'a', path: 'a', text: 'password = s3cretword\nuser_password = postgres\n' },
      { place: 'commands/b', text: 'login with s3cretword failed' },
      { place: 'c', path: 'c', text: 'user = postgres' },
    ];
    const [, log, other] = redacted(texts, redactorWith());
    assert.ok(log && !log.text.includes('s3cretword'));
    assert.equal(other?.text, 'user = postgres');
  });

  it('take a secret out of all where something stands behind it on its line', () => {
    const lines = [
      'requirepass Hunter2x9 # of main',
      "primary_conninfo = 'user=rep password=Hunter2x9 host=1.2.3.4'",
      'ExecStart=/x --password=Hunter2x9 --host db and a sentence of many words behind it',
    ];
    for (const line of lines) {
      const [, log] = redacted(
        [
          { place: 'a', path: 'a', text: line },
          { place: 'b', text: 'with Hunter2x9 it failed' },
        ],
        redactorWith(),
      );
      assert.match(log?.text ?? '', /^with \[redacted .*\] it failed$/, line);
    }
  });

  it('find what forms of many programs hold, and say nothing of what stands around it', () => {
    const pw = 'Hunter2x9';
    const texts = [
      `- name: DB_PASSWORD\n  value: ${pw}`,
      `{"name":"DB_PASSWORD","value":"${pw}"}`,
      `define('DB_PASSWORD', '${pw}');`,
      `SetEnv DB_PASSWORD ${pw}`,
      `fastcgi_param DB_PASSWORD ${pw};`,
      `ENV DB_PASSWORD ${pw}`,
      `stats auth admin:${pw}`,
      `user bob insecure-password ${pw}`,
      `"url":"mysql:\\/\\/root:${pw}@db"`,
      `\ufeffrequirepass ${pw}`,
      `{password_encryption: md5, password: ${pw}}`,
      `password_pbkdf2 root grub.pbkdf2.sha512.10000.${pw}`,
    ];
    for (const text of texts) assert.ok(!textOf(text).text.includes(pw), text);
    for (const text of ['password_encryption = md5 # of all', '- name: MODE\n  value: fast', 'SetEnv MODE fast'])
      assert.equal(textOf(text).text, text);
  });

  it('take known values out, however short', () => {
    const knowing = redactorWith();
    knowing.know(['abc']);
    const words = knowing.words({ text: 'error near abc', place: 'commands/x' });
    assert.ok('text' in words && !words.text.includes('abc'));
    assert.ok(!textOf('an abc here', knowing, 'etc/x', ['abc']).text.includes('abc'));
  });

  it('find in names and targets of links what they find in texts: by form, by look, by rule, in each part', () => {
    const rules = [{ pattern: '^LIC-[0-9]+$', kind: 'licence' }];
    const shown = wordsOf('etc/password=clear-t3xt', rules);
    assert.match(shown, /^etc\/password=\[redacted password [0-9a-f]{8}\]$/);
    assert.match(wordsOf('etc/LIC-123456/x', rules), /^etc\/\[redacted licence [0-9a-f]{8}\]\/x$/);
    const long = `etc/very/long/path/of/words/without/any/secret/q7Rk2Xz9Lm4Tn8Vb1Wc6Yd3Ef5Gh0/end`;
    assert.match(wordsOf(long), /\/secret\/\[redacted random-looking word [0-9a-f]{8}\]\/end$/);
    assert.match(wordsOf('tool --key LIC-777777', rules, ' '), /^tool --key \[redacted licence [0-9a-f]{8}\]$/);
    for (const plain of [
      'etc/ssl/certs/DigiCert_TLS_ECC_P384_Root_G5.pem',
      'etc/a name\nof two',
      'etc/-rf',
      'x/LICENCE',
    ]) {
      assert.equal(wordsOf(plain, rules), plain);
    }
  });

  it('find in a difference what is known by now, line by line, and leave markers as they are', () => {
    const knowing = redactorWith({ rules: [{ pattern: '^LIC-[0-9]+$', kind: 'licence' }] });
    knowing.know(['kn0wn-by-now']);
    const shown = (line: string) => {
      const result = knowing.difference(line);
      return 'text' in result ? result.text : assert.fail(result.tooLong);
    };
    const random = 'q7Rk2Xz9Lm4T/n8Vb1Wc6Yd3Ef5Gh0ab';
    const secret = [
      '-requirepass f00bared',
      '+LIC-123456',
      ' kn0wn-by-now',
      `+seed ${random}`,
      '-a: old [volatile] kn0wn-by-now',
    ];
    for (const line of [
      ...secret,
      'diff --git files/etc/LIC-1 files/etc/LIC-1',
      '+++ files/etc/LIC-1\t',
      '+file 0644 x:y /etc/LIC-1',
    ]) {
      const text = shown(line);
      assert.match(text, /\[redacted [^\]]+ [0-9a-f]{8}\]/, line);
      for (const word of ['f00bared', 'LIC-', 'kn0wn', random]) assert.ok(!text.includes(word), text);
      assert.equal(text.charAt(0), line.charAt(0));
    }
    const marked = ['password', 'random-looking word'].map((kind) => `[redacted ${kind} 0a1b2c3d]`);
    const plain = [
      '+password = X',
      '-password = "X"',
      ' token: X',
      "+ALTER ROLE a PASSWORD 'X';",
      '+[withheld: too large, 5 bytes 0a1b2c3d]',
    ];
    for (const line of [
      ...plain.flatMap((each) => marked.map((marker) => each.replace('X', marker))),
      '@@ -1,2 +1,2 @@',
      '',
    ]) {
      assert.equal(shown(line), line);
    }
    assert.match(
      shown(`+password = ${marked[0]} and-m0re`),
      /^\+password = \[redacted password 0a1b2c3d\]\[redacted password [0-9a-f]{8}\]$/,
    );
  });

  it('obey rules of the user, for the files that they are for', () => {
    const rules = [{ pattern: '^licence (\\S+)$', files: ['/etc/app/*.conf'], kind: 'licence' }];
    const own = redactorWith({ rules });
    assert.match(textOf('licence XYZ\n', own, 'etc/app/a.conf').text, /^licence \[redacted licence [0-9a-f]{8}\]\n$/);
    assert.equal(textOf('licence XYZ\n', own, 'etc/other.conf').text, 'licence XYZ\n');
  });

  it('give no text for a rule that takes for ever, and try it no more after some', () => {
    const slow = redactorWith({ rules: [{ pattern: '(a+)+b', kind: 'x' }], ruleLimitMs: 100 });
    assert.ok('spans' in slow.find({ text: 'harmless', path: 'p' }));
    for (let time = 0; time < 5; time++) {
      assert.deepEqual(slow.find({ text: 'a'.repeat(40 + time), path: 'p' }), { tooLong: '(a+)+b' });
    }
    assert.deepEqual(slow.find({ text: 'harmless', path: 'p' }), { tooLong: '(a+)+b' });
    // Of names it was not slow: each would be a marker for what texts cost.
    assert.deepEqual(slow.words({ text: 'etc/harmless', place: 'names', splitAt: '/' }), { text: 'etc/harmless' });
    for (let time = 0; time < 5; time++) assert.ok('tooLong' in slow.words({ text: 'a'.repeat(40), place: 'names' }));
    assert.deepEqual(slow.words({ text: 'harmless', place: 'names' }), { tooLong: '(a+)+b' });
  });

  it('need no more than linear time for texts that were made to be slow', { timeout: 300_000 }, () => {
    const units = [
      ...['a', 'password', '=', '"', "password='", 'user -', '://a:', '[', '{"secret":[', ' ', '\n', 'key: \n '],
      ...['<a password ', '-----BEGIN PRIVATE KEY-----', 'Aa1', '$6$', 'token\n', 'x:\n\n', 'password:\n '],
      ...['secret: [\n', '-----BEGIN PGP PUBLIC KEY BLOCK-----\n', '\\restrict x\npassword = y\n'],
    ];
    const LENGTH = 200_000;
    for (const unit of units) textOf(unit.repeat(LENGTH / unit.length));
    textOf(`machine ${'a'.repeat(LENGTH)}`);
  });

  it('leave out nothing that begins in front of such a name, or goes on behind it', () => {
    const beginnings = [`COMMENT ON ROLE a IS 'token: {rotate';`, `select '-----BEGIN PRIVATE KEY-----%';`];
    for (const beginning of beginnings) {
      const dump = `\\restrict T\n${beginning}\nOPTIONS (password 'Hunter2x9');\n\\unrestrict T\n`;
      const { text, secrets } = textOf(dump);
      assert.ok(!text.includes('Hunter2x9'), text);
      assert.ok(secrets.length > 0);
    }
  });

  it('tell the random name that a dump gives itself from a change', () => {
    const dump = (word: string) => textOf(`\\restrict ${word}\nselect 1;\n\\unrestrict ${word}\n`).text;
    assert.equal(dump('q7Rk2Xz9Lm4Tn8Vb1Wc6Yd3Ef5Gh0abc'), dump('Zz9Yy8Xx7Ww6Vv5Uu4Tt3Ss2Rr1Qq0Pp'));
  });
});
