// Which index objects of a generation the manifests of committed snapshots name: only those manifests are read that can name one.

import type { ComponentId } from '../domain/component.ts';
import { type ErrorCode, toHoldfastError } from '../errors/index.ts';
import { manifestKeys } from './commit.ts';
import type { Copy } from './copies.ts';
import type { VaultCore } from './core.ts';
import type { Generation, Holdings } from './generation.ts';
import { indexWriter, parseManifestKey } from './layout.ts';
import { openManifest } from './manifest.ts';
import { readThrough } from './versions.ts';

/** One manifest that cannot be read must not hide the others: its packs then count as those of a killed attempt, looked at before they are used. */
const UNREADABLE: readonly ErrorCode[] = ['OBJECT_DAMAGED', 'OBJECT_MISSING', 'VAULT_FORMAT'];

interface Named {
  readonly generation: string;
  readonly indexes: readonly string[];
}

/** By manifest, what it names of its own generation, of each vault that is open in this process; a manifest never changes. */
const caches = new WeakMap<VaultCore, Map<string, Named>>();

/** For one snapshot that is being written. */
export class CommittedIndexes {
  readonly #core: VaultCore;
  readonly #component: ComponentId;
  readonly #silent = new Set<Copy>();
  #listed: Promise<Map<string, Copy[]>> | undefined;

  constructor(core: VaultCore, component: ComponentId) {
    this.#core = core;
    this.#component = component;
  }

  /**
   * An index object carries the id of the snapshot that stored it, so the manifests of those snapshots are enough, each read from one copy: what is
   * committed on any copy is committed. Copies that fail are noted; what only they know counts as not committed.
   */
  async of(generation: Generation, holdings: ReadonlyMap<Copy, Holdings>): Promise<ReadonlySet<string>> {
    const writers = new Set([...holdings.values()].flatMap(({ indexes }) => [...indexes.keys()].map(indexWriter)));
    this.#listed ??= this.#list([...holdings.keys()]);
    const committed = new Set<string>();
    for (const [key, holders] of await this.#listed) {
      if (!writers.has(parseManifestKey(key)?.id)) continue;
      const named = await this.#namedBy(key, holders);
      if (named?.generation === generation.name) for (const index of named.indexes) committed.add(index);
    }
    return committed;
  }

  /** Manifests by key, with the copies that list them. */
  async #list(copies: readonly Copy[]): Promise<Map<string, Copy[]>> {
    const holders = new Map<string, Copy[]>();
    for (const copy of copies) {
      try {
        for (const key of await manifestKeys(copy, this.#component)) {
          holders.set(key, [...(holders.get(key) ?? []), copy]);
        }
      } catch (error) {
        this.#core.copies.failed(copy, error);
      }
    }
    return holders;
  }

  async #namedBy(key: string, holders: readonly Copy[]): Promise<Named | undefined> {
    const cache = caches.get(this.#core) ?? new Map<string, Named>();
    caches.set(this.#core, cache);
    const known = cache.get(key);
    if (known) return known;
    for (const copy of holders.filter((each) => !this.#silent.has(each))) {
      try {
        const { header, body } = await readThrough(copy.store, key, async (get) =>
          openManifest(this.#core, key, await get()),
        );
        const named = { generation: header.generation, indexes: body.parts[0]?.indexes ?? [] };
        cache.set(key, named);
        return named;
      } catch (error) {
        const { code, message } = toHoldfastError(error);
        if (UNREADABLE.includes(code)) this.#core.logger.error({ copy: copy.description.name, key, code }, message);
        else {
          this.#core.copies.failed(copy, error);
          this.#silent.add(copy);
        }
      }
    }
    return undefined;
  }
}
