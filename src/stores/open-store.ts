// From the configuration's description of a store to the store.

import type { Bandwidth } from './bandwidth.ts';
import { FileStore, makeDirectoryDurably } from './file-store.ts';
import type { S3StoreOptions } from './s3-client.ts';
import { S3Store } from './s3-store.ts';
import type { Store } from './store.ts';

export type StoreConfig =
  | { readonly type: 'file'; readonly path: string; readonly bandwidth?: Bandwidth }
  | ({ readonly type: 's3' } & S3StoreOptions);

/** Opens nothing yet: the first call finds out whether the store is there. `name`: the copy's. */
export function openStore(name: string, config: StoreConfig): Store {
  return config.type === 'file' ? new FileStore(name, config.path, config.bandwidth) : new S3Store(name, config);
}

/** What `setup` may make before a vault: the directory of a file store (0700). A bucket is never made. */
export async function prepareStore(config: StoreConfig): Promise<void> {
  if (config.type === 'file') await makeDirectoryDurably(config.path);
}
