// Opens a test's vault from a process of its own, which knows only where its key file and its file copies are.

import { pino } from 'pino';
import { FileStore } from '../../src/stores/file-store.ts';
import type { Store } from '../../src/stores/store.ts';
import { openVault, type Vault } from '../../src/vault/index.ts';

interface FileCopy {
  readonly name: string;
  readonly path: string;
  readonly offsite: boolean;
}

interface FileVaultOptions {
  readonly keyFile: string;
  readonly copies: readonly FileCopy[];
  readonly wrap?: (store: Store) => Store;
}

export function openFileVault(setup: FileVaultOptions): Promise<Vault> {
  const copies = setup.copies.map(({ name, path, offsite }) => {
    const store = new FileStore(name, path);
    const description = { name, site: 'home', medium: 'disk', offsite, location: store.location };
    return { description, store: setup.wrap ? setup.wrap(store) : store };
  });
  return openVault({
    estate: 'acme',
    copies,
    policy: { copies: 1, offsite: 0 },
    keys: [{ name: 'host', kind: 'file', path: setup.keyFile }],
    logger: pino({ level: 'silent' }),
    host: 'db1',
  });
}
