// `setup --dry-run`: names each thing that would be made and where, tells what is right already, and makes nothing.

import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { typeHoldfast } from '../../support/command-line.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

test('a dry run says exactly what would be made, then what is there', async (t) => {
  const directory = await temporaryDirectory(t);
  const file = path.join(directory, 'holdfast.yaml');
  const at = (name: string) => path.join(directory, name);
  await writeFile(
    file,
    [
      'name: acme',
      'temporal: { address: "127.0.0.1:1" }',
      'sites: { home: {} }',
      'hosts: { db1: { site: home } }',
      'vault: { commit: { copies: 1 }, copies: { local: { file: local, site: home }, eu: { file: eu, site: home } }, keys: [{ name: host, file: host.key }] }',
      'database: { main: { host: db1, url: "env:NO_DATABASE_HERE" } }',
    ].join('\n'),
  );
  await mkdir(at('eu'));
  const steps = async (...options: string[]) => {
    const { json } = await typeHoldfast(['-c', file, 'setup', '--json', ...options]);
    const told = json.setup.steps as { name: string; state: string; message: string }[];
    return told.slice(0, 5).map(({ name, state, message }) => `${name}: ${state}: ${message}`);
  };

  assert.deepEqual(await steps('--dry-run'), [
    `key host: planned: would make the key file '${at('host.key')}' (mode 0600), with --yes alone`,
    `copy local: planned: would make the directory '${at('local')}' and try it`,
    `copy eu: planned: file:${at('eu')} answers and holds no vault; would be tried with objects that are removed again`,
    'vault: planned: would make a new vault on local, eu',
    'key slots: planned: would make a slot for each of the keys host on local, eu',
  ]);
  assert.deepEqual((await readdir(directory)).toSorted(), ['eu', 'holdfast.yaml']);
  assert.deepEqual(await readdir(at('eu')), []);

  // It fails at the database, which is not there, and has made the vault by then.
  await steps('--yes');
  const [key, local, , vault, slots] = await steps('--dry-run');
  assert.equal(key, `key host: present: '${at('host.key')}'`);
  assert.equal(
    local,
    `copy local: present: file:${at('local')} holds a vault; would be tried with objects that are removed again`,
  );
  assert.match(vault ?? '', /^vault: present: vault \S+ on local, eu$/);
  assert.match(slots ?? '', /^key slots: present: host; /);
});
