// A table that somebody else holds: how the server says so, and how to find whoever it is.

import type { TableName } from '../../../domain/part.ts';
import { HoldfastError } from '../../../errors/index.ts';
import { quoted } from './table-names.ts';

const LOCK_NOT_AVAILABLE = '55P03';

export function isLockTimeout(error: unknown): boolean {
  return error instanceof HoldfastError && error.details?.sqlstate === LOCK_NOT_AVAILABLE;
}

export function holderHint(table: TableName): string {
  return `who holds it: SELECT pid, usename, query FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE relation = '${quoted(table).replaceAll("'", "''")}'::regclass`;
}
