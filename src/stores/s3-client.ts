// The S3 client as we want it: TLS 1.3, no retries and no endless waits of its own, one checksum (ours).

import { S3Client } from '@aws-sdk/client-s3';
import type { Bandwidth } from './bandwidth.ts';
import { type ConnectionOptions, makeAgents } from './s3-agents.ts';
import type { S3Guarantees } from './s3-guarantees.ts';

export interface S3StoreOptions extends S3Guarantees, ConnectionOptions {
  readonly bucket: string;
  /** Everything lies below it; without slashes at its ends. */
  readonly prefix?: string;
  readonly region: string;
  /** Of another provider than AWS. */
  readonly endpoint?: string;
  /** `https://host/bucket/key`; default: with an `endpoint`. */
  readonly pathStyle?: boolean;
  /** Default: the SDK's usual chain, for everything. */
  readonly credentials?: CredentialsProvider | SeparateCredentials;
  /** Default: no limit. */
  readonly bandwidth?: Bandwidth;
}

/** Resolved when they are needed and again when they expire. */
export type CredentialsProvider = () => Promise<S3Credentials>;

/** Each for its own; without those to write or to prune nothing can be written or deleted. */
export interface SeparateCredentials {
  readonly read: CredentialsProvider;
  readonly write?: CredentialsProvider | undefined;
  readonly prune?: CredentialsProvider | undefined;
}

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

const CONNECTION_TIMEOUT_MS = 5_000;
/** A socket on which nothing moved for so long is dead; the call as a whole has its own deadline. */
const SOCKET_TIMEOUT_MS = 20_000;
/** What goes wrong is in the error; the SDK would print some of it too. */
const silence = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

export function makeClient(options: S3StoreOptions, credentials: CredentialsProvider | undefined): S3Client {
  const { region, endpoint } = options;
  return new S3Client({
    region,
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials && { credentials }),
    forcePathStyle: options.pathStyle ?? endpoint !== undefined,
    maxAttempts: 1,
    logger: silence,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      socketTimeout: SOCKET_TIMEOUT_MS,
      ...makeAgents(options),
    },
  });
}
