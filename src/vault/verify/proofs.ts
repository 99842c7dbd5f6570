// Proofs: what was seen of snapshots and objects, when and how closely, kept in the vault itself (docs/vault-format.md, section 14).

import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { ComponentId } from '../../domain/component.ts';
import { standingBad, type WholeLook } from '../../domain/copy-verified.ts';
import { isMoment, type Moment } from '../../domain/moment.ts';
import { type ProofLevel, proofLevels, verdicts } from '../../domain/states.ts';
import { fail, isHoldfastError } from '../../errors/index.ts';
import { type Copy, requirePolicy } from '../copies.ts';
import { getHeader, getSealed, listAll, putSame, sealContext, type VaultCore } from '../core.ts';
import { checkSnapshotId, compactTime, parseProofKey, proofKey, proofsPrefix } from '../layout.ts';
import { objectTypes, seal } from '../sealed.ts';
import type { Looks, Proof, SnapshotId, SnapshotProof } from '../types.ts';

const moment = z.custom<Moment>((value) => typeof value === 'string' && isMoment(value));
const state = z.enum(['good', 'damaged', 'missing']);
const headerSchema = z.object({
  component: z.string(),
  copy: z.string(),
  level: z.enum(proofLevels),
  at: moment,
  run: z.string(),
  snapshots: z.array(z.tuple([z.string(), state])),
  whole: z.object({ state: z.enum(verdicts), since: moment.optional() }).optional(),
});
const bodySchema = z.object({ objects: z.array(z.tuple([z.string(), state])) });
type Header = z.infer<typeof headerSchema>;

/** Opened headers of each vault that is open in this process; a proof never changes. */
const caches = new WeakMap<VaultCore, Map<string, Header>>();

/** On every copy that answers; one is enough, as for records of runs. */
export async function putProof(core: VaultCore, proof: Proof): Promise<void> {
  for (const [id] of proof.snapshots) checkSnapshotId(id);
  const { objects, ...header } = proof;
  const key = proofKey(proof.component, proof.copy, `${compactTime(proof.at)}-${randomBytes(4).toString('hex')}`);
  const bytes = await seal(sealContext(core, objectTypes.proof, key), header, Buffer.from(JSON.stringify({ objects })));
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
  requirePolicy({ copies: 1, offsite: 0 }, stored, `the proof '${key}' cannot be kept`, failure);
}

/** Everything that was seen of the component's snapshots, newest first. */
export async function listProofs(core: VaultCore, component: ComponentId): Promise<readonly SnapshotProof[]> {
  return (await listLooks(core, component)).snapshots;
}

/** Newest first. Proofs that cannot be read prove nothing, and are left out. */
export async function listLooks(core: VaultCore, component: ComponentId): Promise<Looks> {
  const headers = new Map<string, Header>();
  await core.copies.fromEach('reading proofs', async (copy) => {
    for (const info of await listAll(copy.store, proofsPrefix(component))) {
      if (headers.has(info.key)) continue;
      const header = await readHeader(core, copy, info.key, info.sizeBytes);
      if (header) headers.set(info.key, header);
    }
    return true;
  });
  const newestFirst = [...headers.values()].sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
  return { snapshots: newestFirst.flatMap(snapshotProofs), whole: newestFirst.flatMap(wholeLook) };
}

/** Of each snapshot the best proof that no later look at the same copy contradicts. `proofs`: newest first. */
export function standingProofs(proofs: readonly SnapshotProof[]): Record<string, SnapshotProof> {
  const best: Record<string, SnapshotProof> = {};
  const rank = (level: ProofLevel) => proofLevels.indexOf(level);
  for (const looks of Map.groupBy(proofs, ({ snapshot, copy }) => `${snapshot} ${copy}`).values()) {
    if (standingBad(looks) !== undefined) continue;
    for (const proof of looks) {
      if (proof.state !== 'good') break;
      const known = best[proof.snapshot];
      if (known === undefined || rank(proof.level) > rank(known.level)) best[proof.snapshot] = proof;
    }
  }
  return best;
}

/** What was last seen of an object. */
export interface SeenObject {
  readonly level: ProofLevel;
  readonly state: 'good' | 'damaged' | 'missing';
  readonly at: Moment;
}

/** By key: the looks at objects of one copy since `since`, newest first. */
export async function seenObjects(
  core: VaultCore,
  component: ComponentId,
  copy: string,
  since: Moment | undefined,
): Promise<Map<string, SeenObject[]>> {
  const keys = new Map<string, Copy>();
  for (const holder of await core.copies.ready()) {
    try {
      for (const { key } of await listAll(holder.store, proofsPrefix(component, copy))) {
        const name = parseProofKey(key);
        if (name && (since === undefined || name.time >= compactTime(since))) keys.set(key, holder);
      }
    } catch (error) {
      core.copies.failed(holder, error);
    }
  }
  const seen = new Map<string, SeenObject[]>();
  for (const [key, holder] of [...keys].sort(([a], [b]) => (a < b ? 1 : -1))) {
    try {
      const { header, body } = await getSealed(holder.store, sealContext(core, objectTypes.proof, key));
      const { level, at } = checkHeader(key, header);
      for (const [object, its] of bodySchema.parse(JSON.parse(body.toString())).objects) {
        seen.set(object, [...(seen.get(object) ?? []), { level, state: its, at }]);
      }
    } catch (error) {
      core.logger.warn({ copy: holder.description.name, key }, `a proof counts for nothing: ${String(error)}`);
    }
  }
  return seen;
}

async function readHeader(core: VaultCore, copy: Copy, key: string, sizeBytes: number): Promise<Header | undefined> {
  const cache = caches.get(core) ?? new Map<string, Header>();
  caches.set(core, cache);
  const known = cache.get(key);
  if (known) return known;
  try {
    const header = checkHeader(key, await getHeader(copy.store, sealContext(core, objectTypes.proof, key), sizeBytes));
    cache.set(key, header);
    return header;
  } catch (error) {
    if (!isHoldfastError(error, 'OBJECT_DAMAGED', 'OBJECT_MISSING', 'VAULT_FORMAT')) throw error;
    core.logger.warn({ copy: copy.description.name, key }, error.message);
    return undefined;
  }
}

function checkHeader(key: string, data: unknown): Header {
  const parsed = headerSchema.safeParse(data);
  if (!parsed.success) fail('OBJECT_DAMAGED', `'${key}' is no proof`, { cause: parsed.error });
  const name = parseProofKey(key);
  if (name?.component !== parsed.data.component || name.copy !== parsed.data.copy) {
    fail('OBJECT_DAMAGED', `'${key}' is the proof of another copy`);
  }
  return parsed.data;
}

function wholeLook({ copy, level, at, whole }: Header): WholeLook[] {
  if (whole === undefined) return [];
  const { state, since } = whole;
  return [{ copy, level, state, at, ...(since === undefined ? {} : { since }) }];
}

function snapshotProofs({ component, copy, level, at, run, snapshots }: Header): SnapshotProof[] {
  return snapshots.map(([snapshot, its]) => ({
    snapshot: snapshot as SnapshotId,
    component: component as ComponentId,
    copy,
    level,
    state: its,
    at,
    run,
  }));
}
