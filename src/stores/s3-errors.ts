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

/** What TLS says when both sides have no version in common. */
const VERSION_CODES = /^(ERR_SSL_\w*(PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW)\w*)$/;
/** Codes of a certificate that does not prove who answers (Node, `tls`: X509 certificate error codes). */
const CERTIFICATE_CODES =
  /^(ERR_TLS_CERT_ALTNAME_INVALID|CERT_\w+|\w*SELF_SIGNED\w*|UNABLE_TO_\w+|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|DEPTH_ZERO_SELF_SIGNED_CERT)$/;

function tlsHint(code: string | undefined, message: string): string | undefined {
  if (code === undefined) return undefined;
  const isToldByServer = code === 'EPROTO' && /alert protocol version|unsupported protocol/.test(message);
  if (isToldByServer || VERSION_CODES.test(code)) {
    return "the endpoint offers no TLS 1.3: upgrade it, or accept older versions for this copy with `minimumTls: '1.2'`";
  }
  if (!CERTIFICATE_CODES.test(code)) return undefined;
  return "the certificate does not prove that this is the endpoint; name the file of a private authority with 'caFile' of the copy";
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
  const hint = tlsHint(code, message);
  if (hint !== undefined) return new HoldfastError('STORE_UNFIT', text, { ...options, hint });
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
