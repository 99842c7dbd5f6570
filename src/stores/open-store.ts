// From the configuration's description of a store to the store.

import type { Bandwidth } from './bandwidth.ts';
import { FileStore, makeDirectoryDurably } from './file-store.ts';
import type { S3StoreOptions } from './s3-client.ts';
import type { Store } from './store.ts';

export type StoreConfig =
  | { readonly type: 'file'; readonly path: string; readonly bandwidth?: Bandwidth }
  | ({ readonly type: 's3' } & S3StoreOptions);

/** Asks nothing yet: the first call finds out whether the store is there. `name`: the copy's. */
export async function openStore(name: string, config: StoreConfig): Promise<Store> {
  if (config.type === 'file') return new FileStore(name, config.path, config.bandwidth);
  // The library for buckets is a large part of a command's start: whoever has none does not load it.
  const { S3Store } = await import('./s3-store.ts');
  return new S3Store(name, config);
}

/** What `setup` may make before a vault: the directory of a file store (0700). A bucket is never made. */
export async function prepareStore(config: StoreConfig): Promise<void> {
  if (config.type === 'file') await makeDirectoryDurably(config.path);
}
