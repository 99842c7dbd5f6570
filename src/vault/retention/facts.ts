// What every copy together holds of one component, read so that nothing unknown passes for absent: manifests, generations, log.

import { setTimeout as sleep } from 'node:timers/promises';
import type { ComponentId } from '../../domain/component.ts';
import type { LoggedTimeline } from '../../domain/log-retention.ts';
import { type Lsn, lsnValue } from '../../domain/lsn.ts';
import type { Moment } from '../../domain/moment.ts';
import { parseTimelineHistory } from '../../domain/timeline.ts';
import { fail, isHoldfastError } from '../../errors/index.ts';
import type { Copy } from '../copies.ts';
import type { VaultCore } from '../core.ts';
import { generationPath, parseGeneration } from '../layout.ts';
import { VaultLogCopy } from '../log-copy.ts';
import { generationsOf, type Manifest, type ManifestHeader, openManifest, readManifestHeader } from '../manifest.ts';
import { openVerified } from '../replicate.ts';
import type { LogObject } from '../types.ts';
import { type CopyInventory, type GenerationHoldings, requireNoStranger } from './inventory.ts';

export interface ManifestFacts {
  readonly key: string;
  readonly sizeBytes: number;
  readonly header: ManifestHeader;
  /** Paths of the generations that it needs. */
  readonly generations: readonly string[];
  /** Names of the packs that it needs. */
  readonly packs: readonly string[];
  /** Names of the copies that have it. */
  readonly copies: readonly string[];
}

export interface GenerationFacts {
  readonly path: string;
  readonly class: string;
  readonly startMs: number;
  readonly onCopies: ReadonlyMap<string, Readonly<GenerationHoldings>>;
}

export interface LogObjectFacts {
  readonly key: string;
  readonly timeline: number;
  readonly fromLsn: Lsn;
  readonly toLsn: Lsn;
  /** Size by copy. */
  readonly onCopies: ReadonlyMap<string, number>;
}

export interface SystemLogFacts {
  readonly systemId: string;
  readonly segmentSizeBytes: number;
  readonly timelines: readonly LoggedTimeline[];
  /** Segments and extents, oldest first. */
  readonly objects: readonly LogObjectFacts[];
}

export interface ComponentFacts {
  readonly component: ComponentId;
  readonly manifests: readonly ManifestFacts[];
  readonly generations: readonly GenerationFacts[];
  readonly logs: readonly SystemLogFacts[];
}

/** What never changes under its key, so that each is read once per process. */
export interface FactsCache {
  readonly headers: Map<string, ManifestHeader>;
  readonly bodies: Map<string, Pick<ManifestFacts, 'generations' | 'packs'>>;
}

export function makeFactsCache(): FactsCache {
  return { headers: new Map(), bodies: new Map() };
}

/** `inventories`: of every copy that is configured. Throws when anything of the component cannot be read on any of them. */
export async function readFacts(
  core: VaultCore,
  inventories: readonly CopyInventory[],
  component: ComponentId,
  cache: FactsCache,
): Promise<ComponentFacts> {
  for (const inventory of inventories) requireNoStranger(inventory, component);
  return {
    component,
    manifests: await readManifests(core, inventories, component, cache),
    generations: mergeGenerations(inventories, component),
    logs: await readLogs(core, inventories, component),
  };
}

async function readManifests(
  core: VaultCore,
  inventories: readonly CopyInventory[],
  component: ComponentId,
  cache: FactsCache,
): Promise<ManifestFacts[]> {
  const holders = new Map<string, { copy: Copy; sizeBytes: number }[]>();
  for (const { copy, components } of inventories) {
    for (const [key, sizeBytes] of components.get(component)?.manifests ?? []) {
      holders.set(key, [...(holders.get(key) ?? []), { copy, sizeBytes }]);
    }
  }
  const manifests: ManifestFacts[] = [];
  for (const [key, on] of [...holders].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const sizeBytes = on[0]?.sizeBytes ?? 0;
    let header: ManifestHeader | undefined;
    for (const { copy, sizeBytes: here } of on) {
      const name = copy.description.name;
      if (here !== sizeBytes) fail('OBJECT_DAMAGED', `manifest '${key}' has another size on '${name}'`);
      const place = `${name} ${key} ${here}`;
      header = cache.headers.get(place) ?? (await readManifestHeader(core, copy.store, key, here));
      cache.headers.set(place, header);
    }
    if (header === undefined) continue;
    const from = on.map(({ copy }) => copy);
    const body = cache.bodies.get(key) ?? (await readBody(core, from, key));
    cache.bodies.set(key, body);
    manifests.push({ key, sizeBytes, header, ...body, copies: from.map(({ description }) => description.name) });
  }
  return manifests;
}

async function readBody(core: VaultCore, from: readonly Copy[], key: string) {
  const manifest = await openVerified(core, from, key, (each) => openManifest(core, key, each));
  return { generations: generationPathsOf(manifest), packs: packsOf(manifest) };
}

/** Retention keeps each of them as long as any copy has the manifest. */
export function generationPathsOf(manifest: Pick<Manifest, 'header' | 'body'>): readonly string[] {
  return generationsOf(manifest).map((name) => generationPath(manifest.header.component, name));
}

/** Names of the packs that the snapshot needs, of all its generations. */
export function packsOf({ body }: Pick<Manifest, 'body'>): readonly string[] {
  return body.parts.flatMap(({ packs }) => packs.map(([sha256]) => sha256));
}

function mergeGenerations(inventories: readonly CopyInventory[], component: ComponentId): GenerationFacts[] {
  const merged = new Map<string, Map<string, GenerationHoldings>>();
  for (const { copy, components } of inventories) {
    for (const [path, held] of components.get(component)?.generations ?? []) {
      const onCopies = merged.get(path) ?? new Map<string, GenerationHoldings>();
      merged.set(path, onCopies.set(copy.description.name, held));
    }
  }
  return [...merged].flatMap(([path, onCopies]) => {
    const parsed = parseGeneration(path.split('/')[3] ?? '');
    return parsed === undefined ? [] : [{ path, class: parsed.class, startMs: parsed.startMs, onCopies }];
  });
}

// ── Log ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The receiver closes segments and replaces marks while others read: what is listed and gone is read anew. */
const LOOKS = 5;
const LOOK_AGAIN_MS = 200;

async function readLogs(
  core: VaultCore,
  inventories: readonly CopyInventory[],
  component: ComponentId,
): Promise<SystemLogFacts[]> {
  const systems = new Set(inventories.flatMap(({ components }) => [...(components.get(component)?.log.keys() ?? [])]));
  const facts: SystemLogFacts[] = [];
  for (const systemId of [...systems].sort()) {
    for (let look = 1; ; look++) {
      try {
        const found = await readSystemLog(core, inventories, component, systemId);
        if (found !== undefined) facts.push(found);
        break;
      } catch (error) {
        if (!isHoldfastError(error, 'OBJECT_MISSING') || look === LOOKS) throw error;
        await sleep(LOOK_AGAIN_MS);
      }
    }
  }
  return facts;
}

interface TimelineFacts {
  newest: Moment | undefined;
  history: LoggedTimeline['history'];
}

async function readSystemLog(
  core: VaultCore,
  inventories: readonly CopyInventory[],
  component: ComponentId,
  systemId: string,
): Promise<SystemLogFacts | undefined> {
  const objects = new Map<string, LogObjectFacts & { onCopies: Map<string, number> }>();
  const timelines = new Map<number, TimelineFacts>();
  let segmentSizeBytes: number | undefined;
  for (const { copy } of inventories) {
    const log = new VaultLogCopy(core, component, systemId, copy);
    const listing = await log.list();
    for (const { key, timeline, fromLsn, toLsn, sizeBytes } of listing.objects) {
      const known = objects.get(key) ?? { key, timeline, fromLsn, toLsn, onCopies: new Map<string, number>() };
      known.onCopies.set(log.copy, sizeBytes);
      objects.set(key, known);
    }
    for (const timeline of new Set([...listing.histories, ...listing.objects.map((each) => each.timeline)])) {
      const facts = timelines.get(timeline) ?? { newest: undefined, history: undefined };
      timelines.set(timeline, facts);
      if (listing.histories.includes(timeline)) {
        facts.history ??= parseTimelineHistory(timeline, await log.readHistory(timeline));
      } else if (timeline === 1) facts.history ??= { timeline, ancestors: [] };
      const { mark } = await log.list({ timeline });
      facts.newest = latest(facts.newest, mark?.time);
      const last = lastOf(listing.objects, timeline);
      if (last === undefined) continue;
      const header = await log.readHeader(last);
      segmentSizeBytes = header.segmentSizeBytes;
      facts.newest = [header.maxTime, header.last?.time, header.mark?.time].reduce(latest, facts.newest);
    }
  }
  if (segmentSizeBytes === undefined) return undefined;
  return {
    systemId,
    segmentSizeBytes,
    timelines: [...timelines].map(([timeline, { newest, history }]) => ({
      timeline,
      ...(newest === undefined ? {} : { newest }),
      ...(history === undefined ? {} : { history }),
    })),
    objects: [...objects.values()].sort((a, b) => (lsnValue(a.fromLsn) < lsnValue(b.fromLsn) ? -1 : 1)),
  };
}

function latest(a: Moment | undefined, b: Moment | undefined): Moment | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a > b ? a : b;
}

function lastOf(objects: readonly LogObject[], timeline: number): LogObject | undefined {
  return objects
    .filter((object) => object.timeline === timeline)
    .reduce<LogObject | undefined>(
      (last, object) => (last === undefined || lsnValue(object.toLsn) >= lsnValue(last.toLsn) ? object : last),
      undefined,
    );
}
