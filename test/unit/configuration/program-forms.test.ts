// Passwords as single programs write them in their files, and as they are given in command lines.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outcomesOf } from '../../../src/configuration/command-outcome.ts';
import type { RanCommand } from '../../../src/configuration/commands.ts';
import { Redaction } from '../../../src/configuration/redaction/redaction.ts';
import { Redactor } from '../../../src/configuration/redaction/redactor.ts';

const key = Buffer.alloc(32, 7);
const redactor = new Redactor({ key, rules: [] });
const PASSWORD = 'Hunter2x9';

function shown(text: string): string {
  const found = redactor.find({ text, path: 'etc/x' });
  if ('tooLong' in found) return assert.fail(found.tooLong);
  return redactor.write({ place: 'etc/x', text }, found.spans).text;
}

test('files of RabbitMQ and of SNMP show no password, and what is no password', () => {
  const texts = [
    [`{rabbit, [{default_pass, <<"${PASSWORD}">>}, {port, 1}]}`, '{port, 1}]}'],
    [`{ default_pass , "${PASSWORD}" }.`, '.'],
    [`com2sec readonly default ${PASSWORD}\nport 1`, 'port 1'],
    [`com2sec6 -Cn ctx readonly default ${PASSWORD}`, ''],
    [`rocommunity ${PASSWORD} 10.0.0.0/8`, '10.0.0.0/8'],
    [`trap2sink 10.0.0.1 ${PASSWORD} 162`, ' 162'],
    [`createUser bob MD5 "${PASSWORD}" DES`, ' DES'],
    [`createUser -e 0x01 bob SHA-256 abc AES ${PASSWORD}`, ''],
    [`usmUser 1 3 0x80 "bob" 0x${PASSWORD}`, ''],
    [`password_pbkdf2 root grub.pbkdf2.sha512.10000.${PASSWORD}`, ''],
    [`"url":"mysql:\\/\\/root:${PASSWORD}@db"`, '@db"'],
  ] as const;
  for (const [text, rest] of texts) {
    assert.ok(!shown(text).includes(PASSWORD), shown(text));
    assert.ok(shown(text).endsWith(rest), shown(text));
  }
  assert.match(shown(texts[6][0]), /^createUser bob MD5 "\[redacted password [0-9a-f]{8}\]" DES$/);
  for (const text of ['{port, 5672}', '{user_limit, <<"10">>}', 'syslocation "a room"'])
    assert.equal(shown(text), text);
});

const LINES = [
  `redis-cli -h db -a ${PASSWORD} info`,
  `redis-cli -a '${PASSWORD}' info`,
  `valkey-cli --pass ${PASSWORD} info`,
  `redis-server --port 1 --requirepass ${PASSWORD} --save x`,
  `mysql -uroot -p${PASSWORD} -h db`,
  `mysqldump -u root -p'${PASSWORD}' all`,
  `mysqldump -u root -p "${PASSWORD}" all`,
  `mysqladmin -u root password ${PASSWORD} all`,
  `/usr/bin/mongodump -u a -p ${PASSWORD} --gzip`,
  `sshpass -p ${PASSWORD} ssh x`,
  `sshpass -p${PASSWORD} ssh x`,
  `curl -u user:${PASSWORD} https://x`,
  `curl -uuser:${PASSWORD} https://x`,
  `curl -u 'user:two words ${PASSWORD}' https://x`,
  `docker login -u a -p ${PASSWORD} registry.example.org`,
  `ldapsearch -x -w ${PASSWORD} -b dc=x`,
  `snmpget -v2c -c ${PASSWORD} host`,
  `smbclient -U user%${PASSWORD} //x/y`,
  `openssl rsa -in x -passin pass:${PASSWORD}`,
  `echo root:${PASSWORD} | chpasswd # x`,
  `rabbitmqctl add_user bob ${PASSWORD} # x`,
  `mysql --user=root \\\n  -p${PASSWORD} \\\n  -h db`,
  `test: ["CMD", "redis-cli", "-a", "${PASSWORD}", "ping"]`,
  `args: ["--password", "${PASSWORD}", "-v"]`,
  `command:\n  - redis-cli\n  - -a\n  - ${PASSWORD}\n  - ping`,
  `"CMD",\n  "mysql",\n  "-p${PASSWORD}",\n  "-h"`,
] as const;

test('options in scripts, units and lists of arguments show no password, and what stands behind it', () => {
  for (const line of LINES) {
    assert.ok(!shown(line).includes(PASSWORD), shown(line));
    const rest = line.slice(line.indexOf(PASSWORD) + PASSWORD.length).replace(/^["']/, '');
    assert.ok(shown(line).endsWith(rest.trimStart()), `${shown(line)} ends with ${rest}`);
  }
});

/** What goes, and what stands behind it. */
const QUOTED_OR_GOING_ON = [
  [`curl -u admin:'${PASSWORD}' https://x`, ' https://x'],
  [`curl -u admin:'a $b ${PASSWORD}' https://x`, ' https://x'],
  [`curl -u "admin":"${PASSWORD}" https://x`, ' https://x'],
  [`curl -u "admin:"'${PASSWORD}' https://x`, ' https://x'],
  [`curl -u 'admin:'${PASSWORD} https://x`, ' https://x'],
  [`curl -u "admin:'${PASSWORD}'" https://x`, ' https://x'],
  [`curl --user admin:'${PASSWORD}' https://x`, ' https://x'],
  [`curl --proxy-user=admin:"${PASSWORD}" https://x`, ' https://x'],
  [`curl -su admin:${PASSWORD} https://x`, ' https://x'],
  [`curl -fsSu admin:${PASSWORD} https://x`, ' https://x'],
  [`curl -fsSu 'admin:two ${PASSWORD}' https://x`, `' https://x`],
  [`curl -fsSuadmin:'${PASSWORD}' https://x`, ' https://x'],
  [`curl -s \\\n  -u \\\n  admin:${PASSWORD} https://x`, ' https://x'],
  [`["curl", "-fsSu", "admin:${PASSWORD}", "https://x"]`, `", "https://x"]`],
  [`{"run": "curl -u admin:'${PASSWORD}'", "port": 1}`, `", "port": 1}`],
  [`REDISCLI_AUTH=${PASSWORD} redis-cli\nport 1`, '\nport 1'],
  [`Environment=VALKEYCLI_AUTH=${PASSWORD}\nport 1`, '\nport 1'],
  [`environment:\n  REDISCLI_AUTH: ${PASSWORD}\n  PORT: 1`, '\n  PORT: 1'],
  [`redis-cli <<END\nAUTH ${PASSWORD}\nINFO\nEND`, '\nINFO\nEND'],
  [`AUTH app ${PASSWORD}\nINFO`, '\nINFO'],
  [`redis-cli -h db AUTH ${PASSWORD}\nport 1`, '\nport 1'],
  [`smbclient -U 'user%pa ${PASSWORD}' //x/y`, `' //x/y`],
  [`smbclient -U user%'${PASSWORD}' //x/y`, ' //x/y'],
  [`smbclient -U 'DOMAIN\\user'%"${PASSWORD}" //x/y`, ' //x/y'],
  [`["smbclient", "-U", "user%${PASSWORD}", "//x/y"]`, `", "//x/y"]`],
  [`ExecStart=redis-server --requirepass \\\n  ${PASSWORD} \\\n  --port 1`, ' --port 1'],
  [`tool --password \\\n  '${PASSWORD}' --verbose`, `' --verbose`],
  [`tool --password \\\r\n  ${PASSWORD} --verbose`, ' --verbose'],
  [`tool --password\\\n  ${PASSWORD} --verbose`, ' --verbose'],
  [`redis-cli -a \\\n  ${PASSWORD} ping`, ' ping'],
  [`mysql -u root -p \\\n  ${PASSWORD} -h db`, ' -h db'],
  [`tool --password "ab\\" ${PASSWORD}" --verbose`, '" --verbose'],
] as const;

test('options show no password that is quoted by itself, has letters of others in front, or stands on the next line', () => {
  for (const [text, rest] of QUOTED_OR_GOING_ON) {
    assert.ok(!shown(text).includes(PASSWORD), `${text} -> ${shown(text)}`);
    assert.ok(shown(text).endsWith(rest), `${shown(text)} ends with ${rest}`);
  }
});

test('options of other programs, and options without a value, are left as they are', () => {
  const kept = [
    'mkdir -p /var/lib/x',
    'ssh -p 22 host',
    'docker run -p 8080:80 --name redis x',
    'docker run --name mongo -p 27017:27017 mongo',
    'cp -a /etc /backup',
    'redis-cli ping\nls -a /tmp',
    'mysql -p < dump.sql',
    'mysql -p -u root',
    'tar -xpf a.tar',
    'tool --token --verbose',
    'pg_dump --no-password app',
    'tool --token \\\n  --verbose',
    'mysql -p \\\n  -h db',
    'redis-cli -a \\\n  -h db',
    'curl -XPUT http://db:9200/x',
    'curl -oqu http://db:9200/x',
    'curl -u "admin:" "https://x"',
    'curl -fsSu admin: https://x',
    'docker run -u "$(id -u)" x',
    '{"run": "x -u admin:"}',
    'smbclient -U user //x/y',
    'smbclient -U "user" "50% of"',
    'auth SHA256',
    'auth required pam_unix.so',
    'AUTH = off',
    'redis-cli --no-auth-warning ping',
  ];
  for (const text of kept) assert.equal(shown(text), text);
});

test('a command is shown as it was run, without a password in any of its arguments', async (t) => {
  const redaction = new Redaction({ key, rules: [{ pattern: '^LIC-[0-9]+$', kind: 'licence' }] });
  t.after(() => redaction.close());
  const argvOf = async (argv: readonly [string, ...string[]]) => {
    const spec = { name: 'x', argv, timeoutMs: 1, largestBytes: 1, env: {} };
    const ran: RanCommand = { spec, output: Buffer.alloc(1), stderrTail: '', durationMs: 1 };
    return (await outcomesOf([ran], redaction))[0]?.argv.join(' ') ?? assert.fail();
  };
  assert.equal(await argvOf(['/bin/sh', '-c', 'echo "a b"']), '/bin/sh -c echo "a b"');
  for (const argv of [
    ['redis-cli', '-a', PASSWORD, 'info'],
    ['mysql', `-p${PASSWORD}`, 'info'],
    ['mysql', '-p', `two ${PASSWORD}`, 'info'],
    ['/bin/sh', '-c', `redis-cli -a ${PASSWORD} info`],
    ['/bin/sh', '-c', `PGPASSWORD='${PASSWORD}' psql -c "select 1"`],
    ['curl', '-u', `user:${PASSWORD}`, 'info'],
  ] as const) {
    assert.ok(!(await argvOf(argv)).includes(PASSWORD), await argvOf(argv));
  }
  assert.match(await argvOf(['tool', 'with LIC-777777 in it']), /^tool 'with \[redacted licence [0-9a-f]{8}\] in it'$/);
});
