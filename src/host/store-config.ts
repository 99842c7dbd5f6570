// From the configuration's description of a copy to its store: credentials for the purpose, and the limits that all stores of a process share.

import {
  type Configuration,
  type CopySettings,
  type CredentialPair,
  resolveSecret,
  type S3Settings,
} from '../../config/index.ts';
import { fail } from '../errors/index.ts';
import { Bandwidth, TokenBucket } from '../stores/bandwidth.ts';
import type { StoreConfig } from '../stores/open-store.ts';
import type { CredentialsProvider, SeparateCredentials } from '../stores/s3-client.ts';

/** What a vault is opened for: a restore reads with credentials of its own, so that those of a lost or distrusted host are not needed. */
export type VaultPurpose = 'backup' | 'restore';

/** Secrets are resolved when the store needs them, so that a missing one takes away its own copy and no other. Throws `USAGE`. */
export function storeConfig(configuration: Configuration, name: string, purpose: VaultPurpose = 'backup'): StoreConfig {
  const settings = configuration.vault.copies[name];
  if (settings === undefined) return fail('USAGE', `there is no copy '${name}'`);
  const { file, s3 } = settings;
  const bandwidth = bandwidthOf(configuration, settings);
  const limit = bandwidth && { bandwidth };
  if (file !== undefined) return { type: 'file', path: file, ...limit };
  if (s3 === undefined) return fail('CONFIG_INVALID', `copy '${name}' names no store`);
  const { accessKeyId: _id, secretAccessKey: _secret, credentials: _separate, ...plain } = s3;
  const credentials = credentialsFor(s3, purpose);
  return { type: 's3', ...plain, ...limit, ...(credentials && { credentials }) };
}

export function credentialsOf({ accessKeyId, secretAccessKey }: CredentialPair): CredentialsProvider {
  return async () => ({
    accessKeyId: await resolveSecret(accessKeyId),
    secretAccessKey: await resolveSecret(secretAccessKey),
  });
}

function credentialsFor(s3: S3Settings, purpose: VaultPurpose): CredentialsProvider | SeparateCredentials | undefined {
  const { accessKeyId, secretAccessKey, credentials } = s3;
  if (credentials === undefined) {
    return accessKeyId && secretAccessKey && credentialsOf({ accessKeyId, secretAccessKey });
  }
  const write = credentials.write && credentialsOf(credentials.write);
  const restore = credentials.restore && credentialsOf(credentials.restore);
  const prune = credentials.prune && credentialsOf(credentials.prune);
  const read = purpose === 'restore' ? (restore ?? write) : (write ?? restore);
  if (read === undefined) return fail('CONFIG_INVALID', "a copy has neither credentials to 'write' nor to 'restore'");
  return { read, write, prune };
}

/** Buckets by what they limit: all vaults that a process opens from one configuration share them. */
const buckets = new WeakMap<object, TokenBucket>();

function bandwidthOf({ vault }: Configuration, copy: CopySettings): Bandwidth | undefined {
  const limited = [vault, copy].flatMap((each) => {
    const rate = each.bandwidthBytesPerSecond;
    if (rate === undefined) return [];
    const bucket = buckets.get(each) ?? new TokenBucket(rate);
    buckets.set(each, bucket);
    return [bucket];
  });
  return limited.length === 0 ? undefined : new Bandwidth(limited);
}
