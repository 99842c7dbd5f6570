// The vault that the configuration describes: its stores with their credentials, its keys, in the order in which this host should read.

import type { Logger } from 'pino';
import { type Configuration, type CopySettings, resolveSecret, type S3Settings } from '../../config/index.ts';
import { openStore, type StoreConfig } from '../stores/open-store.ts';
import { createVault, type KeySource, openVault, type Vault, type VaultOptions } from '../vault/index.ts';

export interface OpenVaultOptions {
  /** Name of this host in the configuration. */
  readonly host: string;
  readonly logger: Logger;
  /** Makes the vault where no copy holds one; default false. */
  readonly create?: boolean;
}

/** Throws as `openVault` and `createVault` do. Secrets are read when a store or key first needs them. */
export async function openConfiguredVault(configuration: Configuration, options: OpenVaultOptions): Promise<Vault> {
  const described = vaultOptions(configuration, options);
  return options.create === true ? createVault(described) : openVault(described);
}

export function vaultOptions(configuration: Configuration, { host, logger }: OpenVaultOptions): VaultOptions {
  const { vault, name: estate } = configuration;
  const site = configuration.hosts[host]?.site;
  const copies = Object.entries(vault.copies)
    .map(([name, copy]) => ({ name, copy, distance: distance(copy, site) }))
    .sort((a, b) => a.distance - b.distance)
    .map(({ name, copy }) => {
      const store = openStore(name, storeConfig(copy));
      const { site: place, medium, offsite } = copy;
      return { description: { name, site: place, medium, offsite, location: store.location }, store };
    });
  return { estate, copies, policy: vault.commit, keys: vault.keys.map(keySource), logger, host };
}

/** A disk is nearer than a bucket of the own site, and that nearer than anything elsewhere. */
function distance({ file, site }: CopySettings, own: string | undefined): number {
  return (site === own ? 0 : 2) + (file === undefined ? 1 : 0);
}

function keySource(key: Configuration['vault']['keys'][number]): KeySource {
  if ('file' in key) return { name: key.name, kind: 'file', path: key.file };
  return { name: key.name, kind: 'passphrase', resolve: () => resolveSecret(key.passphrase) };
}

function storeConfig({ file, s3 }: CopySettings): StoreConfig {
  if (s3 === undefined) return { type: 'file', path: file ?? '' };
  const { accessKeyId: _id, secretAccessKey: _secret, ...rest } = s3;
  const credentials = credentialsOf(s3);
  return { type: 's3', ...rest, ...(credentials === undefined ? {} : { credentials }) };
}

function credentialsOf({ accessKeyId, secretAccessKey }: S3Settings) {
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return async () => ({
    accessKeyId: await resolveSecret(accessKeyId),
    secretAccessKey: await resolveSecret(secretAccessKey),
  });
}
