// A process for tests: takes a snapshot of configuration and kills itself right before, or right after, the manifest is put. Arguments: key file, directory of the copy, state directory, path, number, `before` or `after`.

import type { Store } from '../../src/stores/store.ts';
import { captureNumber, sourceOf } from './configuration-capture.ts';
import { DelegatingStore } from './delegating-store.ts';
import { openFileVault } from './open-vault.ts';

const [keyFile = '', copy = '', stateDirectory = '', root = '', number = '', when = ''] = process.argv.slice(2);

class DeadlyStore extends DelegatingStore {
  protected override async around<T>(what: string, call: () => Promise<T>): Promise<T> {
    const isManifest = what.startsWith('put ') && what.includes('/snapshots/');
    if (isManifest && when === 'before') process.kill(process.pid, 'SIGKILL');
    const result = await call();
    if (isManifest) process.kill(process.pid, 'SIGKILL');
    return result;
  }
}

const vault = await openFileVault({
  keyFile,
  copies: [{ name: 'local', path: copy, offsite: false }],
  wrap: (store: Store) => new DeadlyStore(store),
});
await captureNumber({ vault, stateDirectory, source: sourceOf([root]), number: Number(number) });
process.stdout.write('finished\n');
