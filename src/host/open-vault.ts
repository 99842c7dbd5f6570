// From the configuration to the opened vault: secrets resolved, stores made, keys tried.

import type { Logger } from 'pino';
import {
  type Configuration,
  type CopySettings,
  type KeySettings,
  resolveSecret,
  type SecretReference,
} from '../../config/index.ts';
import { fail } from '../errors/index.ts';
import { AwsKms } from '../kms/index.ts';
import { openStore, type StoreConfig } from '../stores/open-store.ts';
import { type KeySource, openVault, type Vault, type VaultOptions } from '../vault/index.ts';

export interface OpenVaultOptions {
  readonly host: string;
  readonly logger: Logger;
}

/** Throws as `openVault` does, and `SECRET_UNRESOLVED`. */
export async function openConfiguredVault(configuration: Configuration, options: OpenVaultOptions): Promise<Vault> {
  return openVault(await vaultOptions(configuration, options));
}

export async function vaultOptions(
  configuration: Configuration,
  { host, logger }: OpenVaultOptions,
): Promise<VaultOptions> {
  const { vault, name } = configuration;
  const copies = await Promise.all(Object.entries(vault.copies).map(([copy, settings]) => makeCopy(copy, settings)));
  const { commit: policy, compression } = vault;
  return { estate: name, copies, policy, compression, keys: vault.keys.map(keySource), logger, host };
}

async function makeCopy(name: string, settings: CopySettings): Promise<VaultOptions['copies'][number]> {
  const store = openStore(name, storeConfig(name, settings));
  const { site, medium, offsite } = settings;
  return { store, description: { name, site, medium, offsite, location: store.location } };
}

/** Secrets are resolved when the store needs them, so that a missing one takes away its own copy and no other. */
export function storeConfig(name: string, { file, s3 }: CopySettings): StoreConfig {
  if (file !== undefined) return { type: 'file', path: file };
  if (s3 === undefined) return fail('CONFIG_INVALID', `copy '${name}' names no store`);
  const { accessKeyId, secretAccessKey, ...plain } = s3;
  if (accessKeyId === undefined || secretAccessKey === undefined) return { type: 's3', ...plain };
  const credentials = async () => ({
    accessKeyId: await resolveSecret(accessKeyId),
    secretAccessKey: await resolveSecret(secretAccessKey),
  });
  return { type: 's3', ...plain, credentials };
}

/** Nothing is read or asked yet. */
export function keySource(key: KeySettings): KeySource {
  const { name } = key;
  if ('file' in key) return { name, kind: 'file', path: key.file };
  if ('passphrase' in key) return passphraseSource(name, key.passphrase);
  const { accessKeyId, secretAccessKey, ...plain } = key.kms;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    return { name, kind: 'kms', service: new AwsKms(plain) };
  }
  const credentials = async () => ({
    accessKeyId: await resolveSecret(accessKeyId),
    secretAccessKey: await resolveSecret(secretAccessKey),
  });
  return { name, kind: 'kms', service: new AwsKms({ ...plain, credentials }) };
}

export function passphraseSource(name: string, reference: SecretReference): KeySource & { kind: 'passphrase' } {
  return { name, kind: 'passphrase', resolve: () => resolveSecret(reference) };
}
