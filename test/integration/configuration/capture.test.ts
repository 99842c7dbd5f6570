// Configuration through the vault and Git: originals come back as they were, no secret is in Git, and whatever fails on the way is told.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { appendFile, chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import {
  type CapturedConfiguration,
  type ConfigurationSource,
  diffConfiguration,
  driftOf,
} from '../../../src/configuration/index.ts';
import { writeTree } from '../../../src/files/index.ts';
import type { SnapshotId } from '../../../src/vault/index.ts';
import {
  CONFIGURATION_COMPONENT,
  captureNumber,
  detailsOf,
  git,
  placeIn,
  plantTree,
  shell,
  sourceOf,
} from '../../support/configuration-capture.ts';
import { differences } from '../../support/file-trees.ts';
import { PLANTED, SECRETS, secretsInRepository } from '../../support/planted-secrets.ts';
import { rescue, runtimes, takeRescue } from '../../support/rescue.ts';
import { seededBytes, snapshotId, type TestVault, testVault } from '../../support/vault.ts';

const execute = promisify(execFile);
const GLOBALS = `CREATE ROLE app;\\nALTER ROLE app PASSWORD 'gl0bal-p4ss';\\n`;

describe('configuration', () => {
  let base: string;
  let etc: string;
  let state: string;
  let test: TestVault;
  let number = 0;
  const at = (name: string) => join(etc, name);
  const commands = [shell('globals', `printf "${GLOBALS}"`), shell('packages', 'echo a 1.0; echo b 2.0')];
  const signal = AbortSignal.timeout(600_000);

  const capture = (changes: Partial<ConfigurationSource> = {}): Promise<CapturedConfiguration> =>
    captureNumber({
      vault: test.vault,
      stateDirectory: state,
      source: sourceOf([etc], { commands, ...changes }),
      number: ++number,
    });
  const repository = () => placeIn(state).repository;
  const message = () => git(repository(), 'log', '-1', '--format=%B', 'main');
  const shown = (name: string) => git(repository(), 'show', `main:files${at(name)}`);
  const newest = async () => (await test.vault.listSnapshots(CONFIGURATION_COMPONENT))[0] ?? assert.fail('no snapshot');

  const giveBack = async (id: SnapshotId) => {
    const directory = await mkdtemp(join(base, 'back-'));
    const reader = await test.vault.openSnapshot(id);
    try {
      await writeTree({ reader, directory, signal });
      return directory;
    } finally {
      reader.close();
    }
  };

  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'holdfast-configuration-'));
    etc = join(base, 'etc');
    state = join(base, 'state');
    await mkdir(state);
    await plantTree(etc);
    await writeFile(at('hosts'), '127.0.0.1 localhost\n');
    await writeFile(at('run.sh'), '#!/bin/sh\necho hello\n', { mode: 0o750 });
    await writeFile(at('binary.db'), Buffer.concat([Buffer.of(0, 1), seededBytes('b', 1000)]));
    await writeFile(at('large.txt'), 'x'.repeat(300_000));
    await writeFile(at('a name\twith -> odd\nthings \u00e4'), 'odd\n');
    await writeFile(Buffer.concat([Buffer.from(at('bytes-')), Buffer.of(0xff)]), 'bytes\n');
    await symlink('hosts', at('link'));
    // What is a secret in another file is one in a name, and in where a link leads.
    await writeFile(at('app/named-tr0ub4dor&3'), 'harmless\n');
    await symlink('/srv/tr0ub4dor&3', at('app/a-link'));
    await mkdir(at('.git'));
    await writeFile(at('.git/config'), '[user]\n');
    test = await testVault();
  });
  after(async () => {
    await rm(base, { recursive: true, force: true });
    await test[Symbol.asyncDispose]();
  });

  it('is captured with originals in the vault and texts in Git', async () => {
    const { snapshot, push } = await capture({ largestTextBytes: 200_000 });
    assert.equal(snapshot.state, 'clean');
    assert.equal(push, undefined);
    const details = detailsOf(snapshot);
    assert.equal(details.repository.isNew, true);
    assert.match(details.repository.summary, /^Capture \d+ files and 2 outputs$/);
    const directory = await giveBack(snapshot.id);
    assert.deepEqual(await differences(etc, join(directory, etc.slice(1))), []);
    await execute('git', ['diff', '--no-index', '--exit-code', '--', etc, join(directory, etc.slice(1))]);
    assert.equal(
      await readFile(join(directory, '.holdfast-configuration/commands/globals'), 'utf8'),
      GLOBALS.replaceAll('\\n', '\n'),
    );
    assert.equal(
      await readFile(join(directory, '.holdfast-configuration/commands/packages'), 'utf8'),
      'a 1.0\nb 2.0\n',
    );
    assert.equal(await shown('hosts'), '127.0.0.1 localhost');
    assert.equal(await git(repository(), 'show', 'main:commands/packages'), 'a 1.0\nb 2.0');
    const listed = await git(repository(), 'ls-tree', '-r', 'main');
    assert.match(listed, /^100755 blob \S+\tfiles.*run\.sh$/m);
    assert.match(listed, /^120000 blob \S+\tfiles.*link$/m);
    assert.match(
      await git(repository(), 'show', 'main:metadata'),
      new RegExp(`^file 0750 \\S+:\\S+ ${at('run.sh')}$`, 'm'),
    );
    const why = new Map(details.withheld.first.map(({ place, why: reason }) => [place, reason]));
    assert.equal(why.get(at('binary.db').slice(1)), 'not text');
    assert.equal(why.get(at('large.txt').slice(1)), 'too large');
    assert.equal(why.get(at('shadow').slice(1)), 'name of a secret file');
    assert.equal(why.get(at('.git/config').slice(1)), 'name that Git cannot hold');
  });

  it('gives its history back out of the vault alone', async () => {
    const directory = await giveBack((await newest()).id);
    const clone = join(base, 'clone');
    await execute('git', [
      'clone',
      '--quiet',
      '--branch',
      'main',
      join(directory, '.holdfast-configuration/repository.bundle'),
      clone,
    ]);
    assert.equal(await readFile(join(clone, 'files', at('hosts')), 'utf8'), '127.0.0.1 localhost\n');
    assert.deepEqual(await secretsInRepository(join(clone, '.git')), []);
  });

  it('has no secret in Git, nor in what it tells', async () => {
    const all = [...SECRETS, 'gl0bal-p4ss'];
    assert.deepEqual(await secretsInRepository(repository(), all), []);
    const told = JSON.stringify((await newest()).engine);
    for (const secret of all) assert.ok(!told.includes(JSON.stringify(secret).slice(1, -1)), secret);
    const { secrets } = detailsOf(await newest());
    assert.ok(secrets.count >= PLANTED.length - 3, `${secrets.count}`);
    assert.ok(
      secrets.first.some(
        ({ place, line, kind }) => place.endsWith('app/main.ini') && line === 3 && kind === 'password',
      ),
    );
  });

  it('is looked at by an eye that sees secrets', async () => {
    const careless = join(base, 'careless');
    await execute('git', ['init', '--quiet', '--initial-branch=main', careless]);
    await plantTree(careless);
    await execute('git', ['-C', careless, 'add', '--all']);
    const author = ['-c', 'user.name=x', '-c', 'user.email=x@invalid'];
    await execute('git', ['-C', careless, ...author, 'commit', '--quiet', '-m', 'x']);
    assert.deepEqual(new Set(await secretsInRepository(join(careless, '.git'))), new Set(SECRETS));
  });

  it('makes no commit when nothing changed, and says so', async () => {
    const before = await git(repository(), 'rev-parse', 'main');
    const { snapshot } = await capture({ largestTextBytes: 200_000 });
    const { repository: told } = detailsOf(snapshot);
    assert.deepEqual(told, {
      commit: before,
      isNew: false,
      summary: 'Nothing changed',
      changes: { created: 0, changed: 0, removed: 0 },
    });
    assert.equal(await git(repository(), 'rev-parse', 'main'), before);
    const bundle = join(await giveBack(snapshot.id), '.holdfast-configuration/repository.bundle');
    assert.match((await execute('git', ['ls-remote', bundle])).stdout, new RegExp(`^${before}\\trefs/heads/main`));
  });

  it('says in words what changed', async () => {
    await appendFile(at('hosts'), '10.0.0.1 db\n');
    const one = await capture();
    assert.equal(detailsOf(one.snapshot).repository.summary, 'Changed 2 files');
    await writeFile(at('motd'), 'welcome\n');
    await rm(at('ci'), { recursive: true });
    await chmod(at('run.sh'), 0o700);
    const two = await capture({ commands: [commands[0] as (typeof commands)[0], shell('packages', 'echo a 1.1')] });
    const text = await message();
    assert.match(text, /^Created 1 file, removed 1 file, output of packages\n/);
    assert.ok(text.includes(`created  ${at('motd')}\n`) && text.includes(`removed  ${at('ci/tokens.txt')}\n`), text);
    assert.ok(text.endsWith(`Snapshot: ${two.snapshot.id}\nComponent: configuration/etc\nHost: db1`), text);
    await chmod(at('run.sh'), 0o755);
    await capture({ commands: [commands[0] as (typeof commands)[0], shell('packages', 'echo a 1.1')] });
    assert.match(await message(), /^Change modes or owners\n/);
  });

  it('shows that a secret was changed, not what it is', async () => {
    await writeFile(at('app/short.ini'), 'db_password=other-secret9\n');
    const { snapshot } = await capture();
    const diff = await git(repository(), 'show', '--format=', 'main');
    assert.match(
      diff,
      /-db_password=\[redacted password [0-9a-f]{8}\]\n\+db_password=\[redacted password [0-9a-f]{8}\]/,
    );
    assert.deepEqual(await secretsInRepository(repository(), [...SECRETS, 'other-secret9']), []);
    const directory = await giveBack(snapshot.id);
    assert.equal(await readFile(join(directory, at('app/short.ini').slice(1)), 'utf8'), 'db_password=other-secret9\n');
  });

  it('tells each way in which a command fails, and keeps what it said when it was well', async () => {
    const ways = [
      shell('globals', 'echo half; echo "no pg_hba entry, password=stderr-s3cret" >&2; exit 3'),
      shell('packages', 'sleep 600 & wait', { timeoutMs: 300 }),
      shell('much', 'yes', { largestBytes: 10_000 }),
      { ...shell('gone', ''), argv: ['/nowhere/at/all'] as [string] },
      shell('empty', 'true'),
      shell('env', 'echo "$SECRET and so on"', { env: { SECRET: 'from-the-env-1' } }),
    ];
    const { snapshot } = await capture({ commands: ways });
    assert.equal(snapshot.state, 'damaged');
    const told = new Map(detailsOf(snapshot).commands.map((each) => [each.name, each]));
    assert.equal(told.get('globals')?.exitCode, 3);
    assert.equal(told.get('globals')?.because, 'ended with exit status 3');
    assert.match(told.get('globals')?.lastWords ?? '', /^no pg_hba entry, password=\[redacted/);
    assert.equal(told.get('packages')?.because, 'took longer than 0.3 s and was ended');
    assert.equal(told.get('much')?.because, 'printed more than 10000 bytes and was ended');
    assert.match(told.get('gone')?.because ?? '', /^could not be started: /);
    assert.deepEqual([told.get('empty')?.state, told.get('empty')?.isEmpty], ['succeeded', true]);
    assert.match(await git(repository(), 'show', 'main:commands/globals'), /^CREATE ROLE app;/);
    assert.equal(await git(repository(), 'show', 'main:commands/globals.failed'), 'ended with exit status 3');
    assert.match(await git(repository(), 'show', 'main:commands/env'), /^\[redacted [^\]]+\] and so on$/);
    const directory = await giveBack(snapshot.id);
    assert.equal(await readFile(join(directory, '.holdfast-configuration/commands/globals.failed'), 'utf8'), 'half\n');
    assert.equal((await stat(join(directory, '.holdfast-configuration/commands/much.failed'))).size, 10_000);
    const secrets = ['stderr-s3cret', 'from-the-env-1'];
    assert.deepEqual(await secretsInRepository(repository(), [...SECRETS, ...secrets]), []);
    for (const secret of secrets) assert.ok(!JSON.stringify(snapshot.engine).includes(secret));
    assert.equal((await capture()).snapshot.state, 'clean');
  });

  it('tells a path that is not there and a file that cannot be read', async () => {
    const paths = [etc, join(base, 'absent'), join(base, 'none-*.conf'), '/proc/self/mem'];
    const { snapshot } = await capture({ paths });
    assert.equal(snapshot.state, 'damaged');
    const { missing, unmatched, unseen } = detailsOf(snapshot);
    assert.deepEqual([missing, unmatched], [[join(base, 'absent')], [join(base, 'none-*.conf')]]);
    assert.equal(unseen.count, 1);
    assert.match(unseen.first[0]?.path ?? '', /^proc\/self\/mem$/);
    await assert.rejects(capture({ paths: [join(base, 'absent')] }), { code: 'FILES_ROOT' });
  });

  it('takes patterns for paths, and withholds what the user names', async () => {
    const { snapshot } = await capture({
      paths: [at('ap*/ma*.ini'), at('hosts')],
      withhold: ['/**/hosts'],
      commands: [],
    });
    assert.equal(detailsOf(snapshot).files, 2);
    assert.match(await shown('hosts'), /^\[withheld: asked for [0-9a-f]{8}\]$/);
    assert.equal((await capture()).snapshot.state, 'clean');
  });

  it('is compared between snapshots, and with the host as it is now', async () => {
    const one = await newest();
    await appendFile(at('hosts'), '10.0.0.2 cache\n');
    const two = (await capture()).snapshot;
    const options = { vault: test.vault, place: placeIn(state), rules: [], largestBytes: 1_000_000, signal };
    const between = await diffConfiguration({ ...options, from: one, to: two });
    assert.deepEqual(
      between.changes.map(({ what, path }) => `${what} ${path}`),
      [`changed files${at('hosts')}`],
    );
    assert.match(between.text, /^\+10\.0\.0\.2 cache$/m);
    const source = sourceOf([etc], { commands });
    const same = await diffConfiguration({ ...options, from: two, to: { source } });
    assert.deepEqual([same.changes, same.text], [[], '']);
    await writeFile(at('app/main.ini'), 'password = brand-new-pw1\n');
    await writeFile(at('binary.db'), Buffer.of(0, 9));
    const now = await diffConfiguration({ ...options, from: two, to: { source } });
    assert.deepEqual(
      now.changes.map(({ path }) => path.split('/').at(-1)),
      ['main.ini', 'binary.db'],
    );
    assert.ok(!now.text.includes('brand-new-pw1') && !now.text.includes('correct horse battery'), now.text);
    const elsewhere = await diffConfiguration({
      ...options,
      place: placeIn(join(base, 'other-host')),
      from: one,
      to: two,
    });
    assert.equal(elsewhere.text, between.text);
    assert.equal((await diffConfiguration({ ...options, largestBytes: 10, from: one, to: two })).isCut, true);
  });

  it('knows what has drifted since, without reading what was not touched', async () => {
    const { snapshot } = await capture();
    const look = async () => {
      const options = { vault: test.vault, place: placeIn(state), snapshot: snapshot.id };
      const drift = await driftOf({ ...options, paths: [etc], rules: sourceOf([]).rules });
      assert.notEqual(drift.state, 'unknown', JSON.stringify(drift));
      return drift.state === 'unknown'
        ? []
        : drift.names.first.map(({ path, what }) => `${what} ${path.slice(etc.length + 1)}`);
    };
    assert.deepEqual(await look(), []);
    await writeFile(at('hosts'), await readFile(at('hosts')));
    assert.deepEqual(await look(), []);
    await appendFile(at('hosts'), 'x\n');
    await writeFile(at('fresh'), 'x\n');
    await chmod(at('run.sh'), 0o700);
    await rm(at('motd'));
    const seen = ['created fresh', 'content hosts', 'mode run.sh', 'removed motd'];
    assert.deepEqual(await look(), seen);
    await rm(placeIn(state).seen);
    assert.deepEqual(await look(), seen);
  });

  it('comes back by rescue.mjs alone', async () => {
    const { snapshot } = await capture();
    const script = await takeRescue(test.path('local'), join(base, 'bare'));
    const to = join(base, 'rescued');
    const [runtime] = await runtimes();
    const vault = ['--vault', test.path('local'), '--key-file', test.keyFile];
    const { status, said, complained } = await rescue(script, runtime ?? assert.fail(), [
      'restore',
      snapshot.id,
      '--to',
      to,
      ...vault,
    ]);
    assert.equal(status, 0, `${said}${complained}`);
    assert.deepEqual(await differences(etc, join(to, etc.slice(1)), 'seconds'), []);
    const heads = await execute('git', ['ls-remote', join(to, '.holdfast-configuration/repository.bundle')]);
    assert.ok(heads.stdout.startsWith(detailsOf(snapshot).repository.commit));
  });

  it('is found by a repeated attempt, and leaves nothing behind', async () => {
    const options = { vault: test.vault, stateDirectory: state, source: sourceOf([etc], { commands }), number };
    const again = await captureNumber(options);
    assert.equal(again.snapshot.id, snapshotId(number));
    const { stdout } = await execute('ls', ['-A', placeIn(state).directory]);
    assert.deepEqual(stdout.trim().split('\n').sort(), ['lock', 'marker.key', 'repository.git', 'seen.jsonl']);
  });
});
