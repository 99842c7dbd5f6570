// Where everything lies in a copy: the only place that builds or reads object keys (docs/vault-format.md, section 2).

import type { ComponentId } from '../domain/component.ts';
import { type Lsn, lsnFrom, lsnValue, type SegmentName } from '../domain/lsn.ts';
import { type Moment, momentFromUnixMicros, unixMicros } from '../domain/moment.ts';
import { fail } from '../errors/index.ts';
import { isPart } from '../stores/keys.ts';
import type { SnapshotId, TimeMark } from './types.ts';

export const DESCRIPTOR_KEY = 'holdfast.json';
export const SLOTS_PREFIX = 'keys/';
export const RUNS_PREFIX = 'runs/';
/** For readers without this program; not part of the vault, and replaced by every version of it. */
export const kitKeys = { format: 'FORMAT.md', reader: 'rescue.mjs' } as const;

const SNAPSHOT_ID = /^\d{8}T\d{6}Z-[0-9a-f]{8}$/;
const GENERATION = /^([a-z0-9][a-z0-9-]*)-(\d{8}T\d{6}Z)-[0-9a-f]{8}$/;

// ── Key slots ────────────────────────────────────────────────────────────────────────────────────────────────────────

const SLOT = /^keys\/([a-z0-9][a-z0-9-]{0,62})\.([0-9a-f]{8})\.(json|removed)$/;

/** `id`: 8 random hexadecimal digits, new for every object, so that none is ever written over. */
export const slotKey = (slot: string, id: string) => `${SLOTS_PREFIX}${slot}.${id}.json`;
/** Where the removal of a slot object is recorded. */
export const removalKeyOf = (key: string) => key.replace(/\.json$/, '.removed');

export interface SlotName {
  readonly slot: string;
  readonly id: string;
  readonly kind: 'slot' | 'removal';
}

/** What an object below `keys/` is by its name; `undefined` for none of ours. */
export function parseSlotName(key: string): SlotName | undefined {
  const [, slot, id, suffix] = SLOT.exec(key) ?? [];
  if (slot === undefined || id === undefined) return undefined;
  return { slot, id, kind: suffix === 'json' ? 'slot' : 'removal' };
}

// ── Generations ──────────────────────────────────────────────────────────────────────────────────────────────────────

export const generationsPrefix = (component: ComponentId) => `${component}/generations/`;
export const generationPath = (component: ComponentId, generation: string) =>
  `${generationsPrefix(component)}${generation}`;
export const dataKeyKey = (path: string) => `${path}/key`;
export const packsPrefix = (path: string) => `${path}/packs/`;
export const indexesPrefix = (path: string) => `${path}/indexes/`;
export const indexKey = (path: string, snapshot: SnapshotId, random: string) =>
  `${indexesPrefix(path)}${snapshot}.${random}`;
export const packKeyOf = (path: string, sha256: string) => `${path}/packs/${sha256.slice(0, 2)}/${sha256}`;

/** The snapshot that stored an index object, by its name; `undefined` when it is none. */
export function indexWriter(key: string): SnapshotId | undefined {
  const id = /\/indexes\/([0-9TZa-f-]+)\.[0-9a-f]{8}$/.exec(key)?.[1];
  return id !== undefined && SNAPSHOT_ID.test(id) ? (id as SnapshotId) : undefined;
}

/** Without one of these nothing on the copy can be opened. */
export const isOpeningKey = (key: string) => key === DESCRIPTOR_KEY || parseSlotName(key)?.kind === 'slot';

/** What is stored for good: all of a generation, manifests, closed segments, history, and what opens them. Nothing else may ever be locked. */
export const isKeptKey = (key: string) =>
  isOpeningKey(key) ||
  /^[^/]+\/[^/]+\/(generations|snapshots)\//.test(key) ||
  /^[^/]+\/[^/]+\/log\/\d+\/[0-9A-F]{8}\/([0-9A-F]{24}|history)$/.test(key);

export const isPackKey = (key: string) => /\/packs\/[0-9a-f]{2}\/[0-9a-f]{64}$/.test(key);

/** `20261123T061407Z` */
export function compactTime(moment: Moment): string {
  return `${moment.slice(0, 19).replaceAll('-', '').replaceAll(':', '')}Z`;
}

/** Class and start of a generation by its name; `undefined` when it is none. */
export function parseGeneration(name: string): { class: string; startMs: number } | undefined {
  const match = GENERATION.exec(name);
  if (!match?.[1] || !match[2]) return undefined;
  return { class: match[1], startMs: parseCompactTime(match[2]) };
}

function parseCompactTime(text: string): number {
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

// ── Snapshots ────────────────────────────────────────────────────────────────────────────────────────────────────────

export const snapshotsPrefix = (component: ComponentId) => `${component}/snapshots/`;

export function manifestKey(component: ComponentId, sequence: number, id: SnapshotId): string {
  return `${snapshotsPrefix(component)}${String(sequence).padStart(8, '0')}.${id}`;
}

export function parseManifestKey(
  key: string,
): { component: ComponentId; sequence: number; id: SnapshotId } | undefined {
  const match = /^([a-z]+\/[a-z0-9-]+)\/snapshots\/(\d{8})\.([0-9TZa-f-]+)$/.exec(key);
  if (!match || !SNAPSHOT_ID.test(match[3] as string)) return undefined;
  return { component: match[1] as ComponentId, sequence: Number(match[2]), id: match[3] as SnapshotId };
}

/** When it began, to the second. */
export const timeOfSnapshot = (id: SnapshotId) => parseCompactTime(id.slice(0, 16));

export function checkSnapshotId(id: string): asserts id is SnapshotId {
  if (!SNAPSHOT_ID.test(id)) fail('INTERNAL', `'${id}' is not a snapshot id`);
}

// ── Log ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

export const logsPrefix = (component: ComponentId) => `${component}/log/`;
export const logPrefix = (component: ComponentId, systemId: string) => `${logsPrefix(component)}${systemId}/`;
export const timelinePart = (timeline: number) => timeline.toString(16).toUpperCase().padStart(8, '0');
const lsnPart = (lsn: Lsn) => lsnValue(lsn).toString(16).toUpperCase().padStart(16, '0');
const lsnOfPart = (part: string) => lsnFrom(BigInt(`0x${part}`));

export const segmentKey = (log: string, segment: SegmentName) => `${log}${segment.slice(0, 8)}/${segment}`;
export const extentKey = (log: string, segment: SegmentName, from: Lsn, to: Lsn) =>
  `${segmentKey(log, segment)}.${lsnPart(from)}-${lsnPart(to)}`;
export const marksPrefix = (log: string, timeline: number) => `${log}${timelinePart(timeline)}/mark.`;
export const markKey = (log: string, timeline: number, mark: TimeMark) =>
  `${marksPrefix(log, timeline)}${String(unixMicros(mark.time)).padStart(20, '0')}-${lsnPart(mark.lsn)}`;
export const historyKey = (log: string, timeline: number) => `${log}${timelinePart(timeline)}/history`;

export type LogName =
  | { readonly kind: 'segment'; readonly timeline: number; readonly segment: SegmentName }
  | {
      readonly kind: 'extent';
      readonly timeline: number;
      readonly segment: SegmentName;
      readonly fromLsn: Lsn;
      readonly toLsn: Lsn;
    }
  | { readonly kind: 'mark'; readonly timeline: number; readonly mark: TimeMark }
  | { readonly kind: 'history'; readonly timeline: number };

/** What an object of the log is by its name (the part after `<component>/log/<system id>/`); `undefined` for none of ours. */
export function parseLogName(name: string): LogName | undefined {
  const [directory = '', file = '', ...rest] = name.split('/');
  if (!/^[0-9A-F]{8}$/.test(directory) || rest.length > 0) return undefined;
  const timeline = Number.parseInt(directory, 16);
  if (file === 'history') return { kind: 'history', timeline };
  const mark = /^mark\.(\d{20})-([0-9A-F]{16})$/.exec(file);
  if (mark) {
    return {
      kind: 'mark',
      timeline,
      mark: { time: momentFromUnixMicros(BigInt(mark[1] as string)), lsn: lsnOfPart(mark[2] as string) },
    };
  }
  const match = /^([0-9A-F]{24})(?:\.([0-9A-F]{16})-([0-9A-F]{16}))?$/.exec(file);
  if (!match || !file.startsWith(directory)) return undefined;
  const segment = match[1] as SegmentName;
  if (match[2] === undefined || match[3] === undefined) return { kind: 'segment', timeline, segment };
  return { kind: 'extent', timeline, segment, fromLsn: lsnOfPart(match[2]), toLsn: lsnOfPart(match[3]) };
}

// ── Records and leases ───────────────────────────────────────────────────────────────────────────────────────────────

export function recordKey(run: string, name: string): string {
  if (!isPart(run) || !isPart(name)) fail('INTERNAL', `'${run}/${name}' cannot name a record`);
  return `${RUNS_PREFIX}${run}/${name}`;
}

/** A resource may be a component (`database/main`); its slash stays. */
export const leasePrefix = (resource: string) => `leases/${resource}/`;
export const leaseKey = (resource: string, position: number) =>
  `${leasePrefix(resource)}${String(position).padStart(8, '0')}`;

// ── Retention ────────────────────────────────────────────────────────────────────────────────────────────────────────

export const TOMBSTONES_PREFIX = 'tombstones/';
export const HOLDS_PREFIX = 'holds/';

export type TombstoneName =
  | { readonly id: string; readonly part: 'list' | 'released' | 'begun' }
  | { readonly id: string; readonly part: 'swept'; readonly copy: string };

export const tombstoneListKey = (id: string) => `${TOMBSTONES_PREFIX}${id}/list`;
export const tombstoneReleaseKey = (id: string, random: string) => `${TOMBSTONES_PREFIX}${id}/released.${random}`;
export const tombstoneBegunKey = (id: string, random: string) => `${TOMBSTONES_PREFIX}${id}/begun.${random}`;
export const tombstoneSweptKey = (id: string, copy: string) => `${TOMBSTONES_PREFIX}${id}/swept.${copy}`;
export const holdKey = (id: string) => `${HOLDS_PREFIX}${id}/hold`;
export const holdReleaseKey = (id: string) => `${HOLDS_PREFIX}${id}/released`;

/** `undefined` for a key that is no part of a tombstone. */
export function parseTombstoneKey(key: string): TombstoneName | undefined {
  const match =
    /^tombstones\/(\d{8}T\d{6}Z-[0-9a-f]{8})\/(list|(released|begun)\.[0-9a-f]{8}|swept\.([a-z0-9-]+))$/.exec(key);
  if (!match?.[1] || !match[2]) return undefined;
  const [, id, , event, copy] = match;
  if (copy !== undefined) return { id, part: 'swept', copy };
  return { id, part: event === undefined ? 'list' : (event as 'released' | 'begun') };
}

export function parseHoldKey(key: string): { readonly id: string; readonly part: 'hold' | 'released' } | undefined {
  const match = /^holds\/(hold-[0-9a-f]{8})\/(hold|released)$/.exec(key);
  return match?.[1] && match[2] ? { id: match[1], part: match[2] as 'hold' | 'released' } : undefined;
}

// ── Proofs ───────────────────────────────────────────────────────────────────────────────────────────────────────────

export const PROOFS_PREFIX = 'proofs/';

export const proofsPrefix = (component: ComponentId, copy?: string) =>
  `${PROOFS_PREFIX}${component}/${copy === undefined ? '' : `${copy}/`}`;
/** `name`: `<time>-<8 hex>`. */
export const proofKey = (component: ComponentId, copy: string, name: string) =>
  `${proofsPrefix(component, copy)}${name}`;

/** `undefined` when it is none. */
export function parseProofKey(key: string): { component: ComponentId; copy: string; time: string } | undefined {
  const match = /^proofs\/([a-z]+\/[a-z0-9-]+)\/([^/]+)\/(\d{8}T\d{6}Z)-[0-9a-f]{8}$/.exec(key);
  if (!match) return undefined;
  return { component: match[1] as ComponentId, copy: match[2] as string, time: match[3] as string };
}
