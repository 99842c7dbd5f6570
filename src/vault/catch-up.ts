// Catch-up: brings one copy to what the others hold, by comparing listings, verifying every object on the way.

import type { ComponentId } from '../domain/component.ts';
import { fail, type HoldfastError, isHoldfastError } from '../errors/index.ts';
import { manifestKeys } from './commit.ts';
import type { Copy } from './copies.ts';
import { forEachLimited, getSealed, listAll, putSame, sealContext, type VaultCore } from './core.ts';
import { type Holdings, holdingsOf } from './generation.ts';
import {
  generationPath,
  HOLDS_PREFIX,
  type LogName,
  logsPrefix,
  PROOFS_PREFIX,
  packKeyOf,
  parseLogName,
  RUNS_PREFIX,
  TOMBSTONES_PREFIX,
} from './layout.ts';
import { VaultLogCopy } from './log-copy.ts';
import { type Manifest, openManifest } from './manifest.ts';
import {
  fill,
  lackingOn,
  openVerified,
  readVerified,
  replicateObject,
  replicateSnapshot,
  type Transfer,
} from './replicate.ts';
import { logOf, requireLog } from './require-log.ts';
import { namedIn, namedOn, requireNotNamed } from './retention/named.ts';
import { objectTypes, unseal } from './sealed.ts';
import { alignSlots, type SlotSurvey, surveySlots } from './slot-survey.ts';
import { componentsOn } from './snapshots.ts';
import type { CatchUpProgress } from './types.ts';

const WIDTH = 4;

export interface CatchUpOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: CatchUpProgress) => void;
}

/**
 * Holds and tombstones, key slots, log, snapshots in the order of their numbers (packs and indexes, confirmed, then the manifest), records, proofs. What cannot be copied is
 * left out and the rest goes on; the first such error is thrown at the end. Throws `POLICY_UNMET` when no other copy answers.
 */
export async function catchUp(core: VaultCore, name: string, options: CatchUpOptions = {}): Promise<CatchUpProgress> {
  const target = await core.copies.require(name);
  const sources = (await core.copies.ready()).filter((copy) => copy !== target);
  if (sources.length === 0) fail('POLICY_UNMET', `no other copy answers that '${name}' could catch up from`);
  return new CatchUp(core, target, sources, options).run();
}

class CatchUp {
  readonly #core: VaultCore;
  readonly #options: CatchUpOptions;
  readonly #transfer: Transfer;
  /** What tombstones name. */
  #named: ReadonlySet<string> = new Set();
  #planned = 0;
  #objects = 0;
  #bytes = 0;
  #failure: HoldfastError | undefined;

  constructor(core: VaultCore, target: Copy, sources: readonly Copy[], options: CatchUpOptions) {
    this.#core = core;
    this.#options = options;
    const onObject = (sizeBytes: number) => {
      this.#objects++;
      this.#bytes += sizeBytes;
      options.onProgress?.(this.#progress);
    };
    this.#transfer = { sources, target, onObject, signal: options.signal };
  }

  async run(): Promise<CatchUpProgress> {
    await this.#copyRetention();
    this.#named = await this.#readNamed();
    const components = await this.#components();
    const slots = await surveySlots(this.#core, [this.#transfer.target, ...this.#transfer.sources]);
    const logs = (await Promise.all(components.map((component) => this.#missingLog(component)))).flat();
    const manifests = (await Promise.all(components.map((component) => this.#manifests(component)))).flat();
    const records = await this.#missing(RUNS_PREFIX);
    const proofs = await this.#missing(PROOFS_PREFIX);
    this.#planned =
      slots.lackedBy(this.#transfer.target).length +
      logs.length +
      records.length +
      proofs.length +
      (await this.#missingParts(manifests));
    await this.#try(() => this.#alignSlots(slots));
    await forEachLimited(logs, WIDTH, ({ key, name }) => this.#copyLog(key, name));
    for (const each of manifests) await this.#try(() => this.#copySnapshot(each));
    await forEachLimited(records, WIDTH, (key) =>
      this.#copy(key, (bytes) => unseal(sealContext(this.#core, objectTypes.record, key), bytes)),
    );
    await forEachLimited(proofs, WIDTH, (key) =>
      this.#copy(key, (bytes) => unseal(sealContext(this.#core, objectTypes.proof, key), bytes)),
    );
    if (this.#failure) throw this.#failure;
    return { ...this.#progress, remaining: 0 };
  }

  /** Before anything else, so that what is to be deleted is brought to no copy: without them nothing is copied. */
  async #copyRetention(): Promise<void> {
    for (const key of [...(await this.#missing(HOLDS_PREFIX)), ...(await this.#missing(TOMBSTONES_PREFIX))]) {
      const type = key.startsWith(HOLDS_PREFIX) ? objectTypes.hold : objectTypes.tombstone;
      const context = sealContext(this.#core, type, key);
      try {
        await replicateObject(this.#core, this.#transfer, key, (bytes) => unseal(context, bytes));
      } catch (error) {
        // Nobody with the key wrote it, so nobody will act on it either; or it ended between the listing and now.
        if (!isHoldfastError(error, 'OBJECT_DAMAGED', 'VAULT_FORMAT', 'OBJECT_MISSING')) throw error;
        this.#failure ??= this.#core.copies.failed(this.#transfer.target, error);
      }
    }
  }

  #readNamed(): Promise<ReadonlySet<string>> {
    return namedOn(this.#core, [this.#transfer.target, ...this.#transfer.sources]);
  }

  get #progress(): CatchUpProgress {
    const remaining = Math.max(0, this.#planned - this.#objects);
    return { objects: this.#objects, bytes: this.#bytes, remaining };
  }

  async #components(): Promise<ComponentId[]> {
    const found = await Promise.all(this.#transfer.sources.map(componentsOn));
    return [...new Set(found.flat())].sort();
  }

  /** Slots that were added or removed while the copy was away; none that it alone still has comes back to life. */
  async #alignSlots(survey: SlotSurvey): Promise<void> {
    const { target, onObject } = this.#transfer;
    const away = survey.away.get(target);
    if (away) throw away;
    for (const { bytes } of survey.lackedBy(target)) onObject?.(bytes.length);
    const { denied } = await alignSlots(survey, target);
    // Whoever may not delete can still bring everything else; `keys list` shows what is left.
    if (denied) this.#core.logger.warn({ copy: target.description.name, code: denied.code }, denied.message);
  }

  /** Keys that some source has and the target lacks. */
  async #missing(prefix: string): Promise<string[]> {
    const has = new Set((await listAll(this.#transfer.target.store, prefix)).map(({ key }) => key));
    const keys = new Set<string>();
    for (const source of this.#transfer.sources) {
      for (const { key } of await listAll(source.store, prefix)) if (!has.has(key)) keys.add(key);
    }
    return [...keys].sort();
  }

  /** Extents of a segment that is closed anywhere say nothing more, and neither does a mark with a newer one on the target. */
  async #missingLog(component: ComponentId): Promise<{ key: string; name: LogName }[]> {
    const prefix = logsPrefix(component);
    const missing = (await this.#missing(prefix)).flatMap((key) => {
      const name = parseLogName(key.slice(prefix.length).replace(/^[^/]*\//, ''));
      return name && !this.#named.has(key) ? [{ key, name }] : [];
    });
    const present = new Set((await listAll(this.#transfer.target.store, prefix)).map(({ key }) => key));
    for (const { key } of missing) present.add(key);
    const place = (key: string) => key.slice(0, key.lastIndexOf('.'));
    const newestMark = new Map<string, string>();
    for (const key of present) {
      if (!key.includes('/mark.')) continue;
      if (key > (newestMark.get(place(key)) ?? '')) newestMark.set(place(key), key);
    }
    return missing.filter(({ key, name }) => {
      if (name.kind === 'extent') return !present.has(place(key));
      return name.kind !== 'mark' || newestMark.get(place(key)) === key;
    });
  }

  async #manifests(component: ComponentId): Promise<{ key: string; present: boolean }[]> {
    const has = new Set(await manifestKeys(this.#transfer.target, component));
    const keys = new Set<string>();
    for (const source of this.#transfer.sources) for (const key of await manifestKeys(source, component)) keys.add(key);
    // What is named may be gone by the time that it is read.
    const wanted = [...keys].filter((key) => !this.#named.has(key));
    return wanted.sort().map((key) => ({ key, present: has.has(key) }));
  }

  /** Number of objects that snapshots lack, for the progress. */
  async #missingParts(manifests: readonly { key: string; present: boolean }[]): Promise<number> {
    const parts = new Set<string>();
    const holdings = new Map<string, Holdings>();
    for (const each of manifests) {
      await this.#try(async () => {
        const manifest = await this.#manifest(each.key);
        if (namedIn(this.#named, manifest) !== undefined) return;
        const { header, body } = manifest;
        for (const { generation } of body.parts) {
          const path = generationPath(header.component, generation);
          if (!holdings.has(path)) holdings.set(path, await holdingsOf(this.#transfer.target.store, path));
        }
        const lacks = await lackingOn(this.#transfer.target, header.component, body, holdings);
        for (const { generation, packs, indexes } of lacks.parts) {
          const path = generationPath(header.component, generation);
          for (const [sha256] of packs) parts.add(packKeyOf(path, sha256));
          for (const key of indexes) parts.add(key);
        }
        if (!each.present) parts.add(each.key);
      });
    }
    return parts.size;
  }

  async #manifest(key: string): Promise<Manifest> {
    const open = (bytes: Buffer) => openManifest(this.#core, key, bytes);
    return openVerified(this.#core, this.#transfer.sources, key, open, this.#options.signal);
  }

  /** Also brings back packs that a snapshot of the target lost. */
  async #copySnapshot({ key, present }: { key: string; present: boolean }): Promise<void> {
    const manifest = await this.#manifest(key);
    if (namedIn(this.#named, manifest) !== undefined) return;
    if (!present) return replicateSnapshot(this.#core, manifest, this.#transfer, () => this.#requireLog(manifest));
    const { header, body } = manifest;
    const lacks = await lackingOn(this.#transfer.target, header.component, body);
    await fill(this.#core, header.component, this.#transfer, lacks);
  }

  /** Log that could not be copied, or came after it was listed: the manifest waits for the next catch-up. */
  async #requireLog(manifest: Manifest): Promise<void> {
    // Hours may have passed since the tombstones were read, and this is the last look before the manifest is put.
    await requireNotNamed(this.#core, [this.#transfer.target, ...this.#transfer.sources], manifest);
    const { header } = manifest;
    const needs = logOf(header);
    if (needs === undefined) return;
    const log = new VaultLogCopy(this.#core, header.component, needs.systemId, this.#transfer.target);
    await requireLog(log, needs.timeline, needs.startLsn, needs.stopLsn);
  }

  async #copyLog(key: string, { kind }: LogName): Promise<void> {
    const context = sealContext(this.#core, objectTypes[kind], key);
    await this.#try(async () => {
      try {
        await replicateObject(this.#core, this.#transfer, key, (bytes) => unseal(context, bytes));
      } catch (error) {
        // Superseded and deleted since it was listed; what supersedes it comes with the next catch-up.
        if (isHoldfastError(error, 'OBJECT_MISSING') && (kind === 'extent' || kind === 'mark')) return;
        if (!isHoldfastError(error, 'OBJECT_EXISTS')) throw error;
        await this.#requireSameLog(key, kind);
      }
    });
  }

  /** The target got its own in the meantime: sealed separately, so its bytes differ, but it must hold the same log. */
  async #requireSameLog(key: string, kind: LogName['kind']): Promise<void> {
    const context = sealContext(this.#core, objectTypes[kind], key);
    const a = await openVerified(this.#core, this.#transfer.sources, key, (bytes) => unseal(context, bytes));
    const b = await getSealed(this.#transfer.target.store, context);
    if (!a.body.equals(b.body))
      fail('OBJECT_EXISTS', `'${key}' holds other log on '${this.#transfer.target.description.name}'`);
  }

  async #copy(key: string, verify: (bytes: Buffer) => Promise<unknown>): Promise<void> {
    await this.#try(async () => {
      const bytes = await readVerified(this.#core, this.#transfer.sources, key, verify, this.#options.signal);
      await putSame(this.#transfer.target.store, key, bytes);
      this.#transfer.onObject?.(bytes.length);
    });
  }

  async #try(work: () => Promise<void>): Promise<void> {
    this.#options.signal?.throwIfAborted();
    try {
      await work();
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      this.#failure ??= this.#core.copies.failed(this.#transfer.target, error);
    }
  }
}
