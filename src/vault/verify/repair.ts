// Repair of one copy: good bytes of another one where its own are missing or damaged; see `Vault.repair`.

import type { ComponentId } from '../../domain/component.ts';
import type { RepairedObject, RepairReport, UnrepairedObject } from '../../domain/integrity.ts';
import { type Moment, momentFromDate } from '../../domain/moment.ts';
import { fail, HoldfastError, isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import type { PutOptions } from '../../stores/store.ts';
import type { Copy } from '../copies.ts';
import { sealContext, type VaultCore } from '../core.ts';
import { KEY_BYTES } from '../crypto.ts';
import type { Generation } from '../generation.ts';
import { openIndex } from '../index-object.ts';
import { isKeptKey, isPackKey } from '../layout.ts';
import { openManifest, sha256Of } from '../manifest.ts';
import type { PackContext } from '../pack.ts';
import { failWithWorst, requireWhole } from '../replicate.ts';
import { namedIn, namedOn, requireNotNamed } from '../retention/named.ts';
import { objectTypes, unseal } from '../sealed.ts';
import { componentsOn } from '../snapshots.ts';
import type { RepairRequest } from '../types.ts';
import { getThrough } from '../versions.ts';
import { JobThreads } from '../workers/job-threads.ts';
import { Closer } from './closer.ts';
import type { Need } from './needs.ts';
import { putProof, seenObjects } from './proofs.ts';
import { survey } from './survey.ts';

/** Behind the keys; a manifest last, when everything that it names is there. */
const ORDER: readonly Need['kind'][] = ['pack', 'index', 'segment', 'extent', 'manifest'];

export async function repair(core: VaultCore, request: RepairRequest): Promise<RepairReport> {
  const target = await core.copies.require(request.copy);
  const sources = (await core.copies.ready()).filter((copy) => copy !== target);
  if (sources.length === 0) fail('POLICY_UNMET', `no other copy answers that '${request.copy}' could be repaired from`);
  const threads = new JobThreads();
  try {
    const work = new Repair(core, target, sources, request, threads);
    for (const component of request.components ?? (await componentsOn(target))) await work.component(component);
    return work.report;
  } finally {
    await threads.close();
  }
}

class Repair {
  readonly #core: VaultCore;
  readonly #target: Copy;
  readonly #sources: readonly Copy[];
  readonly #request: RepairRequest;
  readonly #threads: JobThreads;
  /** Each with memory of its own that goes round. */
  readonly #closers = new Map<Copy, Closer>();
  readonly #at: Moment = momentFromDate(new Date());
  readonly #repaired: RepairedObject[] = [];
  readonly #unrepaired: UnrepairedObject[] = [];
  #good = 0;
  #bytes = 0;

  constructor(core: VaultCore, target: Copy, sources: readonly Copy[], request: RepairRequest, threads: JobThreads) {
    this.#core = core;
    this.#target = target;
    this.#sources = sources;
    this.#request = request;
    this.#threads = threads;
  }

  get report(): RepairReport {
    const { name } = this.#target.description;
    return { copy: name, repaired: this.#repaired, unrepaired: this.#unrepaired, good: this.#good };
  }

  async component(component: ComponentId): Promise<void> {
    const mended: string[] = [];
    const mend = async (needs: readonly Need[]) => {
      for (const need of needs) {
        this.#request.signal?.throwIfAborted();
        if (await this.#one(component, need)) mended.push(need.key);
        this.#request.onProgress?.({ objects: this.#repaired.length, bytes: this.#bytes });
      }
    };
    const first = await this.#suspects(component);
    const keys = first.filter(({ kind }) => kind === 'key');
    await mend(keys);
    // With its key, more can be said of a generation.
    const rest = keys.length === 0 ? first : await this.#suspects(component);
    for (const each of ORDER) await mend(rest.filter(({ kind }) => kind === each));
    await this.#prove(component, mended);
  }

  /** What a listing shows now, and what was last seen damaged or missing. */
  async #suspects(component: ComponentId): Promise<Need[]> {
    const { needs, manifests } = await survey(this.#core, this.#target, component, []);
    const seen = await seenObjects(this.#core, component, this.#target.description.name, undefined);
    // What is to be deleted is not brought back.
    const named = await namedOn(this.#core, [this.#target, ...this.#sources]);
    const doomed = new Set(
      manifests.filter((each) => namedIn(named, each) !== undefined).map(({ header }) => header.id),
    );
    const kept = new Set(
      [...needs.snapshots.keys()].filter((id) => !doomed.has(id as never)).flatMap((id) => needs.of(id)),
    );
    return needs.all.filter((need) => {
      const isSuspect = need.error !== undefined || (seen.get(need.key)?.[0]?.state ?? 'good') !== 'good';
      return isSuspect && (kept.has(need) || need.what.kind === 'log') && !named.has(need.key);
    });
  }

  /** True when it is good now. */
  async #one(component: ComponentId, need: Need): Promise<boolean> {
    let was: UnrepairedObject['was'] = 'not checked';
    try {
      if (need.what.kind === 'gap') throw need.error ?? new HoldfastError('LOG_HOLE', need.key);
      const { bytes, from } = await this.#goodBytes(need);
      const now = await this.#stateNow(need);
      if (now === 'good') this.#good += 1;
      else {
        was = now;
        if (need.what.kind === 'manifest') await this.#requireWhole(component, need.key, bytes);
        await this.#put(need, bytes, now);
        this.#repaired.push({ key: need.key, kind: need.kind, was: now, from: from.description.name });
        this.#bytes += bytes.length;
      }
      return true;
    } catch (cause) {
      this.#request.signal?.throwIfAborted();
      this.#unrepaired.push({ key: need.key, kind: need.kind, was, error: toHoldfastError(cause).toJSON() });
      return false;
    }
  }

  /** Throws what says most when no other copy has it good. */
  async #goodBytes(need: Need): Promise<{ bytes: Buffer; from: Copy }> {
    const errors: HoldfastError[] = [];
    for (const from of this.#sources) {
      try {
        const verify = (bytes: Buffer) => this.#check(need, bytes, from);
        return { bytes: await getThrough(from.store, need.key, verify, this.#options), from };
      } catch (cause) {
        this.#request.signal?.throwIfAborted();
        errors.push(toHoldfastError(cause));
      }
    }
    return failWithWorst(need.key, errors);
  }

  /** Of the target's current bytes, whatever lies below them. Throws when it cannot be asked. */
  async #stateNow(need: Need): Promise<'good' | 'damaged' | 'missing'> {
    try {
      await this.#check(need, await this.#target.store.get(need.key, undefined, this.#options), this.#target);
      return 'good';
    } catch (cause) {
      if (isHoldfastError(cause, 'OBJECT_MISSING')) return 'missing';
      if (isHoldfastError(cause, 'OBJECT_DAMAGED', 'VAULT_FORMAT')) return 'damaged';
      throw cause;
    }
  }

  /** Throws `OBJECT_DAMAGED` unless the bytes are what belongs under the key. */
  async #check(need: Need, bytes: Buffer, copy: Copy): Promise<void> {
    const { key, what } = need;
    const context = (type: 'generationKey' | 'segment' | 'extent') => sealContext(this.#core, objectTypes[type], key);
    if (what.kind === 'pack') await this.#closer(copy).inspect(key, what.sha256, Buffer.from(bytes), what.generation);
    else if (what.kind === 'index') await openIndex(contextOf(key, what.generation), key, bytes);
    else if (what.kind === 'manifest') await openManifest(this.#core, key, bytes);
    else if (what.kind === 'key') {
      const { body } = await unseal(context('generationKey'), bytes);
      if (body.length !== KEY_BYTES) fail('OBJECT_DAMAGED', `'${key}' is not a key`);
    } else if (what.kind === 'log') {
      const { header, body } = await unseal(context(what.object.kind), bytes);
      if ((header as { sha256?: unknown }).sha256 !== sha256Of(body)) fail('OBJECT_DAMAGED', `'${key}' is other log`);
    }
  }

  #closer(copy: Copy): Closer {
    const known =
      this.#closers.get(copy) ?? new Closer(this.#core, copy, 'decrypted', this.#threads, this.#request.signal);
    this.#closers.set(copy, known);
    return known;
  }

  /** A snapshot exists from its manifest on: everything else is there before. */
  async #requireWhole(component: ComponentId, key: string, bytes: Buffer): Promise<void> {
    const manifest = await openManifest(this.#core, key, bytes);
    await requireWhole(this.#core, component, manifest.body, this.#target);
    await requireNotNamed(this.#core, [this.#target, ...this.#sources], manifest);
  }

  /** What is missing is put only where nothing is; what is damaged is replaced, or superseded where the store keeps versions. */
  async #put(need: Need, bytes: Buffer, was: 'damaged' | 'missing'): Promise<void> {
    const how = { ifAbsent: was === 'missing', bulk: isPackKey(need.key), keep: isKeptKey(need.key) };
    const options: PutOptions = { ...this.#options, ...how };
    try {
      await this.#target.store.put(need.key, bytes, options);
    } catch (cause) {
      if (!isHoldfastError(cause, 'OBJECT_EXISTS')) throw cause;
    }
    await this.#check(need, await this.#target.store.get(need.key, undefined, this.#options), this.#target);
  }

  /** The next verification need not take an old finding for true; how closely its own look must be is its own affair. */
  async #prove(component: ComponentId, keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const { run, copy } = this.#request;
    const objects = keys.map((key) => [key, 'good'] as const);
    await putProof(this.#core, { component, copy, level: 'decrypted', at: this.#at, run, snapshots: [], objects });
  }

  get #options(): { signal?: AbortSignal } {
    return this.#request.signal ? { signal: this.#request.signal } : {};
  }
}

function contextOf(key: string, generation: Generation | undefined): PackContext {
  return (
    generation?.context ?? fail('OBJECT_MISSING', `'${key}' cannot be opened: the key of its generation is not there`)
  );
}
