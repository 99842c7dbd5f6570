// What an answer of an S3 server means to us: absent, refused, unfit, in conflict, or no answer at all.

import { HoldfastError } from '../errors/index.ts';

interface Failure {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** Means "a put-if-absent met an object": 412 from every server, and 409 from S3 when two puts ran at once (which is tried again). */
export function isConflict(error: unknown): boolean {
  return statusOf(error) === 412;
}

export function isAbsent(error: unknown): boolean {
  const { name } = error as Failure;
  return name === 'NoSuchKey' || (statusOf(error) === 404 && name !== 'NoSuchBucket');
}

export function statusOf(error: unknown): number | undefined {
  return (error as Failure).$metadata?.httpStatusCode;
}

const CLOCK_HINT = 'compare the clock of this host with a time server';

/** `STORE_UNAVAILABLE` is what may be tried again; everything else is final. Never carries a header, which could hold a signature. */
export function translate(what: string, location: string, error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const { name = 'Error', message = '', code } = error as Failure;
  const status = statusOf(error);
  const said = status === undefined ? (code ?? `${name}: ${message}`) : `${status} ${name}`;
  const text = `${what} at ${location} failed: ${said}`;
  const options = { cause: error };
  if (name === 'NoSuchBucket') {
    return new HoldfastError('STORE_UNFIT', text, { ...options, hint: 'make the bucket first; Holdfast never does' });
  }
  if (name === 'RequestTimeTooSkewed') return new HoldfastError('STORE_DENIED', text, { ...options, hint: CLOCK_HINT });
  if (name === 'CredentialsProviderError') return new HoldfastError('STORE_DENIED', text, options);
  if (name === 'InvalidRange' || status === 416) return new HoldfastError('OBJECT_DAMAGED', text, options);
  if (status === 401 || status === 403) return new HoldfastError('STORE_DENIED', text, options);
  if (status === 301 || status === 307) {
    return new HoldfastError('STORE_UNFIT', text, {
      ...options,
      hint: 'is the region in the configuration that of the bucket?',
    });
  }
  const isTransport = name === 'BadDigest' || name === 'RequestTimeout' || name === 'XAmzContentSHA256Mismatch';
  if (status === undefined || status >= 500 || status === 409 || status === 429 || status < 400 || isTransport) {
    return new HoldfastError('STORE_UNAVAILABLE', text, options);
  }
  return new HoldfastError('STORE_UNFIT', `${text}: ${message}`, options);
}
