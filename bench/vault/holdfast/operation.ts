// What every operation of the driver is given, and the vault opened from it.

import { pino } from 'pino';
import { fail } from '../../../src/errors/index.ts';
import { FileStore } from '../../../src/stores/file-store.ts';
import { openVault, type SnapshotOnCopies, type Vault, type VaultOptions } from '../../../src/vault/index.ts';

export interface Places {
  /** Directory of the copy. */
  readonly copy: string;
  /** The key file. */
  readonly key: string;
  readonly source: string;
  readonly target: string;
}

export type Operation = (places: Places) => Promise<void>;

export const COMPONENT = 'files/bench';
export const COPY = 'local';

export function vaultOptions({ copy, key }: Places): VaultOptions {
  const store = new FileStore(COPY, copy);
  const description = { name: COPY, site: 'home', medium: 'disk', offsite: false, location: store.location };
  return {
    estate: 'bench',
    copies: [{ description, store }],
    policy: { copies: 1, offsite: 0 },
    keys: [{ name: 'host', kind: 'file', path: key }],
    logger: pino({ level: 'warn' }, pino.destination(2)),
    host: 'bench',
  };
}

export async function withVault(places: Places, use: (vault: Vault) => Promise<void>): Promise<void> {
  const vault = await openVault(vaultOptions(places));
  try {
    await use(vault);
  } finally {
    await vault.close();
  }
}

export async function newestSnapshot(vault: Vault): Promise<SnapshotOnCopies> {
  const [newest] = await vault.listSnapshots(COMPONENT);
  return newest ?? fail('NO_SNAPSHOT', `there is no snapshot of '${COMPONENT}'`);
}
