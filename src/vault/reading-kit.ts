// What makes a copy readable without this program: the format document and a reader in one file, at its root. No part of the vault: nothing trusts them.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isHoldfastError } from '../errors/index.ts';
import type { Store } from '../stores/store.ts';
import type { Copy } from './copies.ts';
import { kitKeys } from './layout.ts';

/** In the sources and in a build alike: `npm run build` puts both files there. */
const sources = {
  [kitKeys.format]: new URL('../../docs/vault-format.md', import.meta.url),
  [kitKeys.reader]: new URL('../rescue/rescue.mjs', import.meta.url),
} as const;

/** Puts both files on a copy, or in the place of those of another version of this program. */
export async function putReadingKit(copy: Copy): Promise<void> {
  for (const [key, source] of Object.entries(sources)) {
    const bytes = await readFile(source);
    if (!(await isThere(copy.store, key, bytes))) await copy.store.put(key, bytes, { ifAbsent: false });
  }
}

/** SHA-256 of the reader that this program puts: for paper, because who may write to a copy may replace the one there. */
export async function readerSha256(): Promise<string> {
  return createHash('sha256')
    .update(await readFile(sources[kitKeys.reader]))
    .digest('hex');
}

async function isThere(store: Store, key: string, bytes: Buffer): Promise<boolean> {
  try {
    return (await store.get(key)).equals(bytes);
  } catch (error) {
    if (isHoldfastError(error, 'OBJECT_MISSING', 'OBJECT_DAMAGED')) return false;
    throw error;
  }
}
