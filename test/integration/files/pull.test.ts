// A host without a worker over a real SSH server: what is captured here is what is there, and a pull that was not whole is no snapshot.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown, link, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  capturePulled,
  type FilesDetails,
  finishBeside,
  type RemoteHost,
  restoreBeside,
} from '../../../src/files/index.ts';
import { uncovered, uncoveredAttributes } from '../../../src/files/pull/fake-super.ts';
import { foundOf, lstatOf } from '../../../src/files/scan/walk.ts';
import { removeAttribute, setAttribute } from '../../../src/system/index.ts';
import type { SnapshotOnCopies } from '../../../src/vault/index.ts';
import { wholeFile } from '../../support/components.ts';
import { differences, isRoot, makeAwkwardTree } from '../../support/file-trees.ts';
import { testSshServer } from '../../support/ssh-server.ts';
import { snapshotId, type TestVault, testVault } from '../../support/vault.ts';
import { waitFor } from '../../support/wait-for.ts';

const component = 'files/elsewhere';
const ssh = await testSshServer(wholeFile);

describe('a host that is pulled', () => {
  let test: TestVault;
  let source: string;
  let number = 1;
  const at = (...names: string[]) => path.join(source, ...names);
  const here = (...names: string[]) => path.join(ssh.directory, 'here', ...names);

  before(async () => {
    test = await testVault();
    source = path.join(ssh.directory, 'source');
    await mkdir(here(), { recursive: true });
    await mkdir(source);
    await makeAwkwardTree(source);
    // The user of the other side reads what everybody may.
    await chmod(at('closed'), 0o555);
    await symlink('small', at('plain', 'second'));
    await link(at('plain', 'second'), at('plain', 'zz-second'));
    if (isRoot) {
      await chown(at('plain', 'small'), 12_345, 54_321);
      await chmod(at('plain', 'small'), 0o4755);
      // cap_net_raw+ep of setcap(8), which only root can give.
      const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
      setAttribute(at('plain', 'nothing'), 'security.capability', capability);
    }
    await writeFile(path.join(ssh.directory, 'one-file'), 'a root by itself');
  });
  after(async () => {
    await test[Symbol.asyncDispose]();
  });

  const capture = (
    changes: { remote?: Partial<RemoteHost>; roots?: string[]; bytesPerSecond?: number; signal?: AbortSignal } = {},
  ): Promise<SnapshotOnCopies> =>
    capturePulled({
      vault: test.vault,
      source: {
        roots: changes.roots ?? [source, path.join(ssh.directory, 'one-file')],
        rules: { exclude: ['*.tmp'], oneFileSystem: true, cacheTags: true },
      },
      pull: {
        remote: { ...ssh.remote, ...changes.remote },
        directory: here('pulled'),
        ...(changes.bytesPerSecond && { bytesPerSecond: changes.bytesPerSecond }),
      },
      request: { snapshotId: snapshotId(number++), component, class: 'files', host: 'here' },
      signal: changes.signal ?? AbortSignal.timeout(600_000),
    });
  const giveBack = async ({ id }: SnapshotOnCopies) => {
    const directory = here(`back-${id}`);
    const reader = await test.vault.openSnapshot(id);
    try {
      await restoreBeside({
        reader,
        directory,
        run: 'restore-00000001',
        selection: {},
        signal: AbortSignal.timeout(600_000),
      });
      await finishBeside(directory, 'restore-00000001');
    } finally {
      reader.close();
    }
    return directory;
  };

  it('is captured as it is there: owners, modes, devices, links, lists and attributes that only root can give', async () => {
    const taken = await capture();
    const details = taken.engine as unknown as FilesDetails;
    assert.deepEqual([details.unseen.count, taken.state, details.pulledFrom], [0, 'clean', ssh.remote.ssh]);
    const back = await giveBack(taken);
    assert.deepEqual(await differences(source, path.join(back, source)), []);
    assert.equal(await readFile(path.join(back, ssh.directory, 'one-file'), 'utf8'), 'a root by itself');
    // Nothing of it is what it says in the tree that stays here.
    const kept = await stat(path.join(here('pulled', 'tree'), source, 'plain/small'));
    assert.equal(kept.mode & 0o7000, 0);
  });

  it('travels and is read again only where it changed', async () => {
    const newest = (await stat(path.join(here('pulled', 'tree'), source, 'plain/small'))).ctimeMs;
    while (Date.now() < newest + 2_100) await new Promise((resolve) => setTimeout(resolve, 100));
    await capture();
    await writeFile(at('plain', 'came'), 'new');
    await rm(at('-rf'));
    const taken = await capture();
    const details = taken.engine as unknown as FilesDetails;
    assert.deepEqual([taken.statistics.readBytes, details.files - details.unchangedFiles], [3, 1]);
    assert.deepEqual(await differences(source, path.join(await giveBack(taken), source)), []);
  });

  it('is no snapshot when something may not be read there, a root is gone, or nobody answers', async () => {
    const count = (await test.vault.listSnapshots(component)).length;
    if (isRoot) {
      await writeFile(at('secret'), 'for root alone', { mode: 0o600 });
      await assert.rejects(capture(), { code: 'RSYNC_INCOMPLETE', message: /secret.*Permission denied/ });
      await rm(at('secret'));
    }
    await rename(source, `${source}-away`);
    await assert.rejects(capture(), { code: 'FILES_ROOT', message: /cannot be looked at/ });
    await rename(`${source}-away`, source);
    const kept = await readdir(path.join(here('pulled', 'tree'), source));
    assert.ok(kept.includes('plain'), 'what was pulled before is not taken for gone');
    await assert.rejects(
      capture({ remote: { keyFile: path.join(ssh.directory, 'host-key') } }),
      (error: { code: string }) => ['REMOTE_UNREACHABLE', 'TARGET_UNFIT'].includes(error.code),
    );
    await ssh.stop();
    await assert.rejects(capture(), { code: 'REMOTE_UNREACHABLE', message: /refused/ });
    await ssh.start();
    assert.equal((await test.vault.listSnapshots(component)).length, count);
  });

  it('is refused when another host answers than the list names, and a key that others may read', async () => {
    const strange = here('strange');
    const other = (await readFile(path.join(ssh.directory, 'key.pub'), 'utf8')).split(' ').slice(0, 2).join(' ');
    await writeFile(strange, `[127.0.0.1]:${ssh.remote.port} ${other}\n`);
    await assert.rejects(capture({ remote: { knownHosts: strange } }), {
      code: 'REMOTE_UNREACHABLE',
      message: /Host key verification failed/,
    });
    await writeFile(strange, 'example.org ssh-ed25519 AAAA\n');
    await assert.rejects(capture({ remote: { knownHosts: strange } }), {
      code: 'TARGET_UNFIT',
      message: /does not name/,
    });
    const open = here('open-key');
    await writeFile(open, await readFile(ssh.remote.keyFile), { mode: 0o644 });
    await assert.rejects(capture({ remote: { keyFile: open } }), { code: 'TARGET_UNFIT', message: /others may read/ });
  });

  it('goes on after it was cut off in the middle of a file', async () => {
    await writeFile(at('large-now'), randomBytes(3 * 1024 * 1024));
    const count = (await test.vault.listSnapshots(component)).length;
    const stopped = new AbortController();
    const running = capture({ bytesPerSecond: 256 * 1024, signal: stopped.signal });
    const partial = here('pulled', 'tree', source);
    // rsync writes under a passing name until a file is whole.
    await waitFor('the file to be on its way', async () =>
      (await readdir(partial)).some((name) => name.startsWith('.large-now.')),
    );
    stopped.abort();
    await assert.rejects(running, { code: 'CANCELLED' });
    assert.equal((await test.vault.listSnapshots(component)).length, count);
    const taken = await capture();
    assert.deepEqual(await differences(source, path.join(await giveBack(taken), source)), []);
  });

  it('takes no attribute that rsync does not write for what an entry is', () => {
    const place = path.join(here('pulled', 'tree'), source, 'plain/came');
    const found = foundOf('plain/came', place, lstatOf(place));
    assert.deepEqual(uncovered(found, place).type, 'file');
    setAttribute(place, 'user.rsync.%stat', Buffer.from('1006ab 0,0 0:0'));
    assert.throws(() => uncovered(found, place), { code: 'BACKUP_INVALID' });
    removeAttribute(place, 'user.rsync.%stat');
    const list = { 'user.rsync.%aacl': Buffer.from('short').toString('base64') };
    assert.throws(() => uncoveredAttributes(list, 0o644), { code: 'BACKUP_INVALID' });
  });

  it('leaves a socket out and tells it, as a host with a worker does', async () => {
    const directory = path.join(ssh.directory, 'run');
    await mkdir(directory);
    await writeFile(path.join(directory, 'kept'), 'beside it');
    const server = createServer().listen(path.join(directory, 'socket'));
    try {
      await once(server, 'listening');
      const taken = await capture({ roots: [directory] });
      const { leftOut } = taken.engine as unknown as FilesDetails;
      const told = { path: path.join(directory, 'socket').slice(1), why: 'socket' };
      assert.deepEqual([taken.state, leftOut.count, leftOut.first], ['clean', 1, [told]]);
      const back = path.join(await giveBack(taken), directory);
      assert.deepEqual(await readdir(back), ['kept']);
    } finally {
      server.close();
    }
  });

  it('does not begin again what a second one is pulling', async () => {
    const both = await Promise.allSettled([capture(), capture()]);
    const failed = both.flatMap((each) => (each.status === 'rejected' ? [(each.reason as { code: string }).code] : []));
    assert.deepEqual(failed, ['LOCKED']);
  });
});
