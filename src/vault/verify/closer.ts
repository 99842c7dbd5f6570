// The closer look at one object: what the store attests, what its bytes hash to, and what is in them.

import { hash } from 'node:crypto';
import { type IntegrityLevel, isAtLeast } from '../../domain/integrity.ts';
import type { Verdict } from '../../domain/states.ts';
import { fail, HoldfastError } from '../../errors/index.ts';
import { Contents } from '../contents.ts';
import type { Copy } from '../copies.ts';
import type { VaultCore } from '../core.ts';
import type { Generation } from '../generation.ts';
import { openIndex } from '../index-object.ts';
import type { Manifest } from '../manifest.ts';
import { ReadBuffers } from '../read-buffers.ts';
import { sourceOf } from '../restore/place-plan.ts';
import type { SealContext } from '../sealed.ts';
import { openParts, readerOf } from '../snapshot-reader.ts';
import type { LogCopy, LogObject } from '../types.ts';
import { type ReadVersion, readThrough } from '../versions.ts';
import { type JobThreads, ThreadGone } from '../workers/job-threads.ts';
import type { ReadingSetup } from '../workers/jobs.ts';
import type { Need } from './needs.ts';

/** A thread that dies is replaced; what it was given is read again so often. */
const ATTEMPTS = 3;

async function withThreads(look: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await look();
      return;
    } catch (cause) {
      if (!(cause instanceof ThreadGone) || attempt === ATTEMPTS) throw cause;
    }
  }
}

export class Closer {
  readonly #core: VaultCore;
  readonly #copy: Copy;
  readonly #level: IntegrityLevel;
  readonly #threads: JobThreads;
  readonly #signal: AbortSignal | undefined;
  /** Of packs, by name, as index objects tell them. */
  readonly #indexes = new Map<string, Buffer>();
  readonly #buffers = new ReadBuffers();
  /** Digests of what was found good: snapshots between which nothing changed have one tree. */
  readonly #goodBodies = new Set<string>();

  constructor(
    core: VaultCore,
    copy: Copy,
    level: IntegrityLevel,
    threads: JobThreads,
    signal: AbortSignal | undefined,
  ) {
    this.#core = core;
    this.#copy = copy;
    this.#level = level;
    this.#threads = threads;
    this.#signal = signal;
  }

  /** Bytes that a look at it will read. */
  cost({ kind, sizeBytes, what }: Need): number {
    if (kind === 'pack') return isAtLeast(this.#level, 'hashed') ? sizeBytes : 0;
    if (what.kind === 'manifest') return this.#level === 'decrypted' ? (what.manifest?.body.treeBytes ?? 0) : 0;
    return what.kind === 'log' && !isAtLeast(this.#level, 'hashed') ? 0 : sizeBytes;
  }

  /** Whether there is more to see than the first look saw. */
  isNeeded({ what }: Need): boolean {
    if (this.#level === 'listed' || what.kind === 'key' || what.kind === 'gap') return false;
    return what.kind !== 'manifest' || this.#level === 'decrypted';
  }

  /** Throws what is wrong. `not checked`: what it must be compared with is missing. */
  async look(need: Need): Promise<Verdict> {
    const { what, key } = need;
    if (what.kind === 'pack') return await this.#pack(key, what.sha256, what.generation);
    if (what.kind === 'index' && !what.generation) return 'not checked';
    if (what.kind === 'index') await this.#index(key, what.generation as Generation);
    else if (what.kind === 'manifest') await this.#tree(what.manifest as Manifest);
    else if (what.kind === 'log' && isAtLeast(this.#level, 'hashed')) await this.#log(what.log, what.object);
    else if (what.kind === 'log') await what.log.readHeader(what.object);
    return 'good';
  }

  async #pack(key: string, sha256: string, generation: Generation | undefined): Promise<Verdict> {
    if (this.#level === 'attested') return await this.#attested(key, sha256);
    if (this.#level === 'decrypted' && !generation) return 'not checked';
    const options = { ...this.#options, into: this.#buffers.take };
    const inspect = async (get: ReadVersion) => this.inspect(key, sha256, await get(), generation);
    await withThreads(() => readThrough(this.#copy.store, key, inspect, options));
    return 'good';
  }

  async #log(log: LogCopy, object: LogObject): Promise<void> {
    const open = async (context: SealContext, given: Buffer) => {
      const [bytes, sizeBytes] = [this.#buffers.whole(given), given.length];
      const job = { kind: 'unseal', context, bytes, sizeBytes } as const;
      const { bytes: used, ...opened } = await this.#threads.run<'unseal'>(job, { transfer: [bytes] });
      this.#buffers.giveBack(used);
      return opened;
    };
    await withThreads(() => log.verify(object, { open, into: this.#buffers.take }));
  }

  async #attested(key: string, sha256: string): Promise<Verdict> {
    const info = await this.#copy.store.head(key, this.#options);
    if (!info) fail('OBJECT_MISSING', `'${key}' is not on '${this.#copy.description.name}'`);
    if (info.sha256 === undefined) {
      const message = `copy '${this.#copy.description.name}' keeps no checksums of its own, so it attests nothing`;
      fail('STORE_UNFIT', message, { hint: "the level 'hashed' reads every byte instead" });
    }
    if (info.sha256 === sha256) return 'good';
    // What lies over ours may be somebody else's; an older version is looked at by reading it.
    await readThrough(
      this.#copy.store,
      key,
      async (get) => this.inspect(key, sha256, await get(), undefined),
      this.#options,
    );
    return 'good';
  }

  /** `given` is gone afterwards. Throws `OBJECT_DAMAGED`, `ThreadGone`. */
  async inspect(key: string, sha256: string, given: Buffer, generation: Generation | undefined): Promise<void> {
    const what = `'${key}' on '${this.#copy.description.name}'`;
    const [bytes, sizeBytes] = [this.#buffers.whole(given), given.length];
    const index = this.#indexes.get(sha256);
    const isDeep = this.#level === 'decrypted' && generation;
    const { context } = generation ?? {};
    const content = isDeep &&
      context && { setup: this.#setup, path: context.path, dataKey: context.dataKey, ...(index && { index }) };
    const job = { kind: 'inspect', bytes, sizeBytes, sha256, what, ...(content && { content }) } as const;
    const { damage, bytes: used } = await this.#threads.run<'inspect'>(job, { transfer: [bytes] });
    this.#buffers.giveBack(used);
    if (damage !== undefined) throw new HoldfastError('OBJECT_DAMAGED', damage);
  }

  async #index(key: string, { context }: Generation): Promise<void> {
    const packs = await readThrough(
      this.#copy.store,
      key,
      async (get) => openIndex(context, key, await get()),
      this.#options,
    );
    if (this.#level !== 'decrypted') return;
    for (const { sha256, index } of packs) this.#indexes.set(sha256, index);
  }

  /** Every line of the tree, and every chunk of every file in the index, by this copy alone. */
  async #tree(manifest: Manifest): Promise<void> {
    const body = hash('sha256', JSON.stringify(manifest.body));
    if (this.#goodBodies.has(body)) return;
    const parts = await openParts(this.#core, manifest, [this.#copy]);
    const reader = readerOf(manifest, parts);
    try {
      const contents = new Contents();
      for await (const entry of reader.entries()) {
        this.#signal?.throwIfAborted();
        contents.add(entry);
        if (entry.type === 'file') sourceOf(parts.index, entry);
      }
      contents.require(manifest.header, `snapshot '${manifest.header.id}'`);
      this.#goodBodies.add(body);
    } finally {
      reader.close();
    }
  }

  get #setup(): ReadingSetup {
    const { idBytes, chunkId } = this.#core.keys;
    return { vaultId: idBytes, chunkIdKey: chunkId };
  }

  get #options(): { signal?: AbortSignal } {
    return this.#signal ? { signal: this.#signal } : {};
  }
}
