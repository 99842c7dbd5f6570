// What it means for a run of retention that something held could not be kept locked, alone or beside what else it failed for.

import { type ErrorData, HoldfastError } from '../errors/index.ts';
import type { HeldLocks } from './retention-report.ts';

/** What is held stays whatever happens; that it could be deleted by whoever may must not pass in silence. */
export function unlockedError(held: readonly HeldLocks[]): HoldfastError | undefined {
  const failed = held.flatMap(({ copy, error }) => (error === undefined ? [] : [{ copy, error }]));
  const [first] = failed;
  if (first === undefined) return undefined;
  const { code, message, hint } = first.error;
  const others = failed.length > 1 ? ` (and on ${failed.length - 1} more)` : '';
  const words = `what is held on '${first.copy}' could not be kept locked: ${message}${others}`;
  return new HoldfastError(code, words, { hint, details: { held } });
}

type Told = Pick<HoldfastError, keyof ErrorData> | ErrorData;

/** The locks come first: they run out by themselves, while what was not marked or deleted is still there. */
export function besideUnlocked(unlocked: Told, other: Told): HoldfastError {
  const { code, message, hint, details } = unlocked;
  // A key that does not open the vault, or a worker that is not there, is told once.
  if (other.code === code && other.message === message) return new HoldfastError(code, message, { hint });
  return new HoldfastError(code, `${message}; and ${other.message} (${other.code})`, {
    hint: other.hint === hint ? hint : `${hint}; ${other.hint}`,
    details: { ...details, other: { code: other.code, message: other.message, hint: other.hint } },
  });
}
