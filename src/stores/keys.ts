// Object keys: what is one, so that no store has to escape anything and no key can leave its directory.

import { fail } from '../errors/index.ts';

const PART = /^[A-Za-z0-9._-]+$/;
/** S3 allows 1,024 bytes; a file name 255. */
const KEY_LIMIT = 900;
const PART_LIMIT = 200;
/** Unfinished writes of the file store; no object is ever named so, and none is ever listed. */
export const TEMPORARY_PREFIX = '.tmp-';

/** Throws `INTERNAL` unless `key` is relative and of plain parts. */
export function checkKey(key: string): void {
  if (key.length > KEY_LIMIT || !key.split('/').every(isPart)) fail('INTERNAL', `'${key}' is not an object key`);
}

/** A prefix is a key whose last part may be unfinished or empty. */
export function checkPrefix(prefix: string): void {
  const parts = prefix.split('/');
  const last = parts.pop() ?? '';
  if (!parts.every(isPart) || (last !== '' && !PART.test(last))) fail('INTERNAL', `'${prefix}' is not a key prefix`);
}

export function isPart(part: string): boolean {
  return (
    PART.test(part) && part.length <= PART_LIMIT && part !== '.' && part !== '..' && !part.startsWith(TEMPORARY_PREFIX)
  );
}

/** Order of keys everywhere: by their bytes, which for these characters is the order of JavaScript's `<`. */
export function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
