// What people ask of snapshots of files on the command line, through Temporal and by the host alone: found, compared, exported.

import assert from 'node:assert/strict';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { before, test } from 'node:test';
import { run } from '../../src/process/index.ts';
import { typeHoldfast } from '../support/command-line.ts';
import { wholeFile } from '../support/components.ts';
import { differences, makeAwkwardTree } from '../support/file-trees.ts';
import { openEstate } from '../support/temporal-estate.ts';

const estate = await openEstate(
  wholeFile,
  {},
  (directory) => `files:
  uploads: { host: here, roots: [${directory}/uploads] }
`,
);
const { client, directory, configuration } = estate;
const at = (...names: string[]) => path.join(directory, ...names);
const type = (...args: string[]) => typeHoldfast(['-c', at('holdfast.yaml'), 'files', ...args]);
const { name, digest } = configuration;

async function backUp(): Promise<string> {
  const asked = { estate: name, component: 'files/uploads', host: 'here', digest } as const;
  const status = await client.follow(await client.startFilesBackup(asked), () => undefined);
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
  const { snapshot } = status.data as { snapshot: { id: string } };
  return snapshot.id;
}

before(async () => {
  await mkdir(at('uploads'));
  await makeAwkwardTree(at('uploads'));
});

test('a path is found and trees are compared, through Temporal and without', async () => {
  const first = await backUp();
  await rm(at('uploads', 'plain', 'deep', 'large'));
  await writeFile(at('uploads', 'plain', 'small'), 'other');
  const second = await backUp();
  for (const standalone of [[], ['--standalone']]) {
    const found = await type('find', at('uploads', 'plain', 'deep', 'large'), '--json', ...standalone);
    assert.equal(found.exit, 0, found.text);
    assert.equal(found.json.filesFound.paths[0].lastSeen.id, first);
    assert.equal(found.json.temporal.state, standalone.length === 0 ? 'reachable' : 'not asked');
    const compared = await type('diff', first, 'latest', 'uploads', '--json', ...standalone);
    assert.deepEqual([compared.exit, compared.json.filesDiff.other.snapshot.id], [0, second]);
    assert.equal(compared.json.filesDiff.counts.removed, 1);
  }
  const words = await type('find', '*', 'files/uploads');
  assert.match(words.text, /not-utf8-\\xff\\xfe\\x80 {2}in the newest snapshot/);
  assert.match(words.text, /large {2}last seen in .*\n.* not there\n.* 6\.0 MiB/);
  const never = await type('find', '/nowhere');
  assert.equal(never.exit, 4);
  assert.match(never.text, /'\/nowhere' is in none of 2 snapshots of files\/uploads/);
  await writeFile(at('uploads', 'now'), 'new');
  const now = await type('diff', 'latest', 'now');
  assert.match(now.text, /1 created \(3 B\).*\n(.*\n)? {2}\+ .*uploads\/now/);
});

test('an archive is written by this host alone, and never into a name that is taken', async () => {
  await rm(at('uploads', 'now'));
  const wanted = at('uploads', 'plain', 'deep');
  const file = at('deep.tar.zst');
  const done = await type('export', '--to', 'latest', '--path', wanted, '--output', file, '--json');
  assert.equal(done.exit, 0, done.text);
  assert.equal(done.json.filesExported.file, file);
  await mkdir(at('unpacked'));
  await run('tar', ['--xattrs', '--xattrs-include=*', '--acls', '-xpf', file, '-C', at('unpacked')]);
  assert.deepEqual(await differences(wanted, path.join(at('unpacked'), wanted)), []);
  const again = await type('export', '--to', 'latest', '--output', file);
  assert.deepEqual([again.exit, /is there already/.test(again.errors)], [3, true]);
  const mixed = await type('export', '--to', 'latest', '--output', '-', '--json');
  assert.deepEqual([mixed.exit, mixed.json.error.code], [2, 'USAGE']);
  assert.ok(!(await readdir(directory)).some((each) => each.includes('partial')));
});
