// Remotes: a real SSH server that must be the one that is known, and what any remote answers, without the secrets in it.

import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path, { join } from 'node:path';
import { after, before, test } from 'node:test';
import { askRemote, type Remote } from '../../../src/configuration/index.ts';
import type { HoldfastError } from '../../../src/errors/index.ts';
import { run } from '../../../src/process/index.ts';
import { isThere } from '../../../src/system/index.ts';
import { captureNumber, git, placeIn, remoteAt, sourceOf } from '../../support/configuration-capture.ts';
import { testSshServer } from '../../support/ssh-server.ts';
import { type TestVault, testVault } from '../../support/vault.ts';
import { waitFor } from '../../support/wait-for.ts';

const RULES = [{ pattern: 'LIC-[0-9]+', kind: 'licence' }];
const signal = AbortSignal.timeout(600_000);
let base: string;
let vault: TestVault;
let number = 0;

async function pushTo(remote: Remote) {
  const source = sourceOf([join(base, 'etc')], { redact: RULES });
  const taken = await captureNumber({
    ...{ vault: vault.vault, stateDirectory: join(base, 'state'), source, number: ++number, remote },
  });
  return taken.push ?? assert.fail('nothing was pushed');
}

const bareRepository = (place: string) => run('git', ['init', '--quiet', '--bare', '--initial-branch=main', place]);

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'holdfast-remotes-'));
  for (const name of ['etc', 'state']) await mkdir(join(base, name));
  await writeFile(join(base, 'etc/hosts'), '127.0.0.1 localhost\n');
  vault = await testVault();
});
after(async () => {
  await rm(base, { recursive: true, force: true });
  await vault[Symbol.asyncDispose]();
});

test('over SSH the history goes to the host that is known, by the key that it lets in, and to no other', async (t) => {
  const server = await testSshServer(t);
  const at = (name: string) => path.join(server.directory, name);
  await bareRepository(at('a remote.git'));
  await run('chown', ['-R', String(server.uid), at('a remote.git')]);
  const { port, keyFile } = server.remote;
  const knownHosts = at('known 100% hosts');
  await copyFile(server.remote.knownHosts, knownHosts);
  const url = `ssh://${server.user}@127.0.0.1:${port}${server.directory}/a%20remote.git`;
  const remote = (changes: Partial<Remote> = {}) => remoteAt(url, { sshKey: keyFile, knownHosts, ...changes });
  const there = () => git(at('a remote.git'), 'for-each-ref', '--format=%(objectname)');
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('other')]);
  const [type, otherKey] = (await readFile(at('other.pub'), 'utf8')).split(' ');
  await writeFile(at('wrong hosts'), `[127.0.0.1]:${port} ${type} ${otherKey}\n`);
  await writeFile(at('no-hosts'), '');
  for (const name of ['wrong hosts', 'no-hosts']) {
    const refused = await pushTo(remote({ knownHosts: at(name) }));
    assert.equal(refused.state, 'not pushed');
    assert.match(refused.because ?? '', /^the key of the SSH server there is not one that is known for it/);
    await assert.rejects(askRemote(remote({ knownHosts: at(name) }), [], signal), {
      code: 'PROCESS_FAILED',
      message: /^the key of the SSH server there is not one that is known for it/,
    });
  }
  assert.equal(await readFile(at('no-hosts'), 'utf8'), '');
  const stranger = await pushTo(remote({ sshKey: at('other') }));
  assert.match(stranger.because ?? '', /Permission denied \(publickey\)/);
  assert.equal(await there(), '');
  assert.match(await askRemote(remote(), [], signal), /^answers, and has no branch 'main' yet$/);
  const pushed = await pushTo(remote());
  assert.deepEqual([pushed.state, pushed.behind], ['pushed', 0], pushed.because);
  assert.equal(await there(), await git(placeIn(join(base, 'state')).repository, 'rev-parse', 'main'));
  assert.equal(await askRemote(remote(), [], signal), 'answers');
  await server.stop();
  assert.match((await pushTo(remote())).because ?? '', /Connection refused/);
});

test('what a remote answers is told without the secrets in it', async () => {
  const place = join(base, 'talking.git');
  await bareRepository(place);
  const said = ['token=t0k3n-of-hook', 'https://bot:pw-in-addr3ss@git.internal/x', 'LIC-424242', 'closed today'];
  const random = 'Zk7Rt2Xq9Lm4Tn8Vb1Wc6Yd3Ef5Gh0';
  const lines = [...said, random].map((line) => `echo '${line}' >&2`);
  await writeFile(join(place, 'hooks/pre-receive'), `#!/bin/sh\n${lines.join('\n')}\nexit 1\n`, { mode: 0o755 });
  const secrets = ['t0k3n-of-hook', 'pw-in-addr3ss', 'LIC-424242', random];
  const outcome = await pushTo(remoteAt(place));
  assert.match(outcome.because ?? '', /closed today/);
  const kept = await readFile(placeIn(join(base, 'state')).push, 'utf8');
  for (const secret of secrets) assert.ok(!`${outcome.because}${kept}`.includes(secret), outcome.because);
  assert.match(outcome.because ?? '', /\[redacted licence [0-9a-f]{8}\]/);
  // Told by a repeated attempt as well, for which no text is made.
  const source = sourceOf([join(base, 'etc')], { redact: RULES });
  const again = await captureNumber({
    ...{ vault: vault.vault, stateDirectory: join(base, 'state'), source, number, remote: remoteAt(place) },
  });
  assert.match(again.push?.because ?? '', /closed today/);
  for (const secret of secrets) assert.ok(!again.push?.because?.includes(secret), again.push?.because);
});

test('an address with a token in it is told without it', async () => {
  for (const [url, token] of [
    ['http://127.0.0.1:1/x.git?private_token=qu3ry-token', 'qu3ry-token'],
    ['http://robot:url-passw0rd@127.0.0.1:1/x.git', 'url-passw0rd'],
    ['http://0123456789abcdefToken@127.0.0.1:1/x.git', '0123456789abcdefToken'],
  ] as const) {
    const { because } = await pushTo(remoteAt(url));
    assert.ok(because !== undefined && !because.includes(token), because);
    await assert.rejects(askRemote(remoteAt(url), [], signal), (error: Error) => !error.message.includes(token));
  }
});

test('a remote that is asked no more leaves none of its words behind', async (t) => {
  const bin = join(base, 'bin');
  await mkdir(bin);
  const script = `#!/bin/sh\necho 'refused: LIC-123456 of Hunter2x9' >&2\n: > '${bin}/asked'\nexec sleep 600\n`;
  await writeFile(join(bin, 'git'), script, { mode: 0o755 });
  const before_ = process.env.PATH;
  t.after(() => {
    process.env.PATH = before_;
  });
  process.env.PATH = `${bin}:${before_}`;
  const controller = new AbortController();
  const asking = askRemote(remoteAt('/nowhere.git'), RULES, controller.signal);
  await waitFor('the remote to be asked', () => isThere(join(bin, 'asked')));
  controller.abort();
  await assert.rejects(asking, (error: HoldfastError) => {
    assert.equal(error.code, 'CANCELLED');
    assert.doesNotMatch(JSON.stringify([error.message, error.details, String(error.cause)]), /Hunter|LIC/);
    return true;
  });
});
