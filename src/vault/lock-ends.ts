// Until when an object is locked on a copy that locks, told by its key alone (docs/vault-format.md, section 15).

import { type ComponentId, type ComponentKind, parseComponentId } from '../domain/component.ts';
import { isKeptKey, parseGeneration, parseManifestKey, timeOfSnapshot } from './layout.ts';

/** A lock that would end within this says nothing any more, and a store whose clock is ahead would refuse it. */
const NEARLY_OVER_MS = 300_000;

export interface LockTimes {
  /** How long a snapshot is locked there. */
  readonly forMs: number;
  /** How long snapshots share packs. */
  readonly generationMs: Readonly<Record<ComponentKind, number>>;
}

/** `undefined`: not locked, because it is not kept, or its time is over. */
export function lockEnd(key: string, { forMs, generationMs }: LockTimes, nowMs = Date.now()): Date | undefined {
  if (!isKeptKey(key)) return undefined;
  const endMs = (beginsMs(key, generationMs) ?? nowMs) + forMs;
  return endMs - nowMs < Math.min(NEARLY_OVER_MS, forMs / 2) ? undefined : new Date(endMs);
}

/**
 * From when the time counts: for a snapshot from when it began, for what it shares from the last moment at which another one can begin to share
 * it. So every snapshot's packs outlive its own lock, whenever and wherever they are stored. `undefined`: from when it is stored.
 */
function beginsMs(key: string, generationMs: LockTimes['generationMs']): number | undefined {
  const manifest = parseManifestKey(key);
  if (manifest !== undefined) return timeOfSnapshot(manifest.id);
  const [kind, name, part, generation = ''] = key.split('/');
  if (part !== 'generations') return undefined;
  const parsed = parseGeneration(generation);
  const component = parseComponentId(`${kind}/${name}` as ComponentId);
  return parsed && parsed.startMs + generationMs[component.kind];
}
