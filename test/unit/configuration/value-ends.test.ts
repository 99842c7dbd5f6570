// Values that neither their quote nor their line ends: nothing of them is left behind, and no more than needs be goes with them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redactor } from '../../../src/configuration/redaction/redactor.ts';

const redactor = new Redactor({ key: Buffer.alloc(32, 7), rules: [] });

function shown(text: string): string {
  const found = redactor.find({ text, path: 'etc/x' });
  if ('tooLong' in found) return assert.fail(found.tooLong);
  return redactor.write({ place: 'etc/x', text }, found.spans).text;
}

function valuesOf(text: string): readonly string[] {
  const found = redactor.find({ text, path: 'etc/x' });
  return 'tooLong' in found ? assert.fail(found.tooLong) : found.values;
}

test('a value of several quoted pieces goes as a whole', () => {
  const texts = [
    `PGPASSWORD='it'"'"'sHunter2x9'`,
    `PASSWORD='it'\\''sHunter2x9'`,
    `PASSWORD='it'\\''s Hunter2x9' # of main`,
    `password="abc"Hunter2x9`,
    `password="abc"'Hunter2x9'`,
    `password="abc""Hunter2x9"`,
    `password="abc"\\ Hunter2x9`,
    `password='abc''Hunter2x9'`,
    `sshpass -p 'it'\\''sHunter2x9' ssh x`,
    `tool --password it\\'s\\ Hunter2x9 --verbose`,
    `tool --password "abc"'Hunter2x9' --verbose`,
  ];
  for (const text of texts) assert.ok(!shown(text).includes('Hunter2x9'), `${text} -> ${shown(text)}`);
  assert.match(shown(texts[10] as string), /\] --verbose$/);
  assert.match(shown(texts[2] as string), /\]' # of main$/);
});

test('what is glued together is known elsewhere as it is meant', () => {
  for (const text of [`PASSWORD='it'"'"'sHunter2x9'`, `PASSWORD='it'\\''sHunter2x9'`, `PASSWORD=it\\'sHunter2x9`]) {
    assert.ok(valuesOf(text).includes("it'sHunter2x9"), `${text}: ${valuesOf(text).join(' | ')}`);
  }
  assert.ok(valuesOf(`password = 'it''sHunter2x9'`).includes("it'sHunter2x9"));
  assert.ok(valuesOf('PASSWORD=Hunter\\\n2x9abc\n').includes('Hunter2x9abc'));
});

test('a value over several lines goes as a whole', () => {
  const texts = [
    'password = """Hunter2x9"""\nport = 1',
    'password = """\nfirst\nHunter2x9\n"""\nport = 1',
    "token: '''first\nHunter2x9'''\nport = 1",
    'PASSWORD=abc\\\nHunter2x9\nport = 1',
    'PASSWORD=abc\\\r\nHunter2x9\r\nport = 1',
    'PASSWORD=abc\\\n  def\\\n  Hunter2x9\nport = 1',
    'PASSWORD=correct horse \\\n  Hunter2x9\nport = 1',
    'PASSWORD="abc\nHunter2x9"\nport = 1',
    'password: "abc\\"\nHunter2x9"\nport = 1',
    'password: "abc\\"\nde\\"Hunter2x9"\nport = 1',
  ];
  for (const text of texts) {
    assert.ok(!shown(text).includes('Hunter2x9'), `${text} -> ${shown(text)}`);
    assert.match(shown(text), /\nport = 1$/, text);
  }
});

test('what follows a value is left where it is', () => {
  const kept = [
    ['ExecStart=/x --password=abcdefg9 \\\n  --port 5432', '--port 5432'],
    ['ENV DB_PASSWORD abcdefg9 \\\n    MODE=fast', 'MODE=fast'],
    ['password=abcdefg9\\\\\nport = 1', 'port = 1'],
    [`{"password": "abcdefg9", "port": 1}`, '", "port": 1}'],
    [`<db password="abcdefg9"/> port`, '"/> port'],
    [`{"run": "x --password 'abcdefg9'", "port": 1}`, `'", "port": 1}`],
    [`{"run": "x --password abcdefg9", "port": 1}`, '", "port": 1}'],
    [`password='abc\nuser='main'`, `user='main'`],
    [`password="abcdefg9\\\\"\nname: "main"`, `\nname: "main"`],
    [`password='abcdefg9\\'\nport = 1 # don't`, `port = 1 # don't`],
    [`password="C:\\abcdefg9\\"\nname="main"`, `\nname="main"`],
  ] as const;
  for (const [text, rest] of kept) {
    assert.ok(shown(text).endsWith(rest), shown(text));
    assert.ok(!shown(text).includes('abcdefg9'), shown(text));
  }
});

test('a name that is quoted within a quoted text is one all the same', () => {
  const text = `{"body": "{\\"password\\": \\"abcdefg9\\"}"}`;
  assert.ok(!shown(text).includes('abcdefg9'), shown(text));
});

test('texts that were made to be slow take no more than linear time', { timeout: 300_000 }, () => {
  const units = [
    ...[`password='a'b"`, `password='a'""`, 'password=a\\\n', 'password=a \\\n', `password='a\n`, 'password="""'],
    ...['redis-cli ', 'mysql -p', 'docker login ', 'createUser ', 'com2sec a b ', '{password, ', '-u a:', 'echo a:b '],
    ...[`curl -u "a:`, '\\', 'password=\\', '- --password\n', 'snmpget -c\n- '],
    ...[
      `curl -su a:'`,
      `curl -sssss`,
      `-u "a":'b`,
      `-u "a:"`,
      `-U a%'`,
      `-U "a%`,
      'AUTH ',
      'AUTH\n',
      'redis-cli auth ',
    ],
    ...['--password \\\n', 'mysql -p \\\n', `password="a\\"\n`, `password="a\\"`, `password="\\\\"`],
  ];
  for (const unit of units) shown(unit.repeat(200_000 / unit.length));
});
