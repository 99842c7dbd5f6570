// Objects on their way to all copies at once: bounded memory, a copy that fails is left behind, the rest goes on while the policy can hold.

import { transferDeadlineMs } from '../stores/deadline.ts';
import { type Copies, type Copy, requirePolicy } from './copies.ts';
import { putSame } from './core.ts';
import type { CommitPolicy } from './types.ts';

/** Objects on their way at once: enough to keep stores busy. */
const MOST_IN_MEMORY = 3;

export class Uploads {
  readonly #copies: Copies;
  readonly #policy: CommitPolicy;
  readonly #targets: readonly Copy[];
  readonly #failures = new Map<Copy, Error>();
  readonly #stop = new AbortController();
  readonly #inFlight = new Set<Promise<void>>();
  readonly #onStored: (copy: Copy, key: string, sizeBytes: number) => void;

  constructor(
    copies: Copies,
    policy: CommitPolicy,
    targets: readonly Copy[],
    onStored: (copy: Copy, key: string, sizeBytes: number) => void,
  ) {
    this.#copies = copies;
    this.#policy = policy;
    this.#targets = targets;
    this.#onStored = onStored;
  }

  /** Copies that took everything so far. */
  get alive(): Copy[] {
    return this.#targets.filter((copy) => !this.#failures.has(copy));
  }

  /** Why the first copy was left behind. */
  get firstFailure(): Error | undefined {
    return [...this.#failures.values()][0];
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /**
   * Resolves when there is room for the next object. `onSettled`: no copy waits for it any more; `isFree` when every copy took it, so that nobody
   * reads the bytes: a call that was given up may still be reading them. Throws `POLICY_UNMET` when too few copies are left.
   */
  async add(key: string, bytes: Uint8Array, sha256?: string, onSettled?: (isFree: boolean) => void): Promise<void> {
    this.check();
    const upload = Promise.all(this.alive.map((copy) => this.#put(copy, key, bytes, sha256))).then((stored) => {
      onSettled?.(stored.every(Boolean));
    });
    this.#inFlight.add(upload);
    void upload.finally(() => this.#inFlight.delete(upload));
    while (this.#inFlight.size >= MOST_IN_MEMORY) await Promise.race(this.#inFlight);
    this.check();
  }

  /** Waits for everything that is on its way. */
  async drain(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight);
    this.check();
  }

  /** Leaves a copy behind for a reason found elsewhere. */
  leaveBehind(copy: Copy, cause: unknown): void {
    this.#failures.set(copy, this.#copies.failed(copy, cause));
  }

  check(): void {
    this.#stop.signal.throwIfAborted();
    requirePolicy(this.#policy, this.alive, 'the snapshot cannot be kept', this.firstFailure);
  }

  async abandon(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#inFlight);
  }

  async #put(copy: Copy, key: string, bytes: Uint8Array, sha256?: string): Promise<boolean> {
    const options = { signal: this.#stop.signal, deadlineMs: transferDeadlineMs(bytes.length) };
    try {
      await putSame(copy.store, key, bytes, { ...options, ...(sha256 !== undefined && { sha256 }) });
      this.#onStored(copy, key, bytes.length);
      return true;
    } catch (error) {
      if (!this.#stop.signal.aborted) this.leaveBehind(copy, error);
      return false;
    }
  }
}
