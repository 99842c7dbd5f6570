// From the configuration to the opened vault: secrets resolved, stores made, keys tried.

import path from 'node:path';
import type { Logger } from 'pino';
import {
  type Configuration,
  type KeySettings,
  resolveSecret,
  type SecretReference,
  stateDirectoryOf,
} from '../../config/index.ts';
import { openStore } from '../stores/open-store.ts';
import type { Store } from '../stores/store.ts';
import { type KeySource, openVault, type Vault, type VaultOptions } from '../vault/index.ts';
import { credentialsOf, storeConfig, type VaultPurpose } from './store-config.ts';

export interface OpenVaultOptions {
  readonly host: string;
  readonly logger: Logger;
  /** Which credentials read, where a copy has separate ones; default `backup`. */
  readonly purpose?: VaultPurpose;
}

/** Throws as `openVault` does, and `SECRET_UNRESOLVED`. */
export async function openConfiguredVault(configuration: Configuration, options: OpenVaultOptions): Promise<Vault> {
  return openVault(await vaultOptions(configuration, options));
}

export async function vaultOptions(
  configuration: Configuration,
  { host, logger, purpose }: OpenVaultOptions,
): Promise<VaultOptions> {
  const { vault, name } = configuration;
  const copies = await Promise.all(
    Object.entries(vault.copies).map(async ([copy, { site, medium, offsite }]) => {
      const store = await openCopyStore(configuration, copy, purpose);
      return { store, description: { name: copy, site, medium, offsite, location: store.location } };
    }),
  );
  const { commit: policy, compression } = vault;
  // A machine that is no host of the estate reads keys and copies too; it has no state directory.
  const isHost = Object.hasOwn(configuration.hosts, host);
  const scratch = isHost ? { scratchDirectory: path.join(stateDirectoryOf(configuration, host), 'scratch') } : {};
  const keys = await Promise.all(vault.keys.map(keySource));
  const threads = configuration.hosts[host]?.threads;
  return {
    ...{ estate: name, copies, policy, compression, keys, logger, host, ...scratch },
    ...(threads !== undefined && { threads }),
  };
}

/** Nothing is asked yet. Throws `USAGE` for a name that is no copy's. */
export async function openCopyStore(
  configuration: Configuration,
  copy: string,
  purpose?: VaultPurpose,
): Promise<Store> {
  return await openStore(copy, storeConfig(configuration, copy, purpose));
}

/** Nothing is read or asked yet. */
export async function keySource(key: KeySettings): Promise<KeySource> {
  const { name } = key;
  if ('file' in key) return { name, kind: 'file', path: key.file };
  if ('passphrase' in key) return passphraseSource(name, key.passphrase);
  const { accessKeyId, secretAccessKey, ...plain } = key.kms;
  // Loaded by those who use it, as what buckets take.
  const { AwsKms } = await import('../kms/index.ts');
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    return { name, kind: 'kms', service: new AwsKms(plain) };
  }
  const credentials = credentialsOf({ accessKeyId, secretAccessKey });
  return { name, kind: 'kms', service: new AwsKms({ ...plain, credentials }) };
}

export function passphraseSource(name: string, reference: SecretReference): KeySource & { kind: 'passphrase' } {
  return { name, kind: 'passphrase', resolve: () => resolveSecret(reference) };
}
