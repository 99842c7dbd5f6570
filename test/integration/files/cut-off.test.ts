// A process that is killed in the middle of a pull, of a mirror, of an export: what is left says so, and the next attempt makes it whole.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { isHoldfastError } from '../../../src/errors/index.ts';
import {
  captureFiles,
  capturePulled,
  exportToFile,
  finishBeside,
  mirrorFiles,
  mirrorReport,
  restoreBeside,
} from '../../../src/files/index.ts';
import { tryRun } from '../../../src/process/index.ts';
import { wholeFile } from '../../support/components.ts';
import { differences } from '../../support/file-trees.ts';
import type { DyingFiles } from '../../support/files-and-die.ts';
import { testSshServer } from '../../support/ssh-server.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { snapshotId, testVault } from '../../support/vault.ts';
import { waitFor } from '../../support/wait-for.ts';

const execute = promisify(execFile);
const ssh = await testSshServer(wholeFile);
const directory = await temporaryDirectory(wholeFile);
const at = (...names: string[]) => path.join(directory, ...names);
const signal = AbortSignal.timeout(3_000_000);
const rules = { exclude: [], oneFileSystem: true, cacheTags: true };

async function killed(asked: DyingFiles): Promise<void> {
  const args = ['test/support/files-and-die.ts', JSON.stringify(asked)];
  const result = await tryRun(process.execPath, args, { deadlineMs: 300_000 });
  assert.equal(result.signal, 'SIGKILL', result.stderrTail);
}

/** Whoever was killed a moment ago may still hold its lock: its children die after it. */
async function onceFree<T>(work: () => Promise<T>): Promise<T> {
  return await waitFor('the lock of the dead to be free', async () => {
    try {
      return await work();
    } catch (error) {
      if (isHoldfastError(error, 'LOCKED')) return undefined;
      throw error;
    }
  });
}

async function fill(place: string): Promise<void> {
  await mkdir(place, { recursive: true });
  for (const name of ['a', 'b', 'z']) await writeFile(path.join(place, name), name);
  await writeFile(path.join(place, 'large'), randomBytes(3 * 1024 * 1024));
}

describe('a process that is killed', () => {
  before(async () => {
    await fill(at('source'));
    await fill(path.join(ssh.directory, 'source'));
  });

  it('in the middle of a mirror leaves one that says so, and the next run makes it whole', async () => {
    const target = { directory: at('mirror') };
    await mkdir(target.directory);
    const mirror = () =>
      mirrorFiles({
        ...{ estate: 'acme', component: 'files/uploads', roots: [at('source')], oneFileSystem: true, exclude: [] },
        ...{ maxDelete: 3, target, directory: at('memory'), signal },
      });
    await killed({ action: 'mirror', root: at('source'), target: target.directory, directory: at('memory') });
    const mark = async () => JSON.parse(await readFile(at('mirror', 'holdfast-mirror.json'), 'utf8'));
    assert.equal((await mark()).state, 'running');
    assert.equal((await mark()).asOf, undefined);
    assert.equal((await mirrorReport(at('memory'), target)).state, 'running');
    const done = await onceFree(mirror);
    assert.equal(done.state, 'complete');
    assert.deepEqual(await differences(at('source'), path.join(target.directory, 'tree', at('source'))), []);
    // Killed again: of when it was whole stays known.
    await writeFile(at('source', 'large'), randomBytes(3 * 1024 * 1024));
    await killed({ action: 'mirror', root: at('source'), target: target.directory, directory: at('memory') });
    assert.deepEqual([(await mark()).state, (await mark()).asOf], ['running', done.asOf]);
    assert.equal((await onceFree(mirror)).state, 'complete');
    assert.deepEqual(await differences(at('source'), path.join(target.directory, 'tree', at('source'))), []);
  });

  it('in the middle of a pull leaves no snapshot, and the next one is what is there', async (t) => {
    const test = await testVault();
    t.after(() => test[Symbol.asyncDispose]());
    const source = path.join(ssh.directory, 'source');
    const pulled = path.join(ssh.directory, 'pulled');
    const { keyFile } = test;
    const id = snapshotId(1);
    await killed({
      ...{ action: 'pull', keyFile, copy: test.path('local'), id, remote: ssh.remote, roots: [source] },
      directory: pulled,
    });
    assert.deepEqual(await test.vault.listSnapshots('files/elsewhere'), []);
    // It was killed when the file was on its way; what rsync does about that when its parent is gone is another matter.
    const left = await readdir(path.join(pulled, 'tree', source));
    assert.ok(!left.includes('large'), 'it was not in the middle of a file');
    const taken = await onceFree(() =>
      capturePulled({
        vault: test.vault,
        source: { roots: [source], rules },
        pull: { remote: ssh.remote, directory: pulled },
        // The same run goes on.
        request: { snapshotId: id, component: 'files/elsewhere', class: 'files', host: 'here' },
        signal,
      }),
    );
    const reader = await test.vault.openSnapshot(taken.id);
    const back = path.join(ssh.directory, 'back');
    await restoreBeside({ reader, directory: back, run: 'restore-00000001', selection: {}, signal });
    await finishBeside(back, 'restore-00000001');
    reader.close();
    assert.deepEqual(await differences(source, path.join(back, source)), []);
  });

  it('in the middle of an export leaves nothing that has the name, and the next one takes it', async (t) => {
    const test = await testVault();
    t.after(() => test[Symbol.asyncDispose]());
    const { id } = await captureFiles({
      vault: test.vault,
      source: { roots: [at('source')], rules },
      request: { snapshotId: snapshotId(1), component: 'files/uploads', class: 'files', host: 'here' },
      signal,
    });
    await mkdir(at('exports'));
    const output = at('exports', 'uploads.tar');
    const { keyFile } = test;
    await killed({ action: 'export', keyFile, copy: test.path('local'), id, output });
    const left = await readdir(at('exports'));
    assert.equal(left.length, 1);
    assert.match(left[0] ?? '', /^uploads\.tar\..*partial$/);
    const reader = await test.vault.openSnapshot(id);
    await exportToFile(output, { reader, selection: {}, signal });
    reader.close();
    await mkdir(at('unpacked'));
    await execute('tar', ['--xattrs', '--xattrs-include=*', '--acls', '-xpf', output, '-C', at('unpacked')]);
    assert.deepEqual(await differences(at('source'), path.join(at('unpacked'), at('source'))), []);
    assert.ok((await stat(at('exports', left[0] ?? ''))).size > 0);
    await rm(at('exports'), { recursive: true });
  });
});
