// The repository follows the vault: remotes that refuse, deaths in the middle, two runs at once, a repository that is lost, damaged, or went another way.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { lastPush, type Remote } from '../../../src/configuration/index.ts';
import { proveBundle } from '../../../src/configuration/repository/bundle.ts';
import { isHoldfastError } from '../../../src/errors/index.ts';
import { pushHint } from '../../../src/host/configuration-status.ts';
import {
  CONFIGURATION_COMPONENT,
  captureNumber,
  detailsOf,
  git,
  placeIn,
  remoteAt,
  shell,
  sourceOf,
} from '../../support/configuration-capture.ts';
import { gitServer } from '../../support/git-server.ts';
import { untilFree } from '../../support/lock-of-the-dead.ts';
import { snapshotId, type TestVault, testVault } from '../../support/vault.ts';

const execute = promisify(execFile);
const PROGRAM = join(import.meta.dirname, '../../support/capture-configuration-and-die.ts');

describe('the repository of a configuration', () => {
  let base: string;
  let etc: string;
  let state: string;
  let test: TestVault;
  let number = 0;
  const signal = AbortSignal.timeout(600_000);
  const repository = () => placeIn(state).repository;
  const main = () => git(repository(), 'rev-parse', 'main');
  const change = (text: string) => appendFile(join(etc, 'hosts'), `${text}\n`);
  const capture = (remote?: Remote, changes = {}) =>
    captureNumber({
      vault: test.vault,
      stateDirectory: state,
      source: sourceOf([etc], changes),
      number: ++number,
      ...(remote && { remote }),
    });
  const bareRemote = async (name: string) => {
    const place = join(base, name);
    await execute('git', ['init', '--quiet', '--bare', '--initial-branch=main', place]);
    return place;
  };
  const hook = (remote: string, script: string) =>
    writeFile(join(remote, 'hooks/pre-receive'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });

  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'holdfast-repository-'));
    etc = join(base, 'etc');
    state = join(base, 'state');
    await mkdir(state);
    await mkdir(etc);
    await writeFile(join(etc, 'hosts'), '127.0.0.1 localhost\n');
    test = await testVault();
  });
  after(async () => {
    await rm(base, { recursive: true, force: true });
    await test[Symbol.asyncDispose]();
  });

  it('keeps the commit when the remote refuses, says so, and makes up for it', async () => {
    const place = await bareRemote('refusing.git');
    await hook(place, 'echo "no pushes on sundays" >&2; exit 1');
    const refused = await capture(remoteAt(place));
    assert.equal(refused.push?.state, 'not pushed');
    assert.match(refused.push?.because ?? '', /no pushes on sundays/);
    assert.equal(refused.push?.behind, 1);
    assert.equal(await main(), detailsOf(refused.snapshot).repository.commit);
    assert.deepEqual(await lastPush(placeIn(state)), refused.push);
    await change('10.0.0.1 a');
    assert.equal((await capture(remoteAt(place))).push?.behind, 2);
    await rm(join(place, 'hooks/pre-receive'));
    const made = await capture(remoteAt(place));
    assert.equal(detailsOf(made.snapshot).repository.isNew, false);
    assert.deepEqual([made.push?.state, made.push?.behind], ['pushed', 0]);
    assert.equal(await git(place, 'rev-parse', 'main'), await main());
  });

  it('waits for no remote that hangs, believes none that lies, and forces nothing', async () => {
    const hanging = await bareRemote('hanging.git');
    await hook(hanging, 'sleep 600');
    const late = await capture(remoteAt(hanging, { timeoutMs: 1_500 }));
    assert.match(late.push?.because ?? '', /took longer than 1.5 s/);
    const lying = await bareRemote('lying.git');
    await writeFile(join(lying, 'hooks/post-receive'), '#!/bin/sh\ngit update-ref -d refs/heads/main\n', {
      mode: 0o755,
    });
    assert.match((await capture(remoteAt(lying))).push?.because ?? '', /the remote says that it has 'nothing'/);
    const other = await bareRemote('other.git');
    const clone = join(base, 'theirs');
    await execute('git', ['clone', '--quiet', other, clone]);
    const author = ['-c', 'user.name=x', '-c', 'user.email=x@invalid'];
    await execute('git', ['-C', clone, ...author, 'commit', '--quiet', '--allow-empty', '-m', 'theirs']);
    await execute('git', ['-C', clone, 'push', '--quiet', 'origin', 'HEAD:main']);
    const theirs = await git(other, 'rev-parse', 'main');
    const refused = (await capture(remoteAt(other))).push;
    assert.equal(refused?.state, 'not pushed');
    assert.match(refused?.because ?? '', /^the remote has commits that this history has not, and nothing is forced: /);
    assert.match(pushHint(refused?.because), /bring the two together/);
    assert.match(pushHint('git took longer than 1.5 s and was ended'), /pushed again with the next snapshot/);
    assert.equal(await git(other, 'rev-parse', 'main'), theirs);
    assert.equal((await capture(remoteAt(join(base, 'nowhere.git')))).push?.state, 'not pushed');
  });

  it('brings a password to a remote by nothing that anybody sees', async () => {
    const place = await bareRemote('with-password.git');
    const password = 'p4ss-for-the-remote';
    const server = await gitServer(place, 'robot', password);
    try {
      const remote = (given: string) => remoteAt(server.url, { user: 'robot', password: () => Promise.resolve(given) });
      const wrong = await capture(remote('wr0ng-password'));
      assert.equal(wrong.push?.state, 'not pushed');
      assert.equal(server.letIn(), 0);
      assert.ok(!JSON.stringify(wrong.push).includes('wr0ng-password'), wrong.push?.because);
      const right = await capture(remote(password));
      assert.equal(right.push?.state, 'pushed', right.push?.because);
      assert.ok(server.letIn() > 0);
      assert.deepEqual(server.seenInArguments, []);
      // The eye sees one that is careless.
      await execute('git', ['ls-remote', server.url.replace('://', `://robot:${password}@`)]);
      assert.notDeepEqual(server.seenInArguments, []);
      assert.equal(await git(place, 'rev-parse', 'main'), await main());
      for (const name of await readdir(repository(), { recursive: true })) {
        const text = await readFile(join(repository(), name), 'latin1').catch(() => '');
        assert.ok(!text.includes(password), name);
      }
    } finally {
      await server.close();
    }
  });

  for (const when of ['before', 'after'] as const) {
    it(`is in step after a death right ${when} the snapshot is committed`, async () => {
      await change(`10.1.0.1 ${when}`);
      const was = await main();
      const dying = ++number;
      const args = [PROGRAM, test.keyFile, test.path('local'), state, etc, String(dying), when];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      const [, killedBy] = await new Promise<[number | null, string | null]>((resolve) =>
        child.once('exit', (...end) => resolve(end)),
      );
      assert.equal(killedBy, 'SIGKILL');
      await untilFree(join(placeIn(state).directory, 'lock'));
      assert.equal(await main(), was);
      const listed = (await test.vault.listSnapshots(CONFIGURATION_COMPONENT)).map(({ id }) => id);
      assert.equal(listed.includes(snapshotId(dying)), when === 'after');
      const { snapshot } = await captureNumber({
        vault: test.vault,
        stateDirectory: state,
        source: sourceOf([etc]),
        number: dying,
      });
      assert.equal(await main(), detailsOf(snapshot).repository.commit);
      assert.equal(await git(repository(), 'rev-list', '--count', `${was}..main`), '1');
      assert.match(await git(repository(), 'log', '-1', '--format=%B'), new RegExp(`Snapshot: ${snapshotId(dying)}`));
      const left = (await readdir(placeIn(state).directory)).filter((name) => name.startsWith('work-'));
      assert.deepEqual(left, []);
    });
  }

  it('is of one run at a time', async () => {
    const slow = { commands: [shell('slow', 'sleep 2')] };
    const ends = await Promise.allSettled([capture(undefined, slow), capture(undefined, slow)]);
    const refused = ends.filter((end) => end.status === 'rejected');
    assert.equal(refused.length, 1);
    assert.ok(isHoldfastError(refused[0]?.reason, 'LOCKED'));
    assert.equal(await git(repository(), 'fsck', '--no-dangling'), '');
  });

  it('ends what it does when it is cancelled, and commits nothing', async () => {
    const was = await main();
    const controller = new AbortController();
    const slow = shell('slow', 'echo begun >&2; sleep 600');
    const running = captureNumber({
      vault: test.vault,
      stateDirectory: state,
      source: sourceOf([etc], { commands: [slow] }),
      number: ++number,
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(), 500);
    await assert.rejects(running, { code: 'CANCELLED' });
    assert.equal(await main(), was);
    assert.equal(await test.vault.findSnapshot(CONFIGURATION_COMPONENT, snapshotId(number)), undefined);
  });

  it('comes back out of the newest bundle when it is gone', async () => {
    const was = await main();
    const key = await readFile(placeIn(state).markerKey);
    await rm(placeIn(state).directory, { recursive: true });
    const { snapshot } = await capture();
    assert.equal(detailsOf(snapshot).repository.begunAnew, undefined);
    await git(repository(), 'merge-base', '--is-ancestor', was, 'main');
    assert.deepEqual(await readFile(placeIn(state).markerKey), key);
  });

  it('is put aside and made again when it is damaged', async () => {
    const was = await main();
    const tree = await git(repository(), 'rev-parse', 'main^{tree}');
    await execute('sh', [
      '-c',
      `cd '${repository()}' && for p in objects/pack/*.pack; do mv "$p" x.pack && rm -f objects/pack/* && git unpack-objects -q < x.pack; done 2>/dev/null; rm -f x.pack`,
    ]);
    await rm(join(repository(), 'objects', tree.slice(0, 2), tree.slice(2)));
    const { mended } = await capture();
    assert.match(mended.join(), /the repository was damaged .* put aside as/);
    assert.equal(await git(repository(), 'fsck', '--no-dangling'), '');
    await git(repository(), 'merge-base', '--is-ancestor', was, 'main');
    assert.ok((await readdir(placeIn(state).directory)).some((name) => name.startsWith('repository.git.damaged-')));
  });

  it('grows by what is new, not by all of its history each time', async () => {
    const text = randomBytes(400_000).toString('hex').replaceAll(/.{16}/g, '$&\n');
    await writeFile(join(etc, 'large'), text);
    await capture();
    const sizeKib = async () => {
      const told = await git(repository(), 'count-objects', '-v');
      return ['size', 'size-pack'].reduce(
        (sum, name) => sum + Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(told)?.[1]),
        0,
      );
    };
    const before_ = await sizeKib();
    assert.ok(before_ > 350, `${before_}`);
    for (const each of ['one more', 'and another']) {
      await change(each);
      await capture();
    }
    const grown = (await sizeKib()) - before_;
    assert.ok(grown > 0 && grown < 350, `${grown}`);
    await rm(join(etc, 'large'));
    await capture();
  });

  it('goes on from both when it went another way', async () => {
    const before_ = await main();
    await change('10.2.0.1 in-the-vault');
    const inVault = detailsOf((await capture()).snapshot).repository.commit;
    const tree = await git(repository(), 'rev-parse', `${before_}^{tree}`);
    const author = ['-c', 'user.name=x', '-c', 'user.email=x@invalid'];
    const { stdout } = await execute('git', [
      `--git-dir=${repository()}`,
      ...author,
      'commit-tree',
      tree,
      '-p',
      before_,
      '-m',
      'by hand',
    ]);
    const byHand = stdout.trim();
    await git(repository(), 'update-ref', 'refs/heads/main', byHand);
    const { snapshot } = await capture();
    const parents = await git(repository(), 'log', '-1', '--format=%P', 'main');
    assert.deepEqual(parents.split(' '), [byHand, inVault]);
    assert.equal(await main(), detailsOf(snapshot).repository.commit);
  });

  it('begins anew, and says so, when no bundle can be read', async () => {
    const alone = await testVault();
    try {
      const elsewhere = join(base, 'elsewhere');
      await mkdir(elsewhere);
      const once = (stateDirectory: string, each: number) =>
        captureNumber({ vault: alone.vault, stateDirectory, source: sourceOf([etc]), number: each });
      await once(elsewhere, 1);
      const packs = await readdir(alone.path('local'), { recursive: true });
      for (const name of packs.filter((each) => /packs\/..\/./.test(each))) await rm(join(alone.path('local'), name));
      await rm(placeIn(elsewhere).directory, { recursive: true });
      const { snapshot } = await once(elsewhere, 2);
      assert.match(detailsOf(snapshot).repository.begunAnew ?? '', /no bundle of an older snapshot can be read/);
      assert.equal(await git(placeIn(elsewhere).repository, 'rev-list', '--count', 'main'), '1');
    } finally {
      await alone[Symbol.asyncDispose]();
    }
  });

  it('has bundles that are proven by what comes out of them', async () => {
    const work = async () => await mkdtemp(join(base, 'proof-'));
    const bundle = join(base, 'a.bundle');
    await git(repository(), 'bundle', 'create', '--quiet', bundle, 'main');
    await proveBundle(bundle, await main(), await work(), signal);
    await assert.rejects(proveBundle(bundle, '1'.repeat(40), await work(), signal), { code: 'BACKUP_INVALID' });
    const bytes = await readFile(bundle);
    await writeFile(bundle, bytes.subarray(0, bytes.length - 30));
    await assert.rejects(proveBundle(bundle, await main(), await work(), signal), { code: 'BACKUP_INVALID' });
    await git(repository(), 'bundle', 'create', '--quiet', bundle, 'main~1..main');
    await assert.rejects(proveBundle(bundle, await main(), await work(), signal), { code: 'BACKUP_INVALID' });
  });
});
