// How `test integrity` leaves when a copy cannot be asked: what nobody knows is no success.

import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { typeHoldfast } from '../../support/command-line.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

test('a copy that is away is told as not asked with the reason, and the command leaves with 4', async (t) => {
  const directory = await temporaryDirectory(t);
  const configuration = join(directory, 'holdfast.yaml');
  await writeFile(
    configuration,
    [
      'name: acme',
      'temporal: { address: "127.0.0.1:1" }',
      'sites: { home: {} }',
      'hosts: { db1: { site: home } }',
      'vault: { commit: { copies: 1 }, copies: { local: { file: local, site: home }, eu: { file: eu, site: home } }, keys: [{ name: host, file: host.key }] }',
      'database: { main: { host: db1, url: "env:NO_DATABASE_HERE" } }',
    ].join('\n'),
  );
  const holdfast = (...args: string[]) => typeHoldfast(['-c', configuration, ...args]);
  // Set-up fails at the database, which is not there, and has made the vault by then.
  await holdfast('setup', '--yes');
  const look = ['test', 'integrity', '--standalone'];
  const whole = await holdfast(...look);
  assert.equal(whole.exit, 0, whole.text + whole.errors);

  await rename(join(directory, 'eu'), join(directory, 'eu.away'));
  const { exit, json } = await holdfast(...look, '--json');
  assert.deepEqual([exit, json.state, json.error.code], [4, 'failed', 'CHECK_FAILED']);
  assert.match(json.error.message, /^database\/main on eu was not asked: \S/);
  const states = json.integrity[0].copies.map(({ copy, state }: Record<string, string>) => [copy, state]);
  assert.deepEqual(states, [
    ['local', 'good'],
    ['eu', 'not checked'],
  ]);
  const { text } = await holdfast(...look);
  assert.match(text, /^database\/main +eu +NOT ASKED +of 0 snapshots nothing is known$/m);
  assert.match(text, /^ {2}eu: \S.*\n {4}hint: \S/m);
  // A limit asks for less of each copy, not for fewer copies.
  assert.equal((await holdfast(...look, '--budget', '1GiB')).exit, 4);
  assert.equal((await holdfast(...look, '--copy', 'local')).exit, 0);
});
