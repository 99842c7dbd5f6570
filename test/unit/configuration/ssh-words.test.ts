// What ssh makes of the words that Git is given for it, whatever the configuration of its user says.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { credentialsOf } from '../../../src/configuration/repository/remote.ts';
import { run } from '../../../src/process/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

test('with a list of its own, a command of ssh_config(5) vouches for nobody', async (t) => {
  const directory = await temporaryDirectory(t);
  const file = path.join(directory, 'ssh_config');
  await writeFile(file, 'KnownHostsCommand /bin/cat /tmp/anybody\n');
  const words = async (changes: object) => {
    const remote = { url: 'git@git.example.org:x.git', branch: 'main', timeoutMs: 1000, ...changes };
    const { GIT_SSH_COMMAND: command = '' } = await credentialsOf(remote, []);
    return (await run('/bin/sh', ['-c', `${command} -F '${file}' -G git.example.org`])).stdout;
  };
  assert.match(await words({}), /^knownhostscommand \/bin\/cat/m);
  assert.doesNotMatch(await words({ knownHosts: path.join(directory, 'known') }), /^knownhostscommand \//m);
});

test('no connection of somebody else is used, no key that DNS vouches for, and no agent goes along', async (t) => {
  const file = path.join(await temporaryDirectory(t), 'ssh_config');
  await writeFile(
    file,
    'ControlMaster auto\nControlPath /tmp/%C\nControlPersist 600\nVerifyHostKeyDNS yes\nForwardAgent yes\nStrictHostKeyChecking no\n',
  );
  const remote = { url: 'git@git.example.org:x.git', branch: 'main', timeoutMs: 1000 };
  const { GIT_SSH_COMMAND: words = '' } = await credentialsOf(remote, []);
  const asked = async (command: string) => {
    const { stdout } = await run('/bin/sh', ['-c', `${command} -F '${file}' -G git.example.org`]);
    return new Map(stdout.split('\n').map((line) => line.split(/ (.*)/, 2) as [string, string]));
  };
  const careless = await asked('ssh');
  assert.deepEqual([careless.get('controlmaster'), careless.get('verifyhostkeydns')], ['auto', 'true']);
  const ours = await asked(words);
  assert.deepEqual(
    ['controlmaster', 'controlpath', 'verifyhostkeydns', 'forwardagent'].map((name) => ours.get(name)),
    ['false', undefined, 'false', 'no'],
  );
  assert.equal(ours.get('stricthostkeychecking'), 'true');
});
