// Holds: what must not be deleted whatever a policy says, with who said so and why (docs/vault-format.md, section 13).

import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { type ComponentId, parseComponentId } from '../../domain/component.ts';
import { isMoment, type Moment } from '../../domain/moment.ts';
import { fail } from '../../errors/index.ts';
import { type Copy, requirePolicy } from '../copies.ts';
import { listAll, putSame, sealContext, type VaultCore } from '../core.ts';
import { HOLDS_PREFIX, holdKey, holdReleaseKey, parseHoldKey } from '../layout.ts';
import { openVerified } from '../replicate.ts';
import { objectTypes, seal, unseal } from '../sealed.ts';

const moment = z.custom<Moment>((value) => typeof value === 'string' && isMoment(value));
const holdSchema = z.object({
  id: z.string(),
  component: z.string(),
  snapshot: z.string().optional(),
  reason: z.string(),
  until: moment.optional(),
  by: z.string(),
  at: moment,
});

export interface Hold {
  readonly id: string;
  readonly component: ComponentId;
  /** Absent: everything of the component, its log too. */
  readonly snapshot?: string;
  readonly reason: string;
  readonly until?: Moment;
  readonly by: string;
  readonly at: Moment;
}

/** Told what could not be read, and a copy where it lies; what it throws ends the reading. */
export type OnUnread = (error: unknown, copy: Copy) => void;

type Holders = Map<string, readonly [Copy, ...Copy[]]>;

function refuse(error: unknown): never {
  throw error;
}

/**
 * Holds that nobody released, also those whose time is over. Throws what cannot be read: a hold that is not known is not absent. With `onUnread`
 * all others are given all the same, and a hold whose release cannot be read stands.
 */
export async function readHolds(
  core: VaultCore,
  copies: readonly Copy[],
  onUnread: OnUnread = refuse,
): Promise<readonly Hold[]> {
  const holders: Holders = new Map();
  for (const copy of copies) {
    await unlessUnread(copy, onUnread, async () => {
      for (const { key } of await listAll(copy.store, HOLDS_PREFIX)) {
        holders.set(key, [...(holders.get(key) ?? []), copy] as [Copy, ...Copy[]]);
      }
    });
  }
  const holds: Hold[] = [];
  for (const [key, from] of [...holders].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const ended = await unlessUnread(from[0], onUnread, () => isReleasedOrNone(core, holders, key));
    if (ended === true || parseHoldKey(key)?.part !== 'hold') continue;
    const hold = await unlessUnread(from[0], onUnread, async () =>
      parseHold(key, (await open(core, from, key)).header),
    );
    if (hold !== undefined) holds.push(hold);
  }
  return holds;
}

/** Only whoever has the key can end a hold: the release is opened, not believed by its name. */
async function isReleasedOrNone(core: VaultCore, holders: Holders, key: string): Promise<boolean> {
  const name = parseHoldKey(key);
  if (name === undefined) return fail('RETENTION_DOUBT', `'${key}' lies among the holds and is none`);
  if (name.part !== 'hold') return true;
  const releaseKey = holdReleaseKey(name.id);
  const from = holders.get(releaseKey);
  if (from !== undefined) await open(core, from, releaseKey);
  return from !== undefined;
}

async function unlessUnread<T>(copy: Copy, onUnread: OnUnread, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    onUnread(error, copy);
    return undefined;
  }
}

async function open(core: VaultCore, from: readonly Copy[], key: string) {
  const context = sealContext(core, objectTypes.hold, key);
  return openVerified(core, from, key, (bytes) => unseal(context, bytes));
}

function parseHold(key: string, data: unknown): Hold {
  const parsed = holdSchema.safeParse(data);
  if (!parsed.success || holdKey(parsed.data.id) !== key) {
    return fail('OBJECT_DAMAGED', `'${key}' does not say what is held`);
  }
  const { snapshot, until, ...hold } = parsed.data;
  parseComponentId(hold.component);
  return {
    ...hold,
    component: hold.component as ComponentId,
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(until === undefined ? {} : { until }),
  };
}

/** Throws `POLICY_UNMET` when fewer copies than the commit policy asks for could take it. */
export async function putHold(core: VaultCore, hold: Omit<Hold, 'id'>): Promise<Hold> {
  const id = `hold-${randomBytes(4).toString('hex')}`;
  await putEverywhere(core, holdKey(id), { id, ...hold }, `hold '${id}' is not kept`);
  return { id, ...hold };
}

export async function putHoldRelease(
  core: VaultCore,
  release: { readonly id: string; readonly by: string; readonly at: Moment; readonly reason: string },
): Promise<void> {
  await putEverywhere(core, holdReleaseKey(release.id), release, `the end of hold '${release.id}' is not kept`);
}

async function putEverywhere(core: VaultCore, key: string, header: object, what: string): Promise<void> {
  const bytes = await seal(sealContext(core, objectTypes.hold, key), header, Buffer.alloc(0));
  const stored: Copy[] = [];
  let failure: unknown;
  for (const copy of await core.copies.ready()) {
    try {
      await putSame(copy.store, key, bytes);
      stored.push(copy);
    } catch (error) {
      failure = core.copies.failed(copy, error);
    }
  }
  requirePolicy(core.policy, stored, what, failure);
}
