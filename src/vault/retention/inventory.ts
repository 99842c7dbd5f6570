// What one copy holds, in one listing: manifests and log by key, generations by number and size, and all bytes together.

import type { ComponentId } from '../../domain/component.ts';
import { componentKinds } from '../../domain/component.ts';
import { fail } from '../../errors/index.ts';
import type { ObjectInfo } from '../../stores/store.ts';
import type { Copy } from '../copies.ts';
import { type LogName, parseGeneration, parseLogName, parseManifestKey } from '../layout.ts';

export interface GenerationHoldings {
  objects: number;
  bytes: number;
  /** Newest object, by the store's clock. */
  newestStoredAt: Date;
}

export interface HeldLog {
  readonly key: string;
  readonly sizeBytes: number;
  readonly name: LogName;
}

export interface ComponentInventory {
  /** Size by key. */
  readonly manifests: Map<string, number>;
  /** By path. */
  readonly generations: Map<string, GenerationHoldings>;
  /** By system id. */
  readonly log: Map<string, HeldLog[]>;
  /** The first key below `snapshots/` that is no manifest: something is there that this program does not know. */
  stranger?: string;
}

export interface CopyInventory {
  readonly copy: Copy;
  readonly objects: number;
  readonly bytes: number;
  readonly components: ReadonlyMap<ComponentId, ComponentInventory>;
}

export async function readInventory(copy: Copy): Promise<CopyInventory> {
  const components = new Map<ComponentId, ComponentInventory>();
  let objects = 0;
  let bytes = 0;
  for await (const info of copy.store.list('')) {
    objects++;
    bytes += info.sizeBytes;
    const [kind = '', name = '', part = ''] = info.key.split('/', 3);
    if (!componentKinds.some((known) => known === kind)) continue;
    const component = `${kind}/${name}` as ComponentId;
    const inventory = components.get(component) ?? { manifests: new Map(), generations: new Map(), log: new Map() };
    components.set(component, inventory);
    note(inventory, part, info);
  }
  return { copy, objects, bytes, components };
}

function note(inventory: ComponentInventory, part: string, info: ObjectInfo): void {
  const { key, sizeBytes } = info;
  const parts = key.split('/');
  if (part === 'snapshots') {
    if (parseManifestKey(key) === undefined) inventory.stranger ??= key;
    else inventory.manifests.set(key, sizeBytes);
  } else if (part === 'generations') noteGeneration(inventory, parts.slice(0, 4).join('/'), info);
  else if (part === 'log') {
    const system = parts[3] ?? '';
    const name = parseLogName(parts.slice(4).join('/'));
    if (name === undefined) return;
    const held = inventory.log.get(system);
    if (held === undefined) inventory.log.set(system, [{ key, sizeBytes, name }]);
    else held.push({ key, sizeBytes, name });
  }
}

function noteGeneration({ generations }: ComponentInventory, path: string, { sizeBytes, storedAt }: ObjectInfo): void {
  if (parseGeneration(path.split('/')[3] ?? '') === undefined) return;
  const held = generations.get(path);
  if (held === undefined) generations.set(path, { objects: 1, bytes: sizeBytes, newestStoredAt: storedAt });
  else {
    held.objects++;
    held.bytes += sizeBytes;
    if (storedAt > held.newestStoredAt) held.newestStoredAt = storedAt;
  }
}

/** Throws `RETENTION_DOUBT`: what is not understood may be what names everything else. */
export function requireNoStranger({ copy, components }: CopyInventory, component: ComponentId): void {
  const stranger = components.get(component)?.stranger;
  if (stranger === undefined) return;
  fail('RETENTION_DOUBT', `'${stranger}' on '${copy.description.name}' lies among the manifests and is none`);
}
