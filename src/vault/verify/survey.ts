// First look at a copy: manifests opened, and everything that they need found in its listings, with its size.

import type { ComponentId } from '../../domain/component.ts';
import { lsnValue } from '../../domain/lsn.ts';
import { HoldfastError, isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import { manifestKeys } from '../commit.ts';
import type { Copy } from '../copies.ts';
import type { VaultCore } from '../core.ts';
import { type Generation, type Holdings, holdingsOf, openGeneration } from '../generation.ts';
import { dataKeyKey, generationPath, manifestKey, packKeyOf, parseManifestKey } from '../layout.ts';
import { VaultLogCopy } from '../log-copy.ts';
import { type Manifest, openManifest } from '../manifest.ts';
import { logOf, requireLog } from '../require-log.ts';
import type { LogListing, SnapshotOnCopies } from '../types.ts';
import { readThrough } from '../versions.ts';
import { type Need, Needs } from './needs.ts';

export interface Survey {
  readonly needs: Needs;
  /** Of snapshots whose manifest opens. */
  readonly manifests: readonly Manifest[];
}

/** `known`: the snapshots that any copy lists. Throws only what keeps the whole copy from being asked. */
export async function survey(
  core: VaultCore,
  copy: Copy,
  component: ComponentId,
  known: readonly SnapshotOnCopies[],
): Promise<Survey> {
  return new Surveyor(core, copy, component).run(known);
}

class Surveyor {
  readonly #core: VaultCore;
  readonly #copy: Copy;
  readonly #component: ComponentId;
  readonly #needs = new Needs();
  readonly #generations = new Map<string, { generation: Generation | undefined; holdings: Holdings }>();
  readonly #logs = new Map<string, { log: VaultLogCopy; listing: LogListing }>();

  constructor(core: VaultCore, copy: Copy, component: ComponentId) {
    this.#core = core;
    this.#copy = copy;
    this.#component = component;
  }

  async run(known: readonly SnapshotOnCopies[]): Promise<Survey> {
    const keys = await manifestKeys(this.#copy, this.#component);
    const manifests: Manifest[] = [];
    for (const key of keys.reverse()) {
      const manifest = await this.#manifest(key);
      if (!manifest) continue;
      manifests.push(manifest);
      await this.#parts(manifest);
      await this.#log(manifest);
    }
    this.#absent(known, new Set(keys));
    return { needs: this.#needs, manifests };
  }

  async #manifest(key: string): Promise<Manifest | undefined> {
    const { id } = parseManifestKey(key) as { id: string };
    const what: Need['what'] = { kind: 'manifest' };
    const need = this.#needs.add(id, { key, kind: 'manifest', sizeBytes: 0, what });
    try {
      const manifest = await readThrough(this.#copy.store, key, async (get) =>
        openManifest(this.#core, key, await get()),
      );
      need.state = 'good';
      what.manifest = manifest;
      return manifest;
    } catch (cause) {
      note(need, cause);
      return undefined;
    }
  }

  /** What another copy has and this one never got, or lost. */
  #absent(known: readonly SnapshotOnCopies[], present: ReadonlySet<string>): void {
    for (const { id, sequence } of known) {
      const key = manifestKey(this.#component, sequence, id);
      if (present.has(key)) continue;
      const error = new HoldfastError('OBJECT_MISSING', `snapshot '${id}' is not on '${this.#copy.description.name}'`, {
        hint: '`holdfast copies catch-up` brings it',
      });
      this.#needs.add(id, { key, kind: 'manifest', sizeBytes: 0, what: { kind: 'manifest' }, state: 'missing', error });
    }
  }

  async #parts({ header, body }: Manifest): Promise<void> {
    for (const { generation: name, packs, indexes } of body.parts) {
      const path = generationPath(this.#component, name);
      const { generation, holdings } = await this.#generation(header.id, name);
      this.#needs.add(header.id, { key: dataKeyKey(path), kind: 'key', sizeBytes: 0, what: { kind: 'key' } });
      for (const [sha256, sizeBytes] of packs) {
        const what = { kind: 'pack', generation, sha256 } as const;
        const need = this.#needs.add(header.id, { key: packKeyOf(path, sha256), kind: 'pack', sizeBytes, what });
        this.#listed(need, holdings.packs.get(sha256), sizeBytes);
      }
      for (const key of indexes) {
        const what = { kind: 'index', generation } as const;
        const sizeBytes = holdings.indexes.get(key);
        const need = this.#needs.add(header.id, { key, kind: 'index', sizeBytes: sizeBytes ?? 0, what });
        this.#listed(need, sizeBytes, sizeBytes ?? 0);
      }
    }
  }

  async #generation(snapshot: string, name: string) {
    const known = this.#generations.get(name);
    if (known) return known;
    const path = generationPath(this.#component, name);
    const need = this.#needs.add(snapshot, { key: dataKeyKey(path), kind: 'key', sizeBytes: 0, what: { kind: 'key' } });
    let generation: Generation | undefined;
    try {
      generation = await openGeneration(this.#core, this.#component, name, [this.#copy]);
      need.state = 'good';
    } catch (cause) {
      note(need, cause);
    }
    const found = { generation, holdings: await holdingsOf(this.#copy.store, path) };
    this.#generations.set(name, found);
    return found;
  }

  #listed(need: Need, found: number | undefined, expected: number): void {
    if (need.error) return;
    if (found === expected) need.state = 'good';
    else {
      const { name } = this.#copy.description;
      const error =
        found === undefined
          ? new HoldfastError('OBJECT_MISSING', `'${need.key}' is not on '${name}'`)
          : new HoldfastError('OBJECT_DAMAGED', `'${need.key}' on '${name}' has ${found} bytes, expected ${expected}`);
      note(need, error);
    }
  }

  /** The stretch that the snapshot needs, without a gap; and with it every closed segment of that cluster. */
  async #log({ header, key }: Manifest): Promise<void> {
    const stretch = logOf(header);
    if (!stretch) return;
    try {
      const { log, listing } = await this.#listing(stretch.systemId);
      for (const object of listing.objects) {
        const isOurs =
          object.timeline === stretch.timeline &&
          lsnValue(object.fromLsn) < lsnValue(stretch.stopLsn) &&
          lsnValue(object.toLsn) > lsnValue(stretch.startLsn);
        if (!isOurs && object.kind !== 'segment') continue;
        const { kind, sizeBytes } = object;
        const what = { kind: 'log', log, object } as const;
        this.#needs.add(isOurs ? header.id : undefined, { key: object.key, kind, sizeBytes, what, state: 'good' });
      }
      await requireLog(log, stretch.timeline, stretch.startLsn, stretch.stopLsn);
    } catch (cause) {
      const error = toHoldfastError(cause);
      const gap = `${key} log`;
      const state = isHoldfastError(error, 'LOG_HOLE') ? 'missing' : 'not checked';
      this.#needs.add(header.id, { key: gap, kind: 'segment', sizeBytes: 0, what: { kind: 'gap' }, state, error });
    }
  }

  async #listing(systemId: string) {
    const known = this.#logs.get(systemId);
    if (known) return known;
    const log = new VaultLogCopy(this.#core, this.#component, systemId, this.#copy);
    const found = { log, listing: await log.list() };
    this.#logs.set(systemId, found);
    return found;
  }
}

/** Notes what went wrong with an object: what cannot be asked is not checked. */
export function note(need: Need, cause: unknown): void {
  const error: HoldfastError = toHoldfastError(cause);
  need.error = error;
  if (isHoldfastError(error, 'OBJECT_MISSING')) need.state = 'missing';
  else need.state = isHoldfastError(error, 'OBJECT_DAMAGED', 'VAULT_FORMAT') ? 'damaged' : 'not checked';
}
