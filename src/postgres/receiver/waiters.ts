// Those who wait for a condition that others bring about; each is looked at again whenever something changed.

import { HoldfastError } from '../../errors/index.ts';

interface Waiter {
  readonly isDone: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: HoldfastError) => void;
}

export class Waiters {
  private readonly waiting = new Set<Waiter>();

  /** Throws `CANCELLED` when the signal fires first, or what `fail` was given. */
  until(isDone: () => boolean, signal?: AbortSignal): Promise<void> {
    if (isDone()) return Promise.resolve();
    const cancelled = () => new HoldfastError('CANCELLED', 'the wait for the log was cancelled');
    if (signal?.aborted) return Promise.reject(cancelled());
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.waiting.delete(waiter);
        signal?.removeEventListener('abort', onAbort);
      };
      const onAbort = () => waiter.reject(cancelled());
      const waiter: Waiter = {
        isDone,
        resolve: () => {
          leave();
          resolve();
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.waiting.add(waiter);
    });
  }

  look(): void {
    for (const waiter of this.waiting) if (waiter.isDone()) waiter.resolve();
  }

  fail(error: HoldfastError): void {
    for (const waiter of this.waiting) waiter.reject(error);
  }
}
