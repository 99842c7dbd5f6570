// A process for tests: takes a snapshot of configuration and kills itself right before, or right after, the manifest is put, or leaves that to others. Arguments: key file, directory of the copy, state directory, path, number, `before`, `after` or `never`, and a remote if there is one.

import type { Store } from '../../src/stores/store.ts';
import { captureNumber, remoteAt, sourceOf } from './configuration-capture.ts';
import { DelegatingStore } from './delegating-store.ts';
import { openFileVault } from './open-vault.ts';

const [keyFile = '', copy = '', stateDirectory = '', root = '', number = '', when = '', url] = process.argv.slice(2);

class DeadlyStore extends DelegatingStore {
  protected override async around<T>(what: string, call: () => Promise<T>): Promise<T> {
    const isManifest = what.startsWith('put ') && what.includes('/snapshots/');
    if (isManifest && when === 'before') process.kill(process.pid, 'SIGKILL');
    const result = await call();
    if (isManifest && when === 'after') process.kill(process.pid, 'SIGKILL');
    return result;
  }
}

const vault = await openFileVault({
  keyFile,
  copies: [{ name: 'local', path: copy, offsite: false }],
  wrap: (store: Store) => new DeadlyStore(store),
});
await captureNumber({
  ...{ vault, stateDirectory, source: sourceOf([root]), number: Number(number) },
  ...(url !== undefined && { remote: remoteAt(url) }),
});
process.stdout.write('finished\n');
