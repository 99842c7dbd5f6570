// Tombstones: the lists of what is to be deleted, read over all copies, and what happened to each since (docs/vault-format.md, section 13).

import { z } from 'zod';
import { isMoment, type Moment } from '../../domain/moment.ts';
import { fail, isHoldfastError } from '../../errors/index.ts';
import type { Copy } from '../copies.ts';
import { listAll, sealContext, type VaultCore } from '../core.ts';
import { parseTombstoneKey, TOMBSTONES_PREFIX, tombstoneListKey } from '../layout.ts';
import { openVerified } from '../replicate.ts';
import { objectTypes, unseal } from '../sealed.ts';

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
const keysSchema = z.object({ keys: z.array(z.string()) });
/** Of the lease under which a release or a beginning was put. */
const tokenSchema = z.object({ token: z.number().int().nonnegative().default(0) });

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
  /** What of it cannot be released any more, by the names that a release would use: a deletion of it may be under way, however late. */
  readonly begun: ReadonlySet<string>;
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
    const opened = await openVerified(core, from, key, async (bytes) => ({ ...(await unseal(context, bytes)), bytes }));
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
  const released = new Map<string, number>();
  const begun = new Map<string, number>();
  const swept = new Set<string>();
  for (const key of [...holders.keys()].filter((each) => parseTombstoneKey(each)?.id === id && each !== listKey)) {
    const name = parseTombstoneKey(key);
    const event = await open(key);
    if (name?.part === 'swept') swept.add(name.copy);
    if (name?.part === 'released') noteEvent(key, event, released);
    if (name?.part === 'begun') noteEvent(key, event, begun);
  }
  // Whoever puts one of them has looked for the other under the lease: where both are, the one with the lower token came too late.
  for (const [key, token] of begun) {
    if ((released.get(key) ?? -1) > token) begun.delete(key);
    else released.delete(key);
  }
  const storedAt = new Map((holders.get(listKey) ?? []).map((each) => [each.copy.description.name, each.storedAt]));
  return {
    ...parsedHeader.data,
    list: without(parsedList.data, released),
    begun: new Set(begun.keys()),
    swept,
    storedAt,
    keys: keysByCopy(id, holders),
    bytes,
  };
}

/** Notes every key with the highest token that was seen for it. */
function noteEvent(
  key: string,
  { header, body }: { readonly header: unknown; readonly body: Buffer },
  into: Map<string, number>,
): void {
  const keys = keysSchema.safeParse(parseJson(body));
  const token = tokenSchema.safeParse(header);
  if (!keys.success || !token.success) fail('OBJECT_DAMAGED', `'${key}' does not say what it is about`);
  for (const each of keys.data.keys) into.set(each, Math.max(token.data.token, into.get(each) ?? 0));
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

function without(list: TombstoneList, released: ReadonlyMap<string, number>): TombstoneList {
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

/** What a release or a beginning calls them: keys, and paths of generations. */
export function* namesIn({ manifests, generations, packs, log }: TombstoneList): Generator<string> {
  for (const { path } of generations) yield path;
  for (const [key] of [...manifests, ...packs, ...log]) yield key;
}

/** Every object key that a list names. */
export function* keysOf({ manifests, generations, packs, log }: TombstoneList): Generator<SizedKey> {
  yield* manifests;
  for (const { path, objects } of generations) for (const [rest, size] of objects) yield [`${path}/${rest}`, size];
  yield* packs;
  yield* log;
}
