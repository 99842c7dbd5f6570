// What a capture of configuration needs of the past, and cannot read: damage costs what it damaged, and a host that is short of something is no damage.

import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { BUNDLE, KNOWN_SECRETS } from '../../../src/configuration/own-entries.ts';
import { fail } from '../../../src/errors/index.ts';
import { findProgram } from '../../../src/process/index.ts';
import type { SnapshotReader, Vault } from '../../../src/vault/index.ts';
import { captureNumber, git, placeIn, sourceOf } from '../../support/configuration-capture.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { type TestVault, testVault } from '../../support/vault.ts';

const SECRET = 'old-Passw0rd-1';

describe('of the past, a capture of configuration', () => {
  let test: TestVault;

  before(async () => {
    test = await testVault();
  });
  after(() => test[Symbol.asyncDispose]());

  /** Its readers pass through `change`. */
  const changed = (change: (reader: SnapshotReader) => SnapshotReader): Vault =>
    new Proxy(test.vault, {
      get(vault, name) {
        if (name === 'openSnapshot') return async (id: never) => change(await vault.openSnapshot(id));
        const value = Reflect.get(vault, name) as unknown;
        return typeof value === 'function' ? (value.bind(vault) as unknown) : value;
      },
    });

  const without =
    (refused: (path: string, snapshot: string) => boolean, code: 'OBJECT_DAMAGED' | 'STORE_UNAVAILABLE') =>
    (reader: SnapshotReader) =>
      new Proxy(reader, {
        get(from, name) {
          if (name === 'read') {
            return (entry: Parameters<SnapshotReader['read']>[0]) =>
              refused(entry.path, from.snapshot.id) ? fail(code, 'it cannot be had') : from.read(entry);
          }
          const value = Reflect.get(from, name) as unknown;
          return typeof value === 'function' ? (value.bind(from) as unknown) : value;
        },
      });

  it('remembers by an older snapshot what the newest cannot tell, and goes on', async (t) => {
    const directory = await temporaryDirectory(t);
    const [etc, stateDirectory] = [path.join(directory, 'etc'), path.join(directory, 'state')];
    await mkdir(etc);
    const source = sourceOf([etc]);
    await writeFile(path.join(etc, 'app.conf'), `password = ${SECRET}\n`);
    await captureNumber({ vault: test.vault, stateDirectory, source, number: 1 });
    const second = await captureNumber({ vault: test.vault, stateDirectory, source, number: 2 });
    await writeFile(path.join(etc, 'app.conf'), 'password = another-Passw0rd-2\n');
    await writeFile(path.join(etc, 'log'), `login with ${SECRET} was refused\n`);
    const vault = changed(without((name, id) => name === KNOWN_SECRETS && id === second.snapshot.id, 'OBJECT_DAMAGED'));
    const { mended } = await captureNumber({ vault, stateDirectory, source, number: 3 });
    assert.match(mended.join('\n'), /cannot be read .*it cannot be had.*older knowledge/);
    const log = await git(placeIn(stateDirectory).repository, 'show', `main:files${etc}/log`);
    assert.match(log, /^login with \[redacted .*\] was refused$/);
  });

  it('waits for a store that does not answer, and begins no history anew; damaged bundles are another matter', async (t) => {
    const directory = await temporaryDirectory(t);
    const [etc, stateDirectory] = [path.join(directory, 'etc'), path.join(directory, 'state')];
    await mkdir(etc);
    await writeFile(path.join(etc, 'hosts'), '127.0.0.1 localhost\n');
    const source = sourceOf([etc]);
    const { repository } = placeIn(stateDirectory);
    await captureNumber({ vault: test.vault, stateDirectory, source, number: 11 });
    await rm(repository, { recursive: true });
    const away = changed(without((name) => name === BUNDLE, 'STORE_UNAVAILABLE'));
    const waiting = captureNumber({ vault: away, stateDirectory, source, number: 12 });
    await assert.rejects(waiting, { code: 'STORE_UNAVAILABLE' });
    assert.equal(await git(repository, 'rev-list', '--all', '--count'), '0');
    const damaged = changed(without((name) => name === BUNDLE, 'OBJECT_DAMAGED'));
    await captureNumber({ vault: damaged, stateDirectory, source, number: 13 });
    assert.equal(await git(repository, 'rev-list', '--count', 'main'), '1');
  });

  it('takes a look at the repository that was ended for no damage', async (t) => {
    const directory = await temporaryDirectory(t);
    const [etc, stateDirectory, bin] = ['etc', 'state', 'bin'].map((name) => path.join(directory, name)) as [
      string,
      string,
      string,
    ];
    for (const each of [etc, bin]) await mkdir(each);
    await writeFile(path.join(etc, 'hosts'), '127.0.0.1 localhost\n');
    const source = sourceOf([etc]);
    await captureNumber({ vault: test.vault, stateDirectory, source, number: 21 });
    const script = `#!/bin/sh\ncase " $* " in *' fsck '*) kill -KILL $$ ;; esac\nexec '${await findProgram('git')}' "$@"\n`;
    await writeFile(path.join(bin, 'git'), script);
    await chmod(path.join(bin, 'git'), 0o755);
    const before_ = process.env.PATH;
    t.after(() => {
      process.env.PATH = before_;
    });
    process.env.PATH = `${bin}:${before_}`;
    const ended = captureNumber({ vault: test.vault, stateDirectory, source, number: 22 });
    await assert.rejects(ended, { code: 'PROCESS_FAILED', message: /SIGKILL/ });
    process.env.PATH = before_;
    const names = await readdir(placeIn(stateDirectory).directory);
    assert.deepEqual(
      names.filter((name) => name.includes('damaged')),
      [],
    );
    assert.ok((await stat(placeIn(stateDirectory).repository)).isDirectory());
    assert.ok((await readFile(path.join(placeIn(stateDirectory).repository, 'HEAD'), 'utf8')).includes('main'));
  });
});
