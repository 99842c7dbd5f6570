// Where the bytes of a pack can be had: the copies in order, those that failed last, then older versions that a store still has.

import { type HoldfastError, isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import type { SourcePack, SourceParts } from '../chunk-source.ts';
import type { Copy } from '../copies.ts';
import type { VaultCore } from '../core.ts';
import type { Elsewhere } from '../elsewhere.ts';
import { packKeyOf } from '../layout.ts';

/** One place to read a pack from. */
export interface Source {
  readonly copy: Copy;
  /** Id of an older version of the object; the current one without it. */
  readonly version?: string;
  /** For messages and as a key. */
  readonly name: string;
}

export class PackSources {
  readonly #core: VaultCore;
  readonly #packs: readonly SourcePack[];
  readonly #elsewhere: Elsewhere;
  readonly #signal: AbortSignal | undefined;
  readonly #current: readonly Source[];
  readonly #older = new Map<number, Promise<readonly Source[]>>();
  /** Of a source for one pack: how often it was wrong. */
  readonly #faults = new Map<string, number>();
  /** Copies that did not answer: each of their refusals takes as long as its retries, so they are asked last. */
  readonly #silent = new Set<Copy>();

  constructor({ core, packs, copies, elsewhere }: Omit<SourceParts, 'index'>, signal: AbortSignal | undefined) {
    this.#core = core;
    this.#packs = packs;
    this.#elsewhere = elsewhere;
    this.#signal = signal;
    this.#current = copies.map((copy) => ({ copy, name: copy.description.name }));
  }

  keyOf(pack: number): string {
    const { generation, sha256 } = this.#packs[pack] as SourcePack;
    return packKeyOf(generation.path, sha256);
  }

  /** The best source that was not tried; `undefined` when there is none left. */
  async next(pack: number, tried: ReadonlySet<string>): Promise<Source | undefined> {
    const rank = (source: Source) =>
      (this.#faults.get(`${source.name} ${pack}`) ?? 0) + (this.#silent.has(source.copy) ? 1000 : 0);
    const [best] = this.#current.filter(({ name }) => !tried.has(name)).sort((a, b) => rank(a) - rank(b));
    if (best) return best;
    return (await this.#olderOf(pack)).find(({ name }) => !tried.has(name));
  }

  /** Gives the error as ours. */
  failed(pack: number, source: Source, cause: unknown): HoldfastError {
    const error = toHoldfastError(cause);
    const place = `${source.name} ${pack}`;
    this.#faults.set(place, (this.#faults.get(place) ?? 0) + 1);
    this.#elsewhere.refused(source.copy, error);
    if (!isHoldfastError(error, 'OBJECT_MISSING', 'OBJECT_DAMAGED', 'VAULT_FORMAT')) this.#silent.add(source.copy);
    this.#core.logger.warn(
      { copy: source.name, key: this.keyOf(pack), code: error.code },
      `reading from another copy if there is one: ${error.message}`,
    );
    return error;
  }

  #olderOf(pack: number): Promise<readonly Source[]> {
    const known = this.#older.get(pack);
    if (known) return known;
    const asking = this.#askOlder(pack);
    this.#older.set(pack, asking);
    return asking;
  }

  /** What was stored first is ours: objects never change. */
  async #askOlder(pack: number): Promise<Source[]> {
    const sources: Source[] = [];
    for (const { copy } of this.#current) {
      try {
        const options = this.#signal ? { signal: this.#signal } : {};
        const versions = await copy.store.versions(this.keyOf(pack), options);
        for (const { id, isDeleteMarker } of [...versions].reverse()) {
          if (!isDeleteMarker) sources.push({ copy, version: id, name: `${copy.description.name} version ${id}` });
        }
      } catch (cause) {
        this.#signal?.throwIfAborted();
        this.#core.logger.warn({ copy: copy.description.name, key: this.keyOf(pack) }, toHoldfastError(cause).message);
      }
    }
    return sources;
  }
}
