// What the name of an archive says of its form.

import { fail } from '../errors/index.ts';

/** `.tar` as it is, `.tar.zst` compressed with zstd. Throws `USAGE` for any other. */
export function isCompressed(file: string): boolean {
  if (file.endsWith('.tar')) return false;
  if (file.endsWith('.tar.zst') || file.endsWith('.tzst')) return true;
  return fail('USAGE', `'--output': expected a name that ends in .tar.zst or .tar, got '${file}'`);
}
