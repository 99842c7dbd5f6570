// Leases: an exclusive, expiring claim as a chain of links of which the top one rules (docs/vault-format.md, section 9).

import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { fail, HoldfastError, isHoldfastError } from '../errors/index.ts';
import type { Copies, Copy } from './copies.ts';
import { deleteReplaced, getSealed, listAll, putSealed, sealContext, type VaultCore } from './core.ts';
import { leaseKey, leasePrefix } from './layout.ts';
import { objectTypes } from './sealed.ts';
import type { Lease } from './types.ts';

/** Clocks of hosts and stores are trusted to this much; beyond it a taker watches with its own clock. */
const CLOCK_ALLOWANCE_MS = 60_000;

const linkSchema = z.object({
  holder: z.string(),
  owner: z.string(),
  token: z.number().int().positive(),
  ttlMs: z.number().positive(),
  state: z.enum(['held', 'released']),
});
type Link = z.infer<typeof linkSchema>;

interface Top {
  readonly position: number;
  readonly link: Link;
  readonly storedAt: Date;
}

/** Since when this process has seen a link unchanged, on its own monotonic clock; by copy and resource. */
export type Observations = Map<string, { position: number; sinceMs: number }>;

export interface LeaseRequest {
  readonly resource: string;
  readonly owner: string;
  readonly ttlMs: number;
  /** Greatest token that the resource itself has seen; ours is greater, also on copies that have forgotten theirs. */
  readonly above: number;
}

/** Throws `LOCKED` while somebody else holds it, `POLICY_UNMET` when too few copies answer. */
export async function acquireLease(
  core: VaultCore,
  observations: Observations,
  { resource, owner, ttlMs, above }: LeaseRequest,
): Promise<Lease> {
  const link: Link = { holder: randomBytes(16).toString('hex'), owner, token: 0, ttlMs, state: 'held' };
  const startedMs = performance.now();
  const chain = new Chain(core, resource);
  const tops = new Map<Copy, Top | undefined>();
  for (const copy of await usableCopies(core.copies)) {
    const top = await attempt(core.copies, copy, () => chain.top(copy));
    if (top !== UNKNOWN) tops.set(copy, top);
  }
  // Every copy is looked at, so that the wait for an expired link runs on all of them at once.
  const refusing = [...tops].filter(([copy, top]) => top && !mayTake(observations, resource, copy, top, owner));
  if (refusing.length > 0) throw locked(resource, refusing[0]?.[1]?.link);
  const token = 1 + Math.max(above, ...[...tops.values()].map((top) => top?.link.token ?? 0));
  const held: Copy[] = [];
  const lease = new ChainLease(core, chain, { ...link, token }, held, startedMs);
  for (const [copy, top] of tops) {
    const won = await attempt(core.copies, copy, () => chain.append(copy, (top?.position ?? 0) + 1, lease.link));
    if (won === false) {
      await lease.release();
      throw locked(resource, (await chain.top(copy))?.link);
    }
    if (won === true) held.push(copy);
  }
  if (held.length < neededCopies(core)) {
    await lease.release();
    fail('POLICY_UNMET', `the lease on '${resource}' needs ${neededCopies(core)} copies, ${held.length} answered`);
  }
  return lease;
}

/** A majority of the configured copies, but no more than the policy's number: losing copies must not make recovery impossible. */
function neededCopies(core: VaultCore): number {
  return Math.min(Math.floor(core.copies.all.length / 2) + 1, Math.max(1, core.policy.copies));
}

const UNKNOWN = Symbol('unknown');

/** A copy that gives no answer neither grants nor refuses. */
async function attempt<T>(copies: Copies, copy: Copy, call: () => Promise<T>): Promise<T | typeof UNKNOWN> {
  try {
    return await call();
  } catch (error) {
    if (isHoldfastError(error, 'OBJECT_DAMAGED')) throw error;
    copies.failed(copy, error);
    return UNKNOWN;
  }
}

async function usableCopies(copies: Copies): Promise<Copy[]> {
  const usable: Copy[] = [];
  for (const copy of await copies.ready()) {
    const properties = await attempt(copies, copy, () => copies.properties(copy));
    if (properties !== UNKNOWN && properties.conditionalPut) usable.push(copy);
  }
  return usable;
}

function mayTake(observations: Observations, resource: string, copy: Copy, top: Top, owner: string): boolean {
  const { link, position } = top;
  if (link.state === 'released' || link.owner === owner) return true;
  const place = `${copy.description.name} ${resource}`;
  const seen = observations.get(place);
  if (seen?.position === position) {
    if (performance.now() - seen.sinceMs >= link.ttlMs) return true;
  } else observations.set(place, { position, sinceMs: performance.now() });
  return Date.now() - top.storedAt.getTime() > link.ttlMs + CLOCK_ALLOWANCE_MS;
}

function locked(resource: string, link: Link | undefined): HoldfastError {
  return new HoldfastError('LOCKED', `'${resource}' is held by '${link?.owner ?? 'another run'}'`, {
    ...(link && { details: { owner: link.owner, token: link.token, ttlMs: link.ttlMs } }),
  });
}

/** The links of one resource, copy by copy. */
class Chain {
  readonly resource: string;
  readonly #core: VaultCore;

  constructor(core: VaultCore, resource: string) {
    this.#core = core;
    this.resource = resource;
  }

  async top(copy: Copy): Promise<Top | undefined> {
    const last = (await listAll(copy.store, leasePrefix(this.resource))).at(-1);
    if (!last) return undefined;
    const position = Number(last.key.slice(-8));
    const { header } = await getSealed(copy.store, sealContext(this.#core, objectTypes.lease, last.key));
    const link = linkSchema.safeParse(header);
    if (!link.success) fail('OBJECT_DAMAGED', `'${last.key}' on '${copy.description.name}' is no link of a lease`);
    return { position, link: link.data, storedAt: last.storedAt };
  }

  /** Whether our link is the top one afterwards. */
  async append(copy: Copy, position: number, link: Link): Promise<boolean> {
    const key = leaseKey(this.resource, position);
    try {
      await putSealed(copy.store, sealContext(this.#core, objectTypes.lease, key), link, Buffer.alloc(0));
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_EXISTS')) throw error;
    }
    // Also tells ours from another's when the answer to our own put was lost.
    const top = await this.top(copy);
    return top?.position === position && top.link.holder === link.holder && top.link.state === link.state;
  }

  async clean(copy: Copy, position: number): Promise<void> {
    const infos = await listAll(copy.store, leasePrefix(this.resource));
    const old = infos.map(({ key }) => key).filter((key) => Number(key.slice(-8)) < position - 1);
    await deleteReplaced(copy.store, old, this.#core.logger);
  }
}

class ChainLease implements Lease {
  readonly link: Link;
  readonly #core: VaultCore;
  readonly #chain: Chain;
  readonly #held: readonly Copy[];
  /** Before the store was asked: our right ends before a watcher's wait does. */
  #renewedMs: number;
  #turn: Promise<void> = Promise.resolve();

  constructor(core: VaultCore, chain: Chain, link: Link, held: readonly Copy[], startedMs: number) {
    this.#core = core;
    this.#chain = chain;
    this.link = link;
    this.#held = held;
    this.#renewedMs = startedMs;
  }

  get resource(): string {
    return this.#chain.resource;
  }

  get token(): number {
    return this.link.token;
  }

  get leftMs(): number {
    return Math.max(0, this.#renewedMs + this.link.ttlMs - performance.now());
  }

  check(): Promise<void> {
    return this.#inTurn(async () => {
      if (performance.now() - this.#renewedMs >= this.link.ttlMs / 2) return this.#renew();
      await this.#confirm(async (copy) => {
        this.#requireOurs(await this.#chain.top(copy));
      });
    });
  }

  renew(): Promise<void> {
    return this.#inTurn(() => this.#renew());
  }

  release(): Promise<void> {
    return this.#inTurn(async () => {
      for (const copy of this.#held) {
        await attempt(this.#core.copies, copy, async () => {
          const top = await this.#chain.top(copy);
          if (top?.link.holder !== this.link.holder || top.link.state === 'released') return;
          await this.#chain.append(copy, top.position + 1, { ...this.link, state: 'released' });
        });
      }
    });
  }

  async #renew(): Promise<void> {
    const startedMs = performance.now();
    await this.#confirm(async (copy) => {
      const position = this.#requireOurs(await this.#chain.top(copy)).position + 1;
      if (!(await this.#chain.append(copy, position, this.link)))
        throw this.#fenced((await this.#chain.top(copy))?.link);
      await this.#chain.clean(copy, position);
    });
    this.#renewedMs = startedMs;
  }

  /** `ask` must succeed on enough copies; one that shows another holder is enough to stop. */
  async #confirm(ask: (copy: Copy) => Promise<void>): Promise<void> {
    let confirmed = 0;
    let failure: HoldfastError | undefined;
    for (const copy of this.#held) {
      try {
        await ask(copy);
        confirmed++;
      } catch (error) {
        if (isHoldfastError(error, 'FENCED', 'OBJECT_DAMAGED')) throw error;
        failure = this.#core.copies.failed(copy, error);
      }
    }
    if (confirmed >= neededCopies(this.#core)) return;
    fail('POLICY_UNMET', `the lease on '${this.resource}' cannot be confirmed`, { cause: failure });
  }

  #requireOurs(top: Top | undefined): Top {
    if (top?.link.holder === this.link.holder && top.link.state === 'held') return top;
    throw this.#fenced(top?.link);
  }

  #fenced(link: Link | undefined): HoldfastError {
    return new HoldfastError('FENCED', `'${this.resource}' is held by '${link?.owner ?? 'nobody'}' by now`, {
      details: { ourToken: this.token, ...(link && { token: link.token, owner: link.owner }) },
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => {});
    return mine;
  }
}
