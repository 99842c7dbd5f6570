// The copy that a snapshot is read from: the preferred one where it has it, else the first that does.

import { fail } from '../errors/index.ts';
import type { SnapshotOnCopies } from './types.ts';

/** Throws `OBJECT_MISSING` when no copy that answers has it. */
export function servingCopy({ id, copies }: SnapshotOnCopies, preferred: string | undefined): string {
  const present = Object.keys(copies).filter((copy) => copies[copy] === 'present');
  if (preferred !== undefined && present.includes(preferred)) return preferred;
  const away = Object.keys(copies).filter((copy) => copies[copy] === 'away');
  return (
    present[0] ??
    fail('OBJECT_MISSING', `no copy that answers has snapshot '${id}'`, { hint: `away: ${away.join(', ') || 'none'}` })
  );
}
