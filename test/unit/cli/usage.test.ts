// Wrong use of the command line: every refusal says what was wrong, and its hint fits what was typed.

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { allCommands } from '../../../src/cli/commands/index.ts';
import type { SharedOption } from '../../../src/cli/define.ts';
import { typeHoldfast } from '../../support/command-line.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const ends: (() => Promise<void>)[] = [];
after(async () => {
  for (const end of ends) await end();
});
const directory = await temporaryDirectory({ after: (end) => void ends.push(end) });
const file = path.join(directory, 'holdfast.yaml');
await writeFile(
  file,
  [
    'name: acme',
    'temporal: { address: "127.0.0.1:1" }',
    'sites: { home: {} }',
    'hosts: { db1: { site: home } }',
    'vault: { commit: { copies: 1 }, copies: { local: { file: local, site: home } }, keys: [{ name: host, file: host.key }] }',
    'database: { main: { host: db1, url: "env:A" }, ledger: { host: db1, url: "env:B" } }',
  ].join('\n'),
);

async function refusal(...args: string[]): Promise<{ code: string; message: string; hint: string }> {
  const { exit, json, text } = await typeHoldfast(['-c', file, ...args, '--json']);
  assert.equal(exit, 2, text);
  return json.error;
}

describe('an option', () => {
  const flags: Readonly<Record<SharedOption, string>> = {
    yes: '--yes',
    dryRun: '--dry-run',
    detach: '--detach',
    standalone: '--standalone',
  };

  for (const { path: command, takes, arguments: words } of allCommands) {
    test(`that means nothing to '${command}' is refused, and not shown on its help page`, async () => {
      const { text: page } = await typeHoldfast([...command.split(' '), '--help']);
      for (const [shared, flag] of Object.entries(flags) as [SharedOption, string][]) {
        assert.equal(page.includes(`  ${flag} `), takes.includes(shared), `${flag}\n${page}`);
        if (takes.includes(shared)) continue;
        const { message, hint } = await refusal(
          ...command.split(' '),
          ...(words.match(/</g) ?? []).map(() => 'x'),
          flag,
        );
        assert.equal(message, `'${flag}' means nothing to 'holdfast ${command}'`);
        assert.match(hint, /^it is for `/);
      }
    });
  }

  test('--detach is refused together with --standalone', async () => {
    const { message } = await refusal('rollback', 'database/main', '--standalone', '--detach');
    assert.match(message, /nothing to detach from/);
  });
});

describe('help', () => {
  test('of every command and group is what its --help shows', async () => {
    const groups = allCommands.flatMap(({ path: command }) =>
      command.includes(' ') ? [command.split(' ')[0] ?? ''] : [],
    );
    for (const command of new Set([...allCommands.map((each) => each.path), ...groups])) {
      const words = command.split(' ');
      const [asked, shown] = [await typeHoldfast(['help', ...words]), await typeHoldfast([...words, '--help'])];
      assert.deepEqual([asked.exit, asked.errors], [0, '']);
      assert.match(asked.text, new RegExp(`^Usage: holdfast ${command} `));
      assert.equal(asked.text, shown.text);
    }
  });

  test('without a command is that of the whole program', async () => {
    const { text, exit } = await typeHoldfast(['help']);
    assert.equal(exit, 0);
    assert.equal(text, (await typeHoldfast(['--help'])).text);
    assert.match(text, /^ {2}help \[command\.\.\.\] +show the help page of a command$/m);
  });

  test('of a command that is none suggests one', async () => {
    const error = await refusal('help', 'restroe');
    assert.deepEqual(
      [error.message, error.hint],
      ["unknown command 'restroe', did you mean 'restore'?", 'see `holdfast --help`'],
    );
    assert.equal((await refusal('help', 'keys', 'lst')).hint, 'see `holdfast keys --help`');
  });

  test('names in exit status 4 the commands that say when they leave with it', async () => {
    const { text } = await typeHoldfast(['--help']);
    const named = /^ {2}4 .*\((.*)\)$/m.exec(text)?.[1]?.split(', ') ?? [];
    assert.deepEqual(named.toSorted(), [
      'check',
      'copies',
      'copies repair',
      'files find',
      'keys test',
      'retention plan',
      'sandbox up',
      'schedules list',
      'status',
      'test integrity',
    ]);
    for (const command of named) {
      assert.match(
        (await typeHoldfast(['help', ...command.split(' ')])).text.replace(/\s+/g, ' '),
        /Leaves with 4 when /,
      );
    }
  });
});

test('the hint of wrong use is the help of the command that was used', async () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [['restore'], 'restore'],
    [['restore', 'database/main'], 'restore'],
    [['restore', 'database/main', '--to', 'latest', '--start'], 'restore'],
    [['restore', 'database/main', '--to', 'latest', '--deep'], 'restore'],
    [['restore', 'database/main', '--tp', 'latest'], 'restore'],
    [['restore', 'database', 'main', 'other', '--to', 'latest'], 'restore'],
    [['keys', 'list', 'x'], 'keys list'],
    [['keys', 'lst'], 'keys'],
    [['keys'], 'keys'],
    [['status', 'x'], 'status'],
  ];
  for (const [args, command] of cases) {
    const { code, hint } = await refusal(...args);
    assert.deepEqual([args, code, hint], [args, 'USAGE', `see \`holdfast ${command} --help\``]);
  }
  assert.equal((await refusal('restroe', 'x')).hint, 'see `holdfast --help`');
});

test('a command or an option that is none suggests what it is near to, and nothing that is not', async () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [['restroe', 'x'], "unknown command 'restroe', did you mean 'restore'?"],
    [['keys', 'lst'], "unknown command 'lst', did you mean 'list'?"],
    [['status', '--standalon'], "unknown option '--standalon', did you mean '--standalone'?"],
    [['start'], "unknown command 'start'"],
    [['verify'], "unknown command 'verify'"],
    [['restore', 'database/main', '--foo'], "unknown option '--foo'"],
  ];
  for (const [args, message] of cases) assert.equal((await refusal(...args)).message, message);
});

test('the hint of a target fits the kind of target that was typed', async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['lsn:zz', /^write a position in the log .* lsn:0\/3000148$/],
    ['xid:1', /^write a transaction .* xid:1234$/],
    ['name:', /^write a restore point .* name:before_upgrade$/],
    ['2026-13-01T00:00:00Z', /^write it as ISO 8601/],
    ['lns:0/3', /^did you mean 'lsn:'\? it is a position/],
    ['LSN:0/3', /^did you mean 'lsn:'\?/],
    ['lastest', /^did you mean 'latest'\?$/],
    ['next tuesday', /^write a moment such as .*, lsn:.*, xid:.*, name:.*, latest, or immediate$/],
  ];
  for (const [target, expected] of cases) {
    const { code, hint } = await refusal('restore', 'database/main', '--to', target);
    assert.equal(code, 'MOMENT_INVALID');
    assert.match(hint, expected, target);
  }
});

test('a component that is none suggests those that are near, also by their name alone', async () => {
  const cases: readonly (readonly [readonly string[], string | undefined])[] = [
    [['main'], 'database/main'],
    [['mian'], 'database/main'],
    [['redis/main'], 'database/main'],
    [['databse/main'], 'database/main'],
    [['databse', 'main'], 'database/main'],
    [['database/leger'], 'database/ledger'],
    [['databse'], 'database'],
    [['something/else'], undefined],
    [['database/prod'], undefined],
  ];
  for (const [words, expected] of cases) {
    const { code, hint } = await refusal('restore', ...words, '--to', 'latest');
    const suggestion = expected === undefined ? '' : `did you mean '${expected}'? `;
    assert.deepEqual(
      [words, code, hint],
      [words, 'UNKNOWN_COMPONENT', `${suggestion}configured: database/main, database/ledger`],
    );
  }
});

describe('one wrong value', async () => {
  const many = path.join(directory, 'many.yaml');
  const etc = 'configuration: { etc: { host: db1, paths: [/etc/hosts] } }';
  const files = 'files: { uploads: { host: db1, roots: [/srv/uploads] } }';
  await writeFile(many, `${(await readFile(file, 'utf8')).replaceAll('acme', 'many')}\n${etc}\n${files}\n`);
  await mkdir(path.join(directory, 'no-sandbox'));
  await writeFile(path.join(directory, 'no-sandbox', 'precious'), 'of somebody');
  const usage = (command: string) => `see \`holdfast ${command} --help\``;
  const hold = ['retention', 'hold', 'database/main', '--reason', 'x', '--until'];
  const down =
    /^`--dir` is the directory that `holdfast sandbox up` was given; (none runs here now|those that run here)/;

  const rows: readonly (readonly [readonly string[], string, string | RegExp])[] = [
    [
      ['test', 'integrity', '--budget', '5'],
      "--budget: expected a size such as 500MiB, 20GiB or 2TiB, got '5'",
      usage('test integrity'),
    ],
    [
      ['test', 'integrity', '--time', '5'],
      "--time: expected a duration such as 30s, 15min, 6h or 90d, got '5'",
      usage('test integrity'),
    ],
    [
      ['test', 'integrity', '--within', '0'],
      '--within: expected a number of days from 1 to 3650, such as 30',
      usage('test integrity'),
    ],
    [
      ['monitor', '--interval', '5'],
      "--interval: expected a duration such as 30s, 15min, 6h or 90d, got '5'",
      usage('monitor'),
    ],
    [
      ['restore', 'database/main', '--to', 'latest', '--from', 'lokal'],
      "'--from': no copy 'lokal' is configured",
      "did you mean 'local'?",
    ],
    [[...hold, 'nope'], "expected a moment in ISO 8601, got 'nope'", /^write it as ISO 8601, for example 2/],
    [
      [...hold, '2020-01-01T00:00:00Z'],
      "'--until': 2020-01-01T00:00:00Z is over, and the hold would end before it begins",
      /or leave `--until` out/,
    ],
    [
      ['history', 'redis'],
      "no component of the kind 'redis' is configured",
      'configured: database/main, database/ledger, files/uploads, configuration/etc',
    ],
    [
      ['files', 'find', '/srv/x', 'uplaods'],
      "no component 'files/uplaods' is configured",
      /^did you mean 'files\/uploads'\?/,
    ],
    [
      ['configuration', 'diff', 'nope'],
      "'nope' is neither a configuration (configuration/etc) nor a snapshot of configuration/etc",
      /^a snapshot is `latest`, `snapshot:ID`, or a moment: .*; `holdfast list configuration\/etc` shows those/,
    ],
    [
      ['configuration', 'diff', 'etc', '2026-13-01T00:00:00Z'],
      "'2026-13-01T00:00:00Z' names a date or time that does not exist",
      /^write it as ISO 8601/,
    ],
    [['sandbox', 'down', '--dir', '/nosuch'], "there is no sandbox in '/nosuch'", down],
    [['sandbox', 'down', '--dir', '/nosuch', '--dry-run'], "there is no sandbox in '/nosuch'", down],
    [
      ['sandbox', 'down', '--dir', path.join(directory, 'no-sandbox')],
      `there is no sandbox in '${path.join(directory, 'no-sandbox')}'`,
      down,
    ],
  ];

  for (const [args, message, hint] of rows) {
    test(`is named, with what mends it: ${args.join(' ').replace(directory, 'DIR')}`, async () => {
      const error = await refusal('-c', many, ...args);
      assert.equal(error.message, message);
      if (typeof hint === 'string') assert.equal(error.hint, hint);
      else assert.match(error.hint, hint);
    });
  }

  test('of a directory that is none of a sandbox leaves nothing there', async () => {
    assert.deepEqual(await readdir(path.join(directory, 'no-sandbox')), ['precious']);
  });

  test('is not sent to make a configuration that there is none of', async () => {
    const error = await refusal('configuration', 'diff', 'nope');
    assert.equal(error.message, "no component of the kind 'configuration' is configured");
    assert.match(error.hint, /docs\/configuration-snapshots\.md$/);
  });
});

test('a configuration that is wrong is not sent to the command that has just read it', async () => {
  await writeFile(path.join(directory, 'wrong.yaml'), 'name: acme\n');
  const { exit, json } = await typeHoldfast(['-c', path.join(directory, 'wrong.yaml'), 'config', 'check', '--json']);
  assert.equal(exit, 2);
  assert.doesNotMatch(json.error.hint, /config check/);
  assert.match(json.error.hint, /docs\/configuration\.md/);
});

describe('one table or database of a moment', () => {
  const restore = (...more: string[]) => refusal('restore', 'database/main', '--to', 'latest', ...more);

  test('says where it goes, once', async () => {
    const table = ['--table', 'ledger.entries'];
    assert.match((await restore(...table)).message, /^say where the table goes: '--as NAME' .*, or '--replace'/);
    assert.match(
      (await restore(...table, '--as', 'x', '--replace')).message,
      /^'--as' and '--replace' exclude each other/,
    );
    assert.match((await restore(...table, '--into', 'x')).message, /^'--into' is for a whole database/);
    assert.match((await restore('--as', 'x')).message, /^'--as' and '--replace' go together with '--table/);
    assert.match((await restore('--database', 'bank')).hint, /^add '--table SCHEMA\.TABLE', or '--into NAME'/);
    assert.match(
      (await restore(...table, '--replace', '--beside', '/x', '--start')).message,
      /^'--start' means nothing here/,
    );
    assert.match((await restore(...table, '--as', 'x', '--globals')).message, /^'--globals' goes together with/);
  });

  test('of a dump it can go under another name, and never replaces rows', async () => {
    const dump = (...more: string[]) => refusal('restore', 'database/main', '--to', 'dump:latest', ...more);
    assert.match((await dump('--table', 'a.b', '--replace')).message, /^'--replace' goes together with a moment/);
    assert.match((await dump('--as', 'x')).message, /^'--as' goes together with '--table/);
  });
});
