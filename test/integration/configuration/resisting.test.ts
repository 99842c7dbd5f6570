// Files that resist: secrets in names and links, texts that take for ever, names that Git would obey, and bytes that change under the reader.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { link, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { type ConfigurationSource, diffConfiguration } from '../../../src/configuration/index.ts';
import { knownSecretsOf } from '../../../src/configuration/own-entries.ts';
import { writeTree } from '../../../src/files/index.ts';
import type { SnapshotOnCopies } from '../../../src/vault/index.ts';
import {
  afterFiles,
  captureNumber,
  detailsOf,
  git,
  placeIn,
  shell,
  sourceOf,
} from '../../support/configuration-capture.ts';
import { differences } from '../../support/file-trees.ts';
import { secretsInRepository } from '../../support/planted-secrets.ts';
import { type TestVault, testVault } from '../../support/vault.ts';

const execute = promisify(execFile);

describe('configuration that resists', () => {
  let base: string;
  let etc: string;
  let state: string;
  let test: TestVault;
  let number = 0;
  const signal = AbortSignal.timeout(600_000);
  const at = (name: string) => join(etc, name);
  const repository = () => placeIn(state).repository;
  const shown = (name: string) => git(repository(), 'show', `main:files${at(name)}`);

  const capture = async (changes: Partial<ConfigurationSource> = {}, vault = test.vault) => {
    const source = sourceOf([etc], changes);
    return (await captureNumber({ vault, stateDirectory: state, source, number: ++number })).snapshot;
  };
  const giveBack = async ({ id }: SnapshotOnCopies) => {
    const directory = await mkdtemp(join(base, 'back-'));
    const reader = await test.vault.openSnapshot(id);
    try {
      await writeTree({ reader, directory, signal });
      return join(directory, etc.slice(1));
    } finally {
      reader.close();
    }
  };

  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'holdfast-resisting-'));
    [etc, state] = [join(base, 'etc'), join(base, 'state')];
    for (const directory of [etc, state, at('app')]) await mkdir(directory);
    // Somebody made it for us, and open to all.
    await mkdir(placeIn(state).directory, { recursive: true, mode: 0o755 });
    await writeFile(at('hosts'), '127.0.0.1 localhost\n');
    test = await testVault();
  });
  after(async () => {
    await rm(base, { recursive: true, force: true });
    await test[Symbol.asyncDispose]();
  });

  it('is captured with names that Git would obey, or some file system takes for names of Git', async () => {
    const odd = ['app/.gitattributes', '.gitmodules ', '.git/config', '-rf', 'two\nlines', ':(glob)x'];
    await mkdir(at('.git'));
    for (const name of odd) await writeFile(at(name), `* -diff\n*.conf ${'x'.repeat(3_000)}\n`);
    await writeFile(at('.gitmodules '), '[submodule "../up"]\n\tpath = -x\n\turl = -u./x\n');
    const one = await capture();
    assert.equal(one.state, 'clean');
    assert.equal((await stat(placeIn(state).directory)).mode & 0o777, 0o700);
    const withheld = new Map(detailsOf(one).withheld.first.map(({ place, why }) => [`/${place}`, why]));
    assert.equal(withheld.get(at('app/.gitattributes')), 'name that Git obeys');
    for (const name of ['.gitmodules ', '.git/config']) {
      assert.equal(withheld.get(at(name)), 'name that Git cannot hold', name);
    }
    assert.equal(withheld.size, 3);
    for (const name of ['-rf', 'two\nlines', ':(glob)x']) assert.match(await shown(name), /^\* -diff/);
    assert.deepEqual(await differences(etc, await giveBack(one)), []);
    const clone = join(base, 'clone');
    await execute('git', ['-c', 'transfer.fsckObjects=true', 'clone', '--quiet', `file://${repository()}`, clone]);
    assert.equal(await readFile(join(clone, 'files', at('hosts')), 'utf8'), '127.0.0.1 localhost\n');
    await writeFile(at('app/x.conf'), 'shown\n');
    const between = { vault: test.vault, place: placeIn(state), rules: [], largestBytes: 1_000_000, signal };
    const diff = await diffConfiguration({ ...between, from: one, to: { source: sourceOf([etc]) } });
    assert.match(diff.text, /^\+shown$/m);
  });

  it('has no secret in names, in where links lead, in metadata, in arguments, or in messages of commits', async () => {
    const random = (letter: string) => `${letter}7Rt2Xk9Lm4Tn8Vb1Wc6Yd3Ef5Gh0`;
    const secrets = [...['P', 'Q', 'R'].map(random), 'LIC-100001', 'LIC-200002', 'LIC-300003', 'LIC-400004'];
    const names = [`named.${random('P')}.conf`, 'app/LIC-100001.conf', 'app/LIC-200002/inner.conf'];
    await mkdir(at('app/LIC-200002'));
    for (const name of names) await writeFile(at(name), 'harmless\n');
    await link(at('app/LIC-100001.conf'), at('hard-link'));
    await symlink(`/srv/${random('Q')}`, at('link-one'));
    await symlink('../LIC-300003', at('link-two'));
    const tool = shell('tool', 'echo done', { argv: ['/bin/echo', 'LIC-400004', '--', random('R')] });
    const redact = [{ pattern: 'LIC-[0-9]+', kind: 'licence' }];
    const snapshot = await capture({ commands: [tool], redact });
    assert.equal(snapshot.state, 'clean');
    assert.match(
      await git(repository(), 'log', '-1', '--format=%B', 'main'),
      /^created {2}\S+named\.\[redacted random-looking word [0-9a-f]{8}\]\.conf$/m,
    );
    assert.match(
      await git(repository(), 'show', 'main:metadata'),
      /^hardlink .* = \S+\[redacted licence [0-9a-f]{8}\]/m,
    );
    assert.deepEqual(await secretsInRepository(repository(), secrets), []);
    const told = JSON.stringify(snapshot.engine);
    for (const secret of secrets) assert.ok(!told.includes(secret), secret);
    // The vault has them as they are.
    assert.deepEqual(await differences(etc, await giveBack(snapshot)), []);
    for (const name of [...names, 'app/LIC-200002', 'hard-link', 'link-one', 'link-two']) {
      await rm(at(name), { recursive: true, force: true });
    }
    assert.equal((await capture({ redact })).state, 'clean');
    assert.deepEqual(await secretsInRepository(repository(), secrets), []);
    // The eye sees names, where no rule is: in the tree, in metadata, and in the message.
    await writeFile(at('LIC-500005'), 'harmless\n');
    await capture();
    assert.deepEqual(await secretsInRepository(repository(), ['LIC-500005']), ['LIC-500005']);
  });

  it('withholds a text on which a rule takes for ever, and goes on with the others', async () => {
    await writeFile(at('app/evil.txt'), `${'a'.repeat(40)}\n`);
    const redact = [{ pattern: '(a+)+b', kind: 'x', files: ['evil.txt'] }];
    const snapshot = await capture({ redact });
    assert.equal(snapshot.state, 'clean');
    const evil = { place: at('app/evil.txt').slice(1), why: 'pattern takes too long' };
    assert.deepEqual(detailsOf(snapshot).withheld.first[0], evil);
    assert.match(await shown('app/evil.txt'), /^\[withheld: pattern takes too long [0-9a-f]{8}\]$/);
    assert.equal(await shown('hosts'), '127.0.0.1 localhost');
    await rm(at('app/evil.txt'));
  });

  it('makes no commit when names could not be looked through, says so, and shows no difference in them', async () => {
    await capture();
    const [was, tree] = [
      await git(repository(), 'rev-parse', 'main'),
      await git(repository(), 'rev-parse', 'main^{tree}'),
    ];
    const evil = Array.from({ length: 6 }, (_, number) => `${'a'.repeat(40)}${number}`);
    for (const name of evil) await writeFile(at(name), 'harmless\n');
    await writeFile(at('app/new.conf'), 'new\n');
    const redact = [{ pattern: '(a+)+b', kind: 'x' }];
    const snapshot = await capture({ redact });
    const { repository: told, withheld } = detailsOf(snapshot);
    assert.deepEqual([told.commit, told.isNew], [was, false]);
    assert.match(told.summary, /^No commit: names/);
    assert.deepEqual(withheld, {
      count: 1,
      first: [{ place: 'names of files', why: 'takes too long to look through' }],
    });
    assert.equal(await git(repository(), 'rev-parse', 'main^{tree}'), tree);
    assert.deepEqual(await differences(etc, await giveBack(snapshot)), []);
    const between = { vault: test.vault, place: placeIn(state), rules: redact, largestBytes: 1_000_000, signal };
    const diff = await diffConfiguration({ ...between, from: snapshot, to: { source: sourceOf([etc], { redact }) } });
    assert.deepEqual([diff.changes, diff.withheld?.first[0]?.place], [[], 'names of files']);
    // Where there was nothing before, there is nothing now.
    const [alone, other] = [await testVault(), join(base, 'alone')];
    try {
      await mkdir(other);
      const source = sourceOf([etc], { redact });
      const first = await captureNumber({ vault: alone.vault, stateDirectory: other, source, number: 1 });
      const { commit } = detailsOf(first.snapshot).repository;
      assert.equal(await git(placeIn(other).repository, 'ls-tree', '-r', commit), '');
    } finally {
      await alone[Symbol.asyncDispose]();
    }
    for (const name of evil) await rm(at(name));
    assert.equal(detailsOf(await capture()).repository.isNew, true);
    assert.equal(await shown('app/new.conf'), 'new');
  });

  it('commits nothing of a file that the snapshot does not hold, and says so', async () => {
    await writeFile(at('changing'), 'first\n');
    await capture();
    await writeFile(at('changing'), 'second\n');
    const whenRead = () => writeFile(at('changing'), 'third, t0ken=never-captured\n');
    const snapshot = await capture({}, afterFiles(test.vault, whenRead));
    const changed = { place: at('changing').slice(1), why: 'changed while it was read' };
    assert.deepEqual(detailsOf(snapshot).withheld.first[0], changed);
    assert.equal(await shown('changing'), 'first');
    assert.equal(await readFile(join(await giveBack(snapshot), 'changing'), 'utf8'), 'second\n');
    assert.deepEqual(await secretsInRepository(repository(), ['never-captured']), []);
    await writeFile(at('changing'), 'second\n');
    await capture();
    assert.equal(await shown('changing'), 'second');
  });

  it('shows in a diff nothing of an old text that is known by now to be a secret', async () => {
    await writeFile(
      at('old.log'),
      'user logged in with unkn0wn-then\nLIC-600006\n0wn-of-ours-7\nkept line\npassword = in-m4rker\n',
    );
    await writeFile(at('LIC-700007'), 'harmless\n');
    const one = await capture();
    // The eye sees what was let through.
    assert.equal((await secretsInRepository(repository(), ['unkn0wn-then', 'LIC-600006', 'LIC-700007'])).length, 3);
    await rm(at('old.log'));
    await rm(at('LIC-700007'));
    await writeFile(at('app.ini'), 'password = unkn0wn-then\n');
    const rules = [{ pattern: '^LIC-[0-9]+$', kind: 'licence' }];
    await writeFile(at('app.log'), 'with 0wn-of-ours-7 it failed\n');
    await writeFile(at('copy'), 'a key of ours\n');
    const contents = [createHash('sha256').update('a key of ours\n').digest('hex')];
    const two = await capture({
      redact: rules,
      ownSecrets: { values: ['0wn-of-ours-7', '0wn-and-nowhere'], contents },
    });
    assert.match(await shown('app.log'), /^with \[redacted secret of another place [0-9a-f]{8}\] it failed$/);
    assert.match(await shown('copy'), /^\[withheld: same content as one that is withheld [0-9a-f]{8}\]$/);
    const reader = await test.vault.openSnapshot(two.id);
    const remembered = await knownSecretsOf(reader);
    reader.close();
    assert.deepEqual(
      ['0wn-of-ours-7', '0wn-and-nowhere'].map((value) => remembered.includes(value)),
      [true, false],
    );
    const own = ['0wn-of-ours-7'];
    const options = { vault: test.vault, place: placeIn(state), rules, own, largestBytes: 1_000_000, signal };
    const directions = [[one, two] as const, [two, one] as const, [one, { source: sourceOf([etc]) }] as const];
    for (const [from, to] of directions) {
      const { text, changes } = await diffConfiguration({ ...options, from, to });
      const told = `${text}${JSON.stringify(changes)}`;
      for (const secret of ['unkn0wn-then', 'LIC-600006', 'LIC-700007', ...own])
        assert.ok(!told.includes(secret), told);
      assert.match(text, /^[+-]user logged in with \[redacted secret of another place [0-9a-f]{8}\]$/m);
      assert.match(text, /^[+-]\[redacted licence [0-9a-f]{8}\]$/m);
      assert.match(text, /^[+-]kept line$/m);
      // A marker is no secret, and is not marked again.
      assert.match(text, /^[+-]password = \[redacted password [0-9a-f]{8}\]$/m);
      const commit = await git(repository(), 'show', `${detailsOf(one).repository.commit}:files${at('old.log')}`);
      assert.ok(text.includes(commit.split('\n').at(-1) ?? assert.fail()));
    }
  });
});
