// Names are bytes: what is no UTF-8, what a terminal would obey, and what looks like an escape can all be asked for, as they are and as they are shown.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import { shownPath, textOfPath } from '../../src/domain/path-text.ts';
import { typeHoldfast } from '../support/command-line.ts';
import { wholeFile } from '../support/components.ts';
import { openEstate } from '../support/temporal-estate.ts';

const launcher = path.join(import.meta.dirname, '..', '..', 'bin', 'holdfast');
const estate = await openEstate(
  wholeFile,
  {},
  (directory) => `files:
  uploads: { host: here, roots: [${directory}/uploads] }
`,
);
const { client, directory, configuration } = estate;
const at = (...names: string[]) => path.join(directory, ...names);
const type = (...args: string[]) => typeHoldfast(['-c', at('holdfast.yaml'), ...args]);

/** Each name as bytes in Latin-1, as people are shown it. */
const names = [
  ['caf\xe9', String.raw`caf\xe9`],
  ['new\nline\tand tab', String.raw`new\x0aline\x09and tab`],
  ['a\\xffb', String.raw`a\\xffb`],
  ['a\xffb', String.raw`a\xffb`],
] as const;
const [cafe, lines, backslash, byte] = names.map(([name]) => name) as [string, string, string, string];
const textOf = (name: string) => textOfPath(Buffer.from(name, 'latin1'));
const inUploads = (name: string) => Buffer.concat([Buffer.from(`${at('uploads')}/`), Buffer.from(name, 'latin1')]);

/** By a shell, which alone gives a program bytes; `words` in Latin-1. */
async function typeBytes(...words: readonly string[]) {
  const octal = (word: string) =>
    [...Buffer.from(word, 'latin1')].map((each) => `\\${each.toString(8).padStart(3, '0')}`).join('');
  const script = words.map((word) => `w=$(printf '${octal(word)}.'); set -- "$@" "\${w%.}"`);
  const { stdout } = await promisify(execFile)(
    '/bin/sh',
    ['-c', [...script, 'exec "$@"'].join('\n'), 'sh', launcher, '-c', at('holdfast.yaml')],
    { maxBuffer: 64 * 1024 * 1024 },
  );
  return stdout;
}

before(async () => {
  await mkdir(at('uploads'));
  for (const [name] of names) await writeFile(inUploads(name), name, 'latin1');
  const asked = {
    estate: configuration.name,
    component: 'files/uploads',
    host: 'here',
    digest: configuration.digest,
  } as const;
  const { state } = await client.follow(await client.startFilesBackup(asked), () => undefined);
  assert.equal(state, 'completed');
});

test('find', async () => {
  for (const [name, shown] of names) {
    // Where two could be meant, it is the one that has the very name that was typed.
    const meant = name === byte ? backslash : name;
    const { exit, json } = await type('files', 'find', `${at('uploads')}/${shown}`, '--json');
    assert.deepEqual(
      [exit, json.filesFound.paths.map((each: { path: string }) => each.path)],
      [0, [textOf(`${at('uploads')}/${meant}`)]],
    );
    const bytes = JSON.parse(await typeBytes('files', 'find', `${at('uploads')}/${name}`, '--json'));
    assert.deepEqual(
      [bytes.filesFound.paths[0].path, bytes.filesFound.paths[0].shown],
      [textOf(`${at('uploads')}/${name}`), `${at('uploads')}/${shown}`],
    );
    // In a pattern a backslash takes the next character as it is.
    const pattern = `*${name.replaceAll('\\', '\\\\')}`;
    assert.ok((await typeBytes('files', 'find', pattern)).startsWith(`${at('uploads')}/${shown}  `));
  }
  const none = await type('files', 'find', `${at('uploads')}/none\udcff\\`);
  assert.ok(none.text.startsWith(String.raw`'${at('uploads')}/none\xff\\' is in none of 1 snapshot`), none.text);
});

test('restore beside, and its plan', async () => {
  const given = async (...words: string[]) => {
    const beside = at('beside');
    await rm(beside, { recursive: true, force: true });
    const { exit, errors } = await type('restore', 'files', 'uploads', '--to', 'latest', '--beside', beside, ...words);
    assert.equal(exit, 0, errors);
    return (await readdir(path.join(beside, at('uploads')), 'latin1')).sort();
  };
  for (const [name, shown] of names) {
    assert.deepEqual(await given('--path', `${at('uploads')}/${shown}`), [name === byte ? backslash : name]);
    assert.deepEqual(await given('--path', `${at('uploads')}/${textOf(name)}`), [name]);
  }
  const plan = await typeBytes(
    ...['restore', 'files', 'uploads', '--to', 'latest', '--beside', at('beside-2'), '--dry-run'],
    ...names.flatMap(([name]) => ['--path', `${at('uploads')}/${name}`]),
  );
  for (const [, shown] of names) assert.ok(plan.includes(`${at('uploads')}/${shown}`), plan);
  const missing = await type('restore', 'files', 'uploads', '--to', 'latest', '--path', `${at('uploads')}/b\udce9`);
  assert.deepEqual([missing.exit, missing.errors.includes(String.raw`/b\xe9'`)], [2, true], missing.errors);
});

test('restore in place, and its plan', async () => {
  await writeFile(inUploads(cafe), 'other');
  await rm(inUploads(lines));
  const restore = [
    'restore',
    'files',
    'uploads',
    '--to',
    'latest',
    '--path',
    `${at('uploads')}/caf\\xe9`,
    `${at('uploads')}/${lines}`,
  ];
  const { json, text } = await type(...restore, '--dry-run', '--json');
  assert.equal(json.filesPlan.changes.first[0].shown, `${at('uploads')}/caf\\xe9`, text);
  const words = await type(...restore, '--dry-run');
  assert.match(words.text, /~ .*\/caf\\xe9 {2}\(.*\n +\+ .*\/new\\x0aline\\x09and tab\n/);
  const done = await type(...restore, '--yes');
  assert.equal(done.exit, 0, done.errors);
  assert.equal(await readFile(inUploads(cafe), 'latin1'), cafe);
  assert.equal(await readFile(inUploads(lines), 'latin1'), lines);
  assert.equal((await type('confirm', 'files/uploads', '--yes')).exit, 0);
});

test('diff', async () => {
  for (const [name] of names) await writeFile(inUploads(name), `other ${name}`);
  await writeFile(inUploads('came\xe9'), 'new');
  for (const [name, shown] of [...names, ['came\xe9', String.raw`came\xe9`] as const]) {
    const meant = name === byte ? backslash : name;
    const { json } = await type('files', 'diff', 'latest', 'now', '--path', `${at('uploads')}/${shown}`, '--json');
    const [first, ...more] = json.filesDiff.first;
    assert.deepEqual(
      [first.path, first.shown, more],
      [textOf(`${at('uploads')}/${meant}`), shownPath(textOf(`${at('uploads')}/${meant}`)), []],
    );
    const words = await typeBytes('files', 'diff', 'latest', 'now', '--path', `${at('uploads')}/${name}`);
    assert.ok(words.includes(` ${at('uploads')}/${shown}`), words);
  }
});

test('export', async () => {
  const { stdout: listed } = await promisify(execFile)(
    '/bin/sh',
    [
      '-c',
      `"$0" -c "$1" files export --to latest --path "$2" --output - | tar --zstd -tf - --quoting-style=literal`,
      launcher,
      at('holdfast.yaml'),
      `${at('uploads')}/caf\\xe9`,
    ],
    { encoding: 'latin1' },
  );
  const below = at('uploads').slice(1);
  assert.equal(listed, `${below}/\n${below}/${cafe}\n`);
  for (const [at_, [name]] of names.entries()) {
    await typeBytes(
      'files',
      'export',
      '--to',
      'latest',
      '--path',
      `${at('uploads')}/${name}`,
      '--output',
      at(`${at_}.tar`),
    );
    const { stdout } = await promisify(execFile)('tar', ['-xOf', at(`${at_}.tar`)], { encoding: 'latin1' });
    assert.equal(stdout, name);
  }
});

test('what is no UTF-8 is refused where it names nothing of a snapshot', async () => {
  const { exit, errors } = await type('files', 'export', '--to', 'latest', '--output', `${at('x')}\udce9.tar`);
  assert.equal(exit, 2);
  assert.match(errors, /error: --output: '.*x\\xe9\.tar' is not UTF-8 \(USAGE\)\nhint: /);
});
