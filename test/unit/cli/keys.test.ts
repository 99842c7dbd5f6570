// The `keys` commands as a person types them: what they do to vault and key files, what they say, and that no secret is in it.

import assert from 'node:assert/strict';
import { chmod, link, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Typed, typeHoldfast } from '../../support/command-line.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const suite: (() => Promise<void>)[] = [];
after(async () => {
  for (const end of suite) await end();
});
const directory = await temporaryDirectory({ after: (end) => void suite.push(end) });
const configuration = join(directory, 'holdfast.yaml');
const passphrases = ['correct horse battery staple', 'wholly another passphrase'];
const told: string[] = [];

/** With somebody at the terminal who types `typed`. */
async function holdfast(args: readonly string[], typed?: string): Promise<Typed> {
  const answer = await typeHoldfast(['-c', configuration, ...args], typed);
  told.push(answer.text, answer.errors);
  return answer;
}

async function json(...args: string[]): Promise<Typed['json']> {
  const answer = await holdfast([...args, '--json']);
  assert.equal(answer.exit, 0, `${args.join(' ')}: ${answer.text}${answer.errors}`);
  return answer.json;
}

async function configure(...keys: string[]): Promise<void> {
  const text = [
    'name: acme',
    'temporal: { address: "127.0.0.1:1" }',
    'sites: { home: {} }',
    'hosts: { db1: { site: home }, db2: { site: home } }',
    `vault: { commit: { copies: 1 }, copies: { local: { file: local, site: home }, eu: { file: eu, site: home, offsite: true } }, keys: [${keys.join(', ')}] }`,
    'database: { main: { host: db1, url: "env:DATABASE_URL" } }',
  ];
  await writeFile(configuration, text.join('\n'));
}

const HOST = '{ name: host, file: secrets/host.key }';
const SAFE = '{ name: safe, passphrase: "env:KEYS_TEST_SAFE" }';
const SECOND = '{ name: second, file: secrets/second.key }';
const keyFile = join(directory, 'secrets', 'host.key');
const secrets = async () => (await readdir(join(directory, 'secrets'))).toSorted();
const secretOf = async (file: string) => (await readFile(file, 'utf8')).trim().split(':')[1] ?? '';
const everySecret: string[] = [...passphrases];
const remember = async () => void everySecret.push(await secretOf(keyFile));

async function away(copy: string, work: () => Promise<void>): Promise<void> {
  await rename(join(directory, copy), join(directory, `${copy}.away`));
  try {
    await work();
  } finally {
    await rename(join(directory, `${copy}.away`), join(directory, copy));
  }
}

before(async () => {
  process.env.KEYS_TEST_SAFE = passphrases[0];
  process.env.KEYS_TEST_NEW = passphrases[1];
  await configure(HOST);
  // Set-up fails at the database, which is not there, and has made the vault by then.
  const { errors, text } = await holdfast(['setup', '--yes', '--host', 'db1']);
  assert.match(`${text}${errors}`, /key slots {2}host; the vault has one key slot only/);
  await remember();
});

describe('holdfast keys', () => {
  it('lists one slot and warns that there is no other, in words and for programs', async () => {
    const { text } = await holdfast(['keys', 'list']);
    assert.match(text, /^host +file +\d{4}-.* +yes +local eu$/m);
    assert.match(text, /warning: the vault has one key slot only: whoever loses it loses every copy; add another/);
    const { keys, warnings } = await json('keys', 'list');
    assert.equal(keys.length, 1);
    assert.deepEqual(
      { ...keys[0], object: '', created: '' },
      {
        ...{ key: 'host', state: 'live', kind: 'file', object: '', created: '', opens: true },
        copies: { local: 'present', eu: 'present' },
      },
    );
    assert.match(keys[0].object, /^keys\/host\.[0-9a-f]{8}\.json$/);
    assert.ok(warnings.length > 0);
  });

  it('shows a key that has no slot, and makes it once', async () => {
    await configure(HOST, SAFE);
    const before = await json('keys', 'list');
    assert.deepEqual(
      before.keys.map(({ key, state, opens }: Record<string, unknown>) => [key, state, opens]),
      [
        ['host', 'live', true],
        ['safe', 'missing', false],
      ],
    );
    assert.match((await holdfast(['keys', 'list'])).text, /NO SLOT: run 'holdfast keys add safe'/);
    assert.equal((await holdfast(['keys', 'test'])).exit, 4);
    assert.equal((await json('keys', 'add', 'safe')).keyChange.change, 'added');
    assert.equal((await json('keys', 'add', 'safe')).keyChange.change, 'unchanged');
    assert.equal((await json('keys', 'test')).keyTests.length, 4);
  });

  it('makes a key file of mode 0600, and never writes over one', async () => {
    await configure(HOST, SAFE, SECOND);
    const file = join(directory, 'secrets', 'second.key');
    await writeFile(file, 'somebody has this here');
    await chmod(file, 0o600);
    const refused = await holdfast(['keys', 'add', 'second', '--json']);
    assert.deepEqual([refused.exit, refused.json.error.code], [2, 'SECRET_UNRESOLVED']);
    assert.equal(await readFile(file, 'utf8'), 'somebody has this here');
    await rm(file);
    const { keyChange } = await json('keys', 'add', 'second');
    assert.equal(keyChange.file, file);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    everySecret.push(await secretOf(file));
  });

  it('asks for the name before it removes a slot, and refuses the last one that opens', async () => {
    const unasked = await holdfast(['keys', 'remove', 'second', '--json']);
    assert.deepEqual([unasked.exit, unasked.json.error.code], [3, 'NOT_CONFIRMED']);
    assert.equal((await holdfast(['keys', 'remove', 'second'], 'secnod')).exit, 3);
    const done = await holdfast(['keys', 'remove', 'second'], 'second');
    assert.equal(done.exit, 0, done.errors);
    assert.match(done.text, /warning: a slot that went is no key taken back/);
    assert.match(
      done.text,
      /warning: the slot of key 'second' was removed: take the key out of the configuration, or /,
    );
    await configure(HOST);
    const last = await holdfast(['keys', 'remove', 'host', '--yes', '--json']);
    assert.deepEqual([last.exit, last.json.error.code], [3, 'KEY_LAST']);
    assert.match(last.json.error.hint, /holdfast keys add/);
  });

  it('rotates a key file: a new one of the same mode, the old one opens nothing and is gone', async () => {
    await configure(HOST, SAFE);
    const old = await readFile(keyFile, 'utf8');
    const { keyChange, warnings } = await json('keys', 'rotate', 'host');
    assert.deepEqual([keyChange.change, keyChange.file, keyChange.behind], ['rotated', keyFile, []]);
    assert.ok(warnings.some((warning: string) => /bring '.*host.key' to every other host.*db1, db2/.test(warning)));
    await remember();
    assert.deepEqual(await secrets(), ['host.key', 'second.key']);
    assert.equal((await stat(keyFile)).mode & 0o777, 0o600);
    assert.notEqual(await readFile(keyFile, 'utf8'), old);
    await json('keys', 'test');
  });

  it('keeps the old key file while a copy is away, and finishes when it is back', async () => {
    await away('eu', async () => {
      const { keyChange, warnings } = await json('keys', 'rotate', 'host');
      assert.deepEqual(
        keyChange.behind.map(({ copy }: { copy: string }) => copy),
        ['eu'],
      );
      assert.ok(
        warnings.some((warning: string) => /the old key stays in '.*host.key.old-.*', because copy 'eu'/.test(warning)),
      );
      await remember();
      assert.equal((await holdfast(['keys', 'test'])).exit, 4);
    });
    assert.equal((await secrets()).length, 3);
    const { keyChange } = await json('keys', 'rotate', 'host');
    assert.deepEqual([keyChange.change, keyChange.removed.length, keyChange.behind], ['rotated', 1, []]);
    assert.deepEqual(await secrets(), ['host.key', 'second.key']);
    await json('keys', 'test', 'host');
  });

  it('does not rotate a key file that another host has rotated', async () => {
    const mine = await readFile(keyFile, 'utf8');
    await writeFile(keyFile, await readFile(join(directory, 'secrets', 'second.key'), 'utf8'));
    const refused = await holdfast(['keys', 'rotate', 'host', '--json']);
    assert.deepEqual([refused.exit, refused.json.error.code], [3, 'VAULT_KEY_WRONG']);
    assert.match(refused.json.error.hint, /rotated on another host/);
    await writeFile(keyFile, mine);
    assert.deepEqual(await secrets(), ['host.key', 'second.key']);
  });

  it('replaces a key file that was lost, when another key opens the vault', async () => {
    await rm(keyFile);
    assert.equal((await json('keys', 'rotate', 'host')).keyChange.change, 'rotated');
    await remember();
    await json('keys', 'test');
  });

  it('rotates a passphrase to one from a reference, and says what the configuration must say now', async () => {
    const { warnings } = await json('keys', 'rotate', 'safe', '--to', 'env:KEYS_TEST_NEW');
    assert.ok(
      warnings.some((warning: string) => /still names 'env:KEYS_TEST_SAFE'.*'env:KEYS_TEST_NEW'/.test(warning)),
    );
    assert.equal((await holdfast(['keys', 'test', 'safe'])).exit, 4);
    process.env.KEYS_TEST_SAFE = passphrases[1];
    await json('keys', 'test', 'safe');
    assert.equal((await json('keys', 'rotate', 'safe', '--to', 'env:KEYS_TEST_NEW')).keyChange.change, 'unchanged');
  });

  it('refuses what makes no sense, says why, and repeats no secret that was typed', async () => {
    for (const [args, exit, code] of [
      [['rotate', 'safe'], 2, 'USAGE'],
      [['rotate', 'host', '--to', 'env:KEYS_TEST_NEW'], 2, 'USAGE'],
      [['rotate', 'safe', '--to', passphrases[0] as string], 2, 'USAGE'],
      [['rotate', 'safe', '--to', 'env:NOBODY_SET_THIS'], 2, 'SECRET_UNRESOLVED'],
      [['rotate', 'hots'], 2, 'USAGE'],
      [['add'], 2, 'USAGE'],
      [['remove', 'nobody', '--yes'], 2, 'NOT_FOUND'],
      [['test', 'nobody'], 2, 'NOT_FOUND'],
    ] as const) {
      const answer = await holdfast(['keys', ...args, '--json']);
      assert.deepEqual([answer.exit, answer.json.error.code], [exit, code], args.join(' '));
    }
  });

  it('changes nothing in a dry run, and refuses there what it would refuse', async () => {
    const kept = async () => [await readdir(join(directory, 'local', 'keys')), await secrets()];
    const before = await kept();
    for (const args of [
      ['add', 'safe'],
      ['remove', 'safe'],
      ['rotate', 'host'],
    ]) {
      assert.equal((await json('keys', ...args, '--dry-run')).dryRun, true);
    }
    assert.deepEqual(await kept(), before);
    const answers = [
      ['add', 'hots'],
      ['remove', 'nobody'],
      ['rotate', 'hots'],
    ].map((args) => holdfast(['keys', ...args, '--dry-run', '--json']));
    const codes = (await Promise.all(answers)).map((answer) => answer.json.error?.code);
    assert.deepEqual(codes, ['USAGE', 'NOT_FOUND', 'USAGE']);
    await configure(HOST);
    assert.equal((await holdfast(['keys', 'remove', 'host', '--dry-run', '--json'])).json.error?.code, 'KEY_LAST');
    await configure(HOST, SAFE);
  });

  it('sets a host up that lacks a passphrase which is kept elsewhere, as long as another key opens', async () => {
    const safe = process.env.KEYS_TEST_SAFE;
    delete process.env.KEYS_TEST_SAFE;
    const { text } = await holdfast(['setup', '--yes', '--host', 'db1']);
    process.env.KEYS_TEST_SAFE = safe;
    assert.match(text, /^– key safe {2}not at hand here \('env:KEYS_TEST_SAFE'\)/m);
    assert.match(text, /^✔ vault {2}/m);
    assert.match(text, /^✔ key slots {2}host, safe$/m);
  });
});

describe('a rotation of a key file that died', () => {
  const old = `${keyFile}.old-20260101T000000Z`;
  const newKey = `holdfast-key-1:${'5a'.repeat(32)}\n`;
  const write = (file: string, text: string) => writeFile(file, text, { mode: 0o600 });

  for (const [when, arrange] of Object.entries({
    'while it wrote the new file': () => write(`${keyFile}.new.unfinished`, 'holdfast-key-1:5a5a'),
    'before any slot was made': () => write(`${keyFile}.new`, newKey),
    'when the old file had its second name': async () => {
      await write(`${keyFile}.new`, newKey);
      await link(keyFile, old);
    },
  })) {
    it(`${when} is finished by the next one`, async () => {
      await arrange();
      assert.equal((await holdfast(['keys', 'test'])).exit, 0);
      await json('keys', 'rotate', 'host');
      await remember();
      assert.deepEqual(await secrets(), ['host.key', 'second.key']);
      await json('keys', 'test');
    });
  }

  it('never tells a secret: not in any output, nor in the configuration', async () => {
    assert.ok(everySecret.length > 8 && everySecret.every((secret) => secret.length >= 24));
    const all = `${told.join('\n')}${await readFile(configuration, 'utf8')}`;
    assert.ok(all.length > 10_000);
    for (const secret of everySecret) {
      for (const form of [
        secret,
        Buffer.from(secret).toString('base64'),
        Buffer.from(secret, 'hex').toString('base64'),
      ]) {
        assert.ok(form === '' || !all.includes(form));
      }
    }
  });

  it('leaves no directory of its own', async () => {
    await mkdir(join(directory, 'done'));
    assert.deepEqual((await readdir(directory)).toSorted(), ['done', 'eu', 'holdfast.yaml', 'local', 'secrets']);
  });
});
