// What stands in the place of a secret: its kind, and digits that tell two values of one place apart and nothing else.

import { createHmac } from 'node:crypto';

const DIGITS = 8;

/** `key`: 32 bytes that nobody else has. */
export function digitsOf(key: Uint8Array, value: string | Uint8Array, place: string): string {
  return createHmac('sha256', key).update(`${place}\0`).update(value).digest('hex').slice(0, DIGITS);
}

export function markerOf(kind: string, digits: string): string {
  return `[redacted ${kind} ${digits}]`;
}
