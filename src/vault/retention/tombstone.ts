// Tombstones: the lists of what is to be deleted, read over all copies, and what happened to each since (docs/vault-format.md, section 13).

import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { isMoment, type Moment } from '../../domain/moment.ts';
import { fail, isHoldfastError } from '../../errors/index.ts';
import type { Copy } from '../copies.ts';
import { listAll, putSame, sealContext, type VaultCore } from '../core.ts';
import {
  compactTime,
  parseTombstoneKey,
  TOMBSTONES_PREFIX,
  tombstoneListKey,
  tombstoneReleaseKey,
  tombstoneSweptKey,
} from '../layout.ts';
import { readVerified } from '../replicate.ts';
import { objectTypes, seal, unseal } from '../sealed.ts';

const moment = z.custom<Moment>((value) => typeof value === 'string' && isMoment(value));
const sized = z.tuple([z.string(), z.number().int().nonnegative()]);
const headerSchema = z.object({
  id: z.string(),
  run: z.string(),
  reason: z.string(),
  by: z.string(),
  at: moment,
  graceSeconds: z.number().positive(),
});
const listSchema = z.object({
  manifests: z.array(sized),
  generations: z.array(z.object({ path: z.string(), objects: z.array(sized) })),
  packs: z.array(sized),
  log: z.array(sized),
});
const releaseSchema = z.object({ keys: z.array(z.string()) });

export type SizedKey = readonly [key: string, sizeBytes: number];

export interface NamedGeneration {
  /** `<component>/generations/<generation>` */
  readonly path: string;
  /** Keys behind the path and its slash, with sizes. */
  readonly objects: readonly SizedKey[];
}

export interface TombstoneList {
  readonly manifests: readonly SizedKey[];
  readonly generations: readonly NamedGeneration[];
  readonly packs: readonly SizedKey[];
  readonly log: readonly SizedKey[];
}

export interface TombstoneHeader {
  readonly id: string;
  readonly run: string;
  readonly reason: string;
  readonly by: string;
  readonly at: Moment;
  readonly graceSeconds: number;
}

export interface Tombstone extends TombstoneHeader {
  /** What it still names: the list less what was released. */
  readonly list: TombstoneList;
  /** Copies that hold nothing of it any more. */
  readonly swept: ReadonlySet<string>;
  /** When each copy stored it, by that store's clock; copies without it are not in here. */
  readonly storedAt: ReadonlyMap<string, Date>;
  /** Every key of the tombstone itself, by copy. */
  readonly keys: ReadonlyMap<string, readonly string[]>;
  /** The sealed list, the same on every copy. */
  readonly bytes: Buffer;
}

/** Opened objects by key: none of them ever changes. */
export type TombstoneCache = Map<string, { readonly header: unknown; readonly body: Buffer; readonly bytes: Buffer }>;

export interface ReadTombstonesOptions {
  readonly cache?: TombstoneCache;
  /**
   * `refuse`: whoever deletes must know all of them. `skip`: whoever only avoids what is to be deleted goes on without one that nobody
   * with the key wrote; no sweep will act on it either.
   */
  readonly unreadable: 'refuse' | 'skip';
}

/** Oldest first, merged over `copies`. Throws what a copy throws. */
export async function readTombstones(
  core: VaultCore,
  copies: readonly Copy[],
  { cache = new Map(), unreadable }: ReadTombstonesOptions,
): Promise<readonly Tombstone[]> {
  const holders = new Map<string, { copy: Copy; storedAt: Date }[]>();
  await Promise.all(
    copies.map(async (copy) => {
      for (const { key, storedAt } of await listAll(copy.store, TOMBSTONES_PREFIX)) {
        holders.set(key, [...(holders.get(key) ?? []), { copy, storedAt }]);
      }
    }),
  );
  const open = async (key: string) => {
    const known = cache.get(key);
    if (known !== undefined) return known;
    const from = (holders.get(key) ?? []).map(({ copy }) => copy);
    const context = sealContext(core, objectTypes.tombstone, key);
    const bytes = await readVerified(core, from, key, (each) => unseal(context, each));
    const opened = { ...(await unseal(context, bytes)), bytes };
    cache.set(key, opened);
    return opened;
  };
  const ids = new Set<string>();
  for (const key of holders.keys()) {
    const name = parseTombstoneKey(key);
    if (name?.part === 'list') ids.add(name.id);
    else if (name === undefined && unreadable === 'refuse') {
      fail('RETENTION_DOUBT', `'${key}' lies among the tombstones and is none`);
    }
  }
  const found: Tombstone[] = [];
  for (const id of [...ids].sort()) {
    try {
      found.push(await assemble(id, holders, open));
    } catch (error) {
      if (unreadable === 'refuse' || !isHoldfastError(error, 'OBJECT_DAMAGED', 'VAULT_FORMAT')) throw error;
      core.logger.error({ tombstone: id }, `a tombstone is passed over: ${error.message}`);
    }
  }
  return found;
}

type Holders = ReadonlyMap<string, readonly { copy: Copy; storedAt: Date }[]>;

async function assemble(
  id: string,
  holders: Holders,
  open: (key: string) => Promise<{ header: unknown; body: Buffer; bytes: Buffer }>,
): Promise<Tombstone> {
  const listKey = tombstoneListKey(id);
  const { header, body, bytes } = await open(listKey);
  const parsedHeader = headerSchema.safeParse(header);
  const parsedList = listSchema.safeParse(parseJson(body));
  if (!parsedHeader.success || !parsedList.success || parsedHeader.data.id !== id) {
    fail('OBJECT_DAMAGED', `'${listKey}' does not say what a tombstone says`);
  }
  const released = new Set<string>();
  const swept = new Set<string>();
  for (const key of [...holders.keys()].filter((each) => parseTombstoneKey(each)?.id === id && each !== listKey)) {
    const name = parseTombstoneKey(key);
    const event = await open(key);
    if (name?.part === 'swept') swept.add(name.copy);
    const release = name?.part === 'released' ? releaseSchema.safeParse(parseJson(event.body)) : undefined;
    if (release?.success === false) fail('OBJECT_DAMAGED', `'${key}' does not say what is released`);
    for (const each of release?.data?.keys ?? []) released.add(each);
  }
  const storedAt = new Map((holders.get(listKey) ?? []).map((each) => [each.copy.description.name, each.storedAt]));
  return {
    ...parsedHeader.data,
    list: without(parsedList.data, released),
    swept,
    storedAt,
    keys: keysByCopy(id, holders),
    bytes,
  };
}

function keysByCopy(id: string, holders: Holders): Map<string, string[]> {
  const keys = new Map<string, string[]>();
  for (const [key, on] of holders) {
    if (parseTombstoneKey(key)?.id !== id) continue;
    for (const { copy } of on) keys.set(copy.description.name, [...(keys.get(copy.description.name) ?? []), key]);
  }
  return keys;
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

function without(list: TombstoneList, released: ReadonlySet<string>): TombstoneList {
  const keep = ([key]: SizedKey) => !released.has(key);
  return {
    manifests: list.manifests.filter(keep),
    generations: list.generations.filter(({ path }) => !released.has(path)),
    packs: list.packs.filter(keep),
    log: list.log.filter(keep),
  };
}

export function isEmptyList({ manifests, generations, packs, log }: TombstoneList): boolean {
  return manifests.length + generations.length + packs.length + log.length === 0;
}

/** Every object key that a list names. */
export function* keysOf({ manifests, generations, packs, log }: TombstoneList): Generator<SizedKey> {
  yield* manifests;
  for (const { path, objects } of generations) for (const [rest, size] of objects) yield [`${path}/${rest}`, size];
  yield* packs;
  yield* log;
}

// ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export function tombstoneId(at: Moment, run: string): string {
  const suffix = /[0-9a-f]{8}$/.exec(run)?.[0] ?? randomBytes(4).toString('hex');
  return `${compactTime(at)}-${suffix}`;
}

export async function sealTombstone(core: VaultCore, header: TombstoneHeader, list: TombstoneList): Promise<Buffer> {
  const context = sealContext(core, objectTypes.tombstone, tombstoneListKey(header.id));
  return seal(context, header, Buffer.from(JSON.stringify(list)));
}

/** Throws what a copy throws: a tombstone counts only once it is on every copy. */
export async function putTombstone(copies: readonly Copy[], id: string, bytes: Buffer): Promise<void> {
  for (const copy of copies) await putSame(copy.store, tombstoneListKey(id), bytes);
}

/** On every copy that is given; one is enough for it to count. */
export async function putRelease(
  core: VaultCore,
  copies: readonly Copy[],
  release: { readonly id: string; readonly by: string; readonly at: Moment; readonly reason: string },
  keys: readonly string[],
): Promise<void> {
  const key = tombstoneReleaseKey(release.id, randomBytes(4).toString('hex'));
  const context = sealContext(core, objectTypes.tombstone, key);
  const bytes = await seal(context, release, Buffer.from(JSON.stringify({ keys })));
  for (const copy of copies) await putSame(copy.store, key, bytes);
}

/** Says on every copy that `copy` holds nothing of the tombstone any more; the same again is fine. */
export async function putSwept(
  core: VaultCore,
  copies: readonly Copy[],
  swept: { readonly id: string; readonly copy: string; readonly by: string; readonly at: Moment },
): Promise<void> {
  const key = tombstoneSweptKey(swept.id, swept.copy);
  const context = sealContext(core, objectTypes.tombstone, key);
  const bytes = await seal(context, swept, Buffer.alloc(0));
  for (const copy of copies) {
    try {
      await copy.store.put(key, bytes);
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_EXISTS')) throw error;
    }
  }
}
