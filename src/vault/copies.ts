// The copies of a vault: which ones are ready, why the others are away, and when those are asked again.

import type { Logger } from 'pino';
import { fail, type HoldfastError, isHoldfastError, toHoldfastError } from '../errors/index.ts';
import type { Store, StoreProperties } from '../stores/store.ts';
import type { VaultKeys } from './crypto.ts';
import { type Descriptor, parseDescriptor, verifyDescriptor } from './descriptor.ts';
import { DESCRIPTOR_KEY } from './layout.ts';
import type { CommitPolicy, CopyCondition, CopyDescription } from './types.ts';
import { getThrough } from './versions.ts';

/** A copy that is away is asked again at most this often, so that one dead store does not slow every call. */
const ASK_AGAIN_AFTER_MS = 10_000;
const ASK_DEADLINE_MS = 10_000;
/** One that took so long to fail, silent or refusing, is not waited for again before some times as long has passed: it would slow every call. */
const LONG_MS = 1000;
const REST = 3;

export interface Copy {
  readonly description: CopyDescription;
  readonly store: Store;
}

interface State {
  error: HoldfastError | undefined;
  /** When the answer, or the failure, came, and after how long. */
  askedAtMs: number;
  tookMs: number;
}

export class Copies {
  readonly all: readonly Copy[];
  readonly #keys: VaultKeys;
  readonly #logger: Logger;
  readonly #states = new Map<string, State>();
  readonly #properties = new Map<string, Promise<StoreProperties>>();

  constructor(all: readonly Copy[], keys: VaultKeys, logger: Logger) {
    this.all = all;
    this.#keys = keys;
    this.#logger = logger;
  }

  get(name: string): Copy {
    return (
      this.all.find((copy) => copy.description.name === name) ??
      fail('USAGE', `there is no copy '${name}'`, {
        hint: `the copies are ${this.all.map((copy) => `'${copy.description.name}'`).join(', ')}`,
      })
    );
  }

  /** Asks every copy anew, but for those that took long to fail just now. */
  async conditions(): Promise<readonly CopyCondition[]> {
    return Promise.all(
      this.all.map(async (copy) => {
        const { name } = copy.description;
        const known = this.#states.get(name);
        const error = known && rests(known) ? known.error : await this.#ask(copy);
        if (error === undefined) return { name, state: 'ready' } as const;
        return { name, state: 'away', error: { code: error.code, message: error.message, hint: error.hint } } as const;
      }),
    );
  }

  /** How long somebody waited for a copy that did not answer, before this was made. */
  remember(copy: Copy, error: HoldfastError, tookMs: number): void {
    this.#states.set(copy.description.name, { error, askedAtMs: performance.now(), tookMs });
  }

  /** Copies that answered last time, and those that do now. */
  async ready(): Promise<Copy[]> {
    const ready = await Promise.all(this.all.map((copy) => this.#isReady(copy)));
    return this.all.filter((_, index) => ready[index]);
  }

  /** Throws why `copy` is no copy of this vault, or away: for who waits for this one alone, so that it is asked anew unless it answered last time. */
  async requireReady(copy: Copy): Promise<void> {
    const state = this.#states.get(copy.description.name);
    const error = state && !state.error ? undefined : await this.#ask(copy);
    if (error) throw error;
  }

  /** Throws why `copy` cannot be used now. */
  async require(name: string): Promise<Copy> {
    const copy = this.get(name);
    const error = await this.#ask(copy);
    if (error) throw error;
    return copy;
  }

  /** What the copy's store really does; probed once. */
  properties(copy: Copy): Promise<StoreProperties> {
    const { name } = copy.description;
    const known = this.#properties.get(name);
    if (known) return known;
    const probing = copy.store.probe();
    this.#properties.set(name, probing);
    probing.catch(() => this.#properties.delete(name));
    return probing;
  }

  /** Remembers a failed call, so that the next calls leave the copy alone for a while. Gives the error as ours. */
  failed(copy: Copy, cause: unknown): HoldfastError {
    const error = toHoldfastError(cause);
    // What this host may not do there by its own configuration takes nothing from the rest.
    const isOwnChoice = error.details?.purpose !== undefined;
    if (isHoldfastError(error, 'STORE_UNAVAILABLE', 'STORE_DENIED', 'STORE_UNFIT') && !isOwnChoice) {
      this.#states.set(copy.description.name, { error, askedAtMs: performance.now(), tookMs: 0 });
    }
    this.#logger.warn({ copy: copy.description.name, code: error.code }, error.message);
    return error;
  }

  /** Asks all ready copies the same; those that fail are noted and left out. Throws `POLICY_UNMET` when none answers. */
  async fromEach<T>(what: string, ask: (copy: Copy) => Promise<T>): Promise<Map<string, T>> {
    const answers = new Map<string, T>();
    let last: HoldfastError | undefined;
    await Promise.all(
      (await this.ready()).map(async (copy) => {
        try {
          answers.set(copy.description.name, await ask(copy));
        } catch (error) {
          last = this.failed(copy, error);
        }
      }),
    );
    if (answers.size === 0) {
      const cause = last ?? [...this.#states.values()].find((state) => state.error)?.error;
      fail('POLICY_UNMET', `no copy answers: ${what}`, {
        cause,
        ...(cause && { hint: `${cause.message}; ${cause.hint}` }),
      });
    }
    return answers;
  }

  async #isReady(copy: Copy): Promise<boolean> {
    const state = this.#states.get(copy.description.name);
    if (state && (!state.error || performance.now() - state.askedAtMs < ASK_AGAIN_AFTER_MS || rests(state))) {
      return !state.error;
    }
    return (await this.#ask(copy)) === undefined;
  }

  async #ask(copy: Copy): Promise<HoldfastError | undefined> {
    let error: HoldfastError | undefined;
    const beganMs = performance.now();
    try {
      await readDescriptor(copy, (descriptor) => {
        if (descriptor.vault !== this.#keys.id) {
          fail('VAULT_OTHER', `'${copy.store.location}' holds another vault (${descriptor.vault})`);
        }
        verifyDescriptor(this.#keys, copy.description.name, descriptor);
      });
    } catch (cause) {
      error = toHoldfastError(cause);
    }
    const askedAtMs = performance.now();
    this.#states.set(copy.description.name, { error, askedAtMs, tookMs: askedAtMs - beganMs });
    return error;
  }
}

function rests({ error, askedAtMs, tookMs }: State): boolean {
  return error !== undefined && tookMs >= LONG_MS && performance.now() - askedAtMs < REST * tookMs;
}

/**
 * Throws `VAULT_MISSING` when the store says that there is no descriptor, `OBJECT_DAMAGED`, and what `check` throws. `read`: `getFirst` as long as
 * the vault key is not known.
 */
export async function readDescriptor(
  copy: Copy,
  check: (descriptor: Descriptor) => void,
  read: typeof getThrough = getThrough,
): Promise<Buffer> {
  try {
    const { name } = copy.description;
    return await read(copy.store, DESCRIPTOR_KEY, (bytes) => check(parseDescriptor(name, bytes)), {
      deadlineMs: ASK_DEADLINE_MS,
    });
  } catch (cause) {
    if (!isHoldfastError(cause, 'OBJECT_MISSING')) throw cause;
    return fail('VAULT_MISSING', `there is no vault in '${copy.store.location}'`, { cause });
  }
}

/** Whether these copies are enough to call something durable. */
export function meetsPolicy(policy: CommitPolicy, copies: readonly Copy[]): boolean {
  return copies.length >= policy.copies && copies.filter((copy) => copy.description.offsite).length >= policy.offsite;
}

export function requirePolicy(policy: CommitPolicy, copies: readonly Copy[], what: string, cause?: unknown): void {
  if (meetsPolicy(policy, copies)) return;
  const names = copies.map((copy) => `'${copy.description.name}'`).join(', ') || 'no copy';
  const offsite = policy.offsite > 0 ? `, ${policy.offsite} of them off-site` : '';
  fail('POLICY_UNMET', `${what}: only ${names} can hold it, the policy asks for ${policy.copies} copies${offsite}`, {
    cause,
    details: { copies: copies.map((copy) => copy.description.name), policy },
  });
}
