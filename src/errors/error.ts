// The one error class: a code from the catalogue, a message that names what and where, and a hint that says what to try.

import { catalogue, type ErrorCode, exitCodes, isErrorCode } from './catalogue.ts';

export interface ErrorOptions {
  /** A sentence that says what to try; without it the catalogue's own. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Small JSON facts for programs (names, numbers, the nearest moments); never a secret. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** What a program sees of an error: the `error` of `--json`, and the details of a Temporal failure. */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: ErrorCode;
  readonly hint: string;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint ?? catalogue[code].hint;
    this.details = options.details;
  }

  get retryable(): boolean {
    return catalogue[this.code].retryable;
  }

  get exit(): number {
    return catalogue[this.code].exit;
  }

  toJSON(): ErrorData {
    const { code, message, hint, details } = this;
    return details === undefined ? { code, message, hint } : { code, message, hint, details };
  }
}

/** Throws a `HoldfastError`. Message: lower case, no full stop, options and paths quoted. */
export function fail(code: ErrorCode, message: string, options?: ErrorOptions): never {
  throw new HoldfastError(code, message, options);
}

export function isHoldfastError(value: unknown, ...codes: ErrorCode[]): value is HoldfastError {
  return value instanceof HoldfastError && (codes.length === 0 || codes.includes(value.code));
}

/** What the system says of a file system without room, or of a user who has used up his part of it. */
const noRoom: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);

/** Any thrown value as a `HoldfastError`: a disk that is full is `NO_SPACE` wherever it is met; what nobody foresaw becomes `INTERNAL` and keeps its cause. */
export function toHoldfastError(value: unknown): HoldfastError {
  if (value instanceof HoldfastError) return value;
  const message = value instanceof Error ? value.message : String(value);
  const isFull = value instanceof Error && noRoom.has((value as { code?: unknown }).code);
  return new HoldfastError(isFull ? 'NO_SPACE' : 'INTERNAL', message, { cause: value });
}

/** The way back from `ErrorData` that travelled through JSON. */
export function fromErrorData(data: {
  code: string;
  message: string;
  hint?: string;
  details?: unknown;
}): HoldfastError {
  const code = isErrorCode(data.code) ? data.code : 'INTERNAL';
  return new HoldfastError(code, data.message, {
    ...(data.hint === undefined ? {} : { hint: data.hint }),
    ...(isRecord(data.details) ? { details: data.details } : {}),
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export { exitCodes };
