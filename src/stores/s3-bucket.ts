// One bucket as all parts of the S3 store see it: a client for each purpose, where our objects begin, and the names for people.

import type { S3Client } from '@aws-sdk/client-s3';
import { fail } from '../errors/index.ts';
import type { Bandwidth } from './bandwidth.ts';
import { type CredentialsProvider, makeClient, type S3StoreOptions } from './s3-client.ts';

export interface S3Bucket {
  readonly client: S3Client;
  readonly bucket: string;
  /** Empty, or with a slash at its end. */
  readonly prefix: string;
  /** Name of the copy. */
  readonly name: string;
  readonly location: string;
  /** Default: no limit. */
  readonly bandwidth?: Bandwidth | undefined;
}

export interface S3Where {
  readonly Bucket: string;
  readonly Key: string;
}

export function whereOf({ bucket, prefix }: S3Bucket, key: string): S3Where {
  return { Bucket: bucket, Key: prefix + key };
}

/** The same bucket by the credentials for each purpose; without some of them nothing can be written, or deleted. */
export interface S3Access {
  readonly read: S3Bucket;
  readonly write: S3Bucket | undefined;
  readonly prune: S3Bucket | undefined;
}

export function openAccess(name: string, location: string, options: S3StoreOptions): S3Access {
  const { bucket, bandwidth, credentials } = options;
  const prefix = options.prefix === undefined ? '' : `${options.prefix}/`;
  const clients = new Map<CredentialsProvider | undefined, S3Bucket>();
  const open = (provider: CredentialsProvider | undefined): S3Bucket => {
    const known = clients.get(provider);
    const opened = known ?? { name, location, bucket, prefix, bandwidth, client: makeClient(options, provider) };
    clients.set(provider, opened);
    return opened;
  };
  if (typeof credentials !== 'object') {
    const all = open(credentials);
    return { read: all, write: all, prune: all };
  }
  const { read, write, prune } = credentials;
  return { read: open(read), write: write && open(write), prune: prune && open(prune) };
}

/** Throws `STORE_DENIED` (`details.purpose`) when the configuration names no credentials for it. */
export function requireAccess(access: S3Access, purpose: 'write' | 'prune'): S3Bucket {
  const { name, location } = access.read;
  const to = purpose === 'write' ? 'write' : 'delete';
  return (
    access[purpose] ??
    fail('STORE_DENIED', `copy '${name}' at ${location} has no credentials to ${to}`, {
      hint: `add 'credentials.${purpose}' to the copy, on the hosts that may ${to}`,
      details: { purpose },
    })
  );
}
