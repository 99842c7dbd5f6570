// The places that the copies of a modelled vault lie on: directories or memory, taken away, emptied, and put back to an older state.

import { cp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FileStore } from '../../../src/stores/file-store.ts';
import type { Store } from '../../../src/stores/store.ts';
import { MemoryDisk, MemoryStore } from '../memory-store.ts';

export const COPIES = ['local', 'eu', 'us'] as const;
export type CopyName = (typeof COPIES)[number];
/** The one that keeps versions, where there is one. */
const VERSIONED: CopyName = 'eu';

export interface Place {
  readonly store: Store;
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  /** Another disk in its place. */
  empty(): Promise<void>;
  /** Keeps its state of now, instead of the one that was kept before. */
  remember(): Promise<void>;
  /** To the state that it remembers. */
  putBack(): Promise<void>;
  /** Hides what is under a key, as somebody who may not delete its versions. Only on a place that keeps versions. */
  readonly cover?: (key: string) => void;
}

export function memoryPlace(name: CopyName): Place {
  const store = new MemoryStore(name, { isVersioned: name === VERSIONED });
  let away: MemoryDisk | undefined;
  let remembered = new MemoryDisk();
  return {
    store,
    async goAway() {
      away = store.disk;
      store.disk = undefined;
    },
    async comeBack() {
      store.disk = away;
    },
    async empty() {
      store.disk = new MemoryDisk();
    },
    async remember() {
      remembered = new MemoryDisk(store.disk);
    },
    async putBack() {
      store.disk = new MemoryDisk(remembered);
    },
    ...(store.isVersioned ? { cover: (key: string) => store.cover(key) } : {}),
  };
}

/** The directory itself stays the same one: another is no copy that a store goes on with. */
export function directoryPlace(name: CopyName, path: string): Place {
  const replace = async (like?: string) => {
    for (const each of await readdir(path)) await rm(join(path, each), { recursive: true });
    if (like !== undefined) await cp(like, path, { recursive: true });
  };
  return {
    store: new FileStore(name, path),
    goAway: () => rename(path, `${path}.away`),
    comeBack: () => rename(`${path}.away`, path),
    empty: () => replace(),
    async remember() {
      await rm(`${path}.old`, { recursive: true, force: true });
      await cp(path, `${path}.old`, { recursive: true });
    },
    putBack: () => replace(`${path}.old`),
  };
}
