// What an error means for a receiver: to try again, to read again from the copies, or to end and leave the next attempt to its keeper.

import { type ErrorCode, type HoldfastError, isHoldfastError } from '../../errors/index.ts';
import type { ForeignLog } from './types.ts';

/** What a receiver cannot mend with the url and the identity that it was given. */
const hopeless: readonly ErrorCode[] = [
  'DATABASE_IDENTITY',
  'DATABASE_AUTH',
  'DATABASE_PRIVILEGE',
  'DATABASE_HBA',
  'DATABASE_SETTING',
  'SECRET_UNRESOLVED',
];

/** What was received makes no sense, or its spool cannot be written; no store but the spool is spoken to on the receiver's own way. */
const unreliable: readonly ErrorCode[] = ['OBJECT_DAMAGED', 'NO_SPACE', 'STORE_UNAVAILABLE'];

/** `forget`: what was received is not relied on, and read again from what the copies have. */
export function verdictOf(error: HoldfastError): 'end' | 'forget' | 'again' {
  if (isHoldfastError(error, ...hopeless)) return 'end';
  return isHoldfastError(error, ...unreliable) ? 'forget' : 'again';
}

/** The object that an alarm of a copy names, so that the next receiver can look whether it is still there. */
export function foreignLog({ code, message, details }: HoldfastError): ForeignLog | undefined {
  const { copy, key, stored } = details ?? {};
  if (code !== 'OBJECT_EXISTS' || typeof copy !== 'string') return undefined;
  return { copy, key: String(key), sha256: String(stored), message };
}
