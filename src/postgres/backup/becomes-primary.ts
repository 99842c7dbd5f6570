// Why the standby is not asked, or did not give what it was asked for: the primary is, and the run says so.

import { isHoldfastError } from '../../errors/index.ts';
import { TakenOtherwise } from './otherwise.ts';

/** Ends an attempt to take a base backup from the standby. `message` completes "taken from the primary, because …". */
export class BecomesPrimary extends TakenOtherwise {
  override readonly name = 'BecomesPrimary';
  override readonly obstacle = 'standby';
}

export function becomesPrimary(because: string): never {
  throw new BecomesPrimary(because);
}

/** What the standby says, or sends, against a backup is a reason to ask the primary; the rest is an error like any other. */
export function standbysFault(error: unknown): BecomesPrimary | undefined {
  if (!isHoldfastError(error)) return undefined;
  const { code, message, details } = error;
  const isIts = code.startsWith('DATABASE_') || code === 'BACKUP_INVALID' || typeof details?.sqlstate === 'string';
  return isIts ? new BecomesPrimary(message) : undefined;
}
