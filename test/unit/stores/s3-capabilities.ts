// Where the S3 servers of the tests differ, with the reason: the one table that every test of a bucket asks.

import type { S3Server } from '../../../src/sandbox/index.ts';
import { testMinistack, testS3, testVersitygw, wholeFile } from '../../support/components.ts';

export interface Capabilities {
  /** Encryption by the server that it confirms, and what it answers to the other kind. */
  readonly sse: { readonly AES256: string; readonly 'aws:kms': string };
  /** Whether a storage class that is asked for comes back. */
  readonly storageClass: string;
  /** Whether put-if-absent takes a key that a delete marker covers, as Amazon S3 does. */
  readonly putOverMarker: boolean;
  /** Whether wrong credentials are refused. */
  readonly checksCredentials: boolean;
}

export const s3Servers = {
  seaweed: {
    start: () => testS3(wholeFile),
    capabilities: {
      // Its KMS needs a provider of keys of its own, which nobody configured.
      sse: { AES256: 'AES256', 'aws:kms': '500 InternalError' },
      storageClass: 'STANDARD_IA',
      putOverMarker: true,
      checksCredentials: true,
    },
  },
  versitygw: {
    start: () => testVersitygw(wholeFile),
    capabilities: {
      // A file system below it has neither: both headers are ignored without a word.
      sse: { AES256: 'no encryption', 'aws:kms': 'no encryption' },
      storageClass: 'STANDARD',
      // It counts the delete marker, which is a file there, as the object.
      putOverMarker: false,
      checksCredentials: true,
    },
  },
  ministack: {
    start: () => testMinistack(wholeFile),
    capabilities: {
      sse: { AES256: 'AES256', 'aws:kms': 'aws:kms' },
      storageClass: 'STANDARD_IA',
      putOverMarker: true,
      // An emulator for tests of other people's code: it takes whatever signature comes.
      checksCredentials: false,
    },
  },
} as const satisfies Record<string, { start: () => Promise<S3Server>; capabilities: Capabilities }>;

export type S3ServerName = keyof typeof s3Servers;
