// A warm mirror in a directory and behind a real SSH server: what it is of, and everything that must not empty it.

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import {
  chmod,
  chown,
  lchown,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { HoldfastError } from '../../../src/errors/index.ts';
import {
  type MirrorOptions,
  type MirrorTarget,
  mirrorFiles,
  mirrorMemory,
  mirrorReport,
} from '../../../src/files/index.ts';
import { findUser } from '../../../src/process/index.ts';
import { wholeFile } from '../../support/components.ts';
import { differences, isRoot, makeAwkwardTree } from '../../support/file-trees.ts';
import { testSshServer } from '../../support/ssh-server.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const directory = await temporaryDirectory(wholeFile);
const at = (...names: string[]) => path.join(directory, ...names);
const source = at('source');
await mkdir(source);
await makeAwkwardTree(source);

const mirror = (target: MirrorTarget, changes: Partial<MirrorOptions> = {}) =>
  mirrorFiles({
    ...{ estate: 'acme', component: 'files/uploads', roots: [source], oneFileSystem: true, exclude: [], maxDelete: 3 },
    ...{ target, directory: at('state'), signal: AbortSignal.timeout(600_000), ...changes },
  });
const mark = async (place: string) => JSON.parse(await readFile(path.join(place, 'holdfast-mirror.json'), 'utf8'));

describe('a mirror', () => {
  const target = { directory: at('mirror') };
  const copy = path.join(target.directory, 'tree', source);

  it('is what the roots are, says of when, and follows what changes', async () => {
    assert.deepEqual(await mirrorReport(at('state'), target), { to: target.directory, state: 'never' });
    await assert.rejects(mirror(target), { code: 'TARGET_UNFIT', message: /cannot be looked at: ENOENT/ });
    await mkdir(target.directory);
    const first = await mirror(target);
    assert.equal(first.state, 'complete');
    assert.deepEqual(await differences(source, copy), []);
    await writeFile(path.join(source, 'plain/came'), 'new');
    await rm(path.join(source, 'zz-same'));
    await mkdir(path.join(source, '.holdfast'));
    await writeFile(path.join(source, '.holdfast/ours'), 'of a restore');
    const second = await mirror(target);
    assert.deepEqual([second.state, second.deleted, second.transferredBytes], ['complete', 1, 3]);
    assert.ok((second.asOf ?? '') > (first.asOf ?? ''));
    assert.deepEqual(await differences(source, copy), []);
    await assert.rejects(stat(path.join(copy, '.holdfast')), { code: 'ENOENT' });
    assert.deepEqual(await mirrorReport(at('state'), target), second);
    assert.equal((await mark(target.directory)).asOf, second.asOf);
  });

  it('holds back more deletions than are allowed, and says so until they are', async () => {
    await rm(path.join(source, 'plain/deep'), { recursive: true });
    const before = await readdir(copy, { recursive: true });
    for (const time of ['once', 'again']) {
      const held = await mirror(target);
      assert.deepEqual([held.state, held.heldBecause, held.deleted], ['held back', 'too many', 0], time);
      assert.deepEqual(await readdir(copy, { recursive: true }), before, time);
    }
    assert.equal((await mark(target.directory)).state, 'held back');
    assert.notDeepEqual(await differences(source, copy), []);
    const done = await mirror(target, { maxDelete: 100 });
    assert.equal(done.state, 'complete');
    assert.deepEqual(await differences(source, copy), []);
  });

  it('deletes no more than was gone when it looked', async () => {
    for (const name of ['going', 'gone-a', 'gone-b', 'gone-c']) await writeFile(path.join(source, name), name);
    assert.equal((await mirror(target)).state, 'complete');
    await rm(path.join(source, 'going'));
    let looked = 0;
    const base = { estate: 'acme', component: 'files/uploads', roots: [source], oneFileSystem: true, maxDelete: 100 };
    const done = await mirrorFiles({
      ...{ ...base, target, directory: at('state'), signal: AbortSignal.timeout(600_000) },
      // Asked for once by the look, and again by the copy.
      get exclude() {
        if (++looked === 2) for (const name of ['a', 'b', 'c']) rmSync(path.join(source, `gone-${name}`));
        return [];
      },
    });
    assert.deepEqual([done.state, done.heldBecause, done.deleted, looked], ['held back', 'meanwhile', 1, 2]);
    assert.equal((await readdir(copy)).filter((name) => /^(going|gone-.)$/.test(name)).length, 3);
    const next = await mirror(target);
    assert.deepEqual([next.state, next.deleted], ['complete', 3]);
    assert.deepEqual(await differences(source, copy), []);
  });

  it('is left as it is when a root is gone or empty, and tells what went wrong and of when it still is', async () => {
    const before = await mirrorReport(at('state'), target);
    await rename(source, at('away'));
    const failedAgain = async (run: string) =>
      await mirror(target, { run }).then(
        () => assert.fail('the root is gone'),
        ({ code, details }: HoldfastError) => [code, details?.again],
      );
    // Another attempt of the same run is no other run.
    for (const again of [undefined, undefined]) assert.deepEqual(await failedAgain('mirror-1'), ['FILES_ROOT', again]);
    for (const again of [true, true]) assert.deepEqual(await failedAgain('mirror-2'), ['FILES_ROOT', again]);
    await mkdir(source);
    await assert.rejects(mirror(target), { code: 'FILES_ROOT', message: /is empty/ });
    await rm(source, { recursive: true });
    await rename(at('away'), source);
    assert.deepEqual(await differences(source, copy), []);
    const after = await mirrorReport(at('state'), target);
    assert.deepEqual([after.state, after.asOf], ['failed', before.asOf]);
    assert.match(after.error ?? '', /is empty/);
  });

  it('fills no other disk when its own is not mounted', async () => {
    await rename(target.directory, at('unmounted'));
    await mkdir(target.directory);
    await assert.rejects(mirror(target), { code: 'TARGET_UNFIT', message: /is not there/ });
    assert.deepEqual(await readdir(target.directory), []);
    await rmdir(target.directory);
    await rename(at('unmounted'), target.directory);
    assert.equal((await mirror(target)).state, 'complete');
  });

  it('deletes nothing where something else lies, and nothing of another component', async () => {
    const other = { directory: at('other') };
    await mkdir(other.directory);
    await writeFile(at('other', 'precious'), 'mine');
    await assert.rejects(mirror(other), { code: 'TARGET_UNFIT', message: /not empty and no mirror of ours/ });
    assert.equal(await readFile(at('other', 'precious'), 'utf8'), 'mine');
    await assert.rejects(mirror(target, { component: 'files/else' }), {
      code: 'TARGET_UNFIT',
      message: /mirror of files\/uploads/,
    });
    assert.deepEqual(await differences(source, copy), []);
  });

  it('says at its place that a run was cut off', async () => {
    const stopped = new AbortController();
    // Too slow to end, so that it is cut off in the middle.
    await writeFile(path.join(source, 'large'), Buffer.alloc(4 * 1024 * 1024, 1));
    const running = mirror(target, { signal: stopped.signal, bytesPerSecond: 64 * 1024 });
    while ((await mark(target.directory)).state !== 'running') await new Promise((resolve) => setTimeout(resolve, 20));
    stopped.abort();
    await assert.rejects(running, { code: 'CANCELLED' });
    assert.equal((await mark(target.directory)).state, 'running');
    assert.equal((await mirrorReport(at('state'), target)).state, 'failed');
    assert.equal((await mirror(target)).state, 'complete');
    assert.deepEqual(await differences(source, copy), []);
  });
});

describe('a mirror of a disk that went away', () => {
  const disk = at('disk');
  const names = ['1', '2', '3', '4', '5'];
  const target = { directory: at('mirror-of-disk') };
  const copy = path.join(target.directory, 'tree', disk);
  const memory = at('disk-state');
  const bringUp = (changes: Partial<MirrorOptions> = {}) =>
    mirror(target, { roots: [disk], directory: memory, maxDelete: 1000, ...changes });
  const told = ({ state, heldBecause, deleted }: Awaited<ReturnType<typeof bringUp>>) => [state, heldBecause, deleted];

  it('keeps everything, with every run, though a stray file lies at the mount point', async () => {
    await mkdir(disk);
    await mkdir(target.directory);
    for (const name of names) await writeFile(path.join(disk, name), name);
    assert.equal((await bringUp()).state, 'complete');
    await rename(disk, at('unmounted-disk'));
    await mkdir(path.join(disk, '.holdfast'), { recursive: true });
    await assert.rejects(bringUp(), { code: 'FILES_ROOT', message: /is empty/ });
    await writeFile(path.join(disk, 'app.pid'), '1');
    for (const _ of ['once', 'again']) assert.deepEqual(told(await bringUp()), ['held back', 'far fewer', 0]);
    assert.deepEqual(await readdir(copy), [...names, 'app.pid']);
    await rm(disk, { recursive: true });
    await rename(at('unmounted-disk'), disk);
    assert.deepEqual(told(await bringUp()), ['complete', undefined, 1]);
    assert.deepEqual(await differences(disk, copy), []);
  });

  it('deletes nothing when the snapshot of the run saw far fewer files, whatever is remembered', async () => {
    await rm(path.join(disk, '5'));
    assert.deepEqual(told(await bringUp({ farFewer: true })), ['held back', 'far fewer', 0]);
    assert.deepEqual(await readdir(copy), names);
    assert.deepEqual(told(await bringUp()), ['complete', undefined, 1]);
  });

  it('goes by what it finds where somebody said that so few are meant', async () => {
    for (const name of ['2', '3', '4']) await rm(path.join(disk, name));
    assert.deepEqual(told(await bringUp()), ['held back', 'far fewer', 0]);
    await rm(mirrorMemory(memory));
    assert.deepEqual(told(await bringUp()), ['complete', undefined, 3]);
    assert.deepEqual(await differences(disk, copy), []);
  });
});

describe('a mirror behind SSH', () => {
  it('is the same, by the rights of the user there; a directory that is not ours is refused', async (t) => {
    const ssh = await testSshServer(t);
    const place = path.join(ssh.directory, 'mirror');
    const roots = [at('own')];
    await mkdir(at('own'));
    for (const name of ['a', 'b c', 'd']) await writeFile(at('own', name), name);
    await symlink('a', at('own', 'link'));
    const { gid } = await findUser(ssh.user);
    if (isRoot) for (const name of ['', 'a', 'b c', 'd']) await chown(at('own', name), ssh.uid, gid);
    if (isRoot) await lchown(at('own', 'link'), 0, 0);
    const target = { directory: place, remote: ssh.remote };
    const state = { directory: at('remote-state'), roots };
    await assert.rejects(mirror(target, state), { code: 'TARGET_UNFIT', message: /cannot be looked at/ });
    await mkdir(place);
    if (isRoot) await chown(place, ssh.uid, gid);
    await writeFile(path.join(place, 'precious'), 'mine');
    await assert.rejects(mirror(target, state), { code: 'TARGET_UNFIT', message: /'precious' lies there/ });
    await rm(path.join(place, 'precious'));
    if (isRoot) {
      // A link that belongs to root: that user cannot give it away, and that is said.
      await assert.rejects(mirror(target, state), {
        code: 'RSYNC_INCOMPLETE',
        message: /chown.*Operation not permitted/,
      });
      assert.equal((await mark(place)).state, 'running');
      await rm(at('own', 'link'));
    }
    const done = await mirror(target, state);
    assert.equal(done.state, 'complete');
    assert.deepEqual(await differences(at('own'), path.join(place, 'tree', at('own'))), []);
    assert.equal((await mark(place)).asOf, done.asOf);
    await ssh.stop();
    await assert.rejects(mirror(target, state), { code: 'REMOTE_UNREACHABLE' });
    assert.equal((await mirrorReport(at('remote-state'), target)).asOf, done.asOf);
    await chmod(place, 0o755);
  });
});
