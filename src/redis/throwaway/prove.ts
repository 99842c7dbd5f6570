// The proof of a snapshot's RDB: checked as a file, loaded, and compared with the facts that were noted when it was captured.

import { fail } from '../../errors/index.ts';
import { checkRdbFile } from '../rdb/check-program.ts';
import type { RdbFacts } from '../rdb/index.ts';
import type { RedisTools } from '../tools.ts';
import { type Comparison, compareWithFacts } from './compare.ts';
import { type Throwaway, withThrowaway } from './server.ts';

export interface ProveOptions {
  readonly tools: RedisTools;
  /** Holds `dump.rdb`. */
  readonly directory: string;
  readonly facts: RdbFacts;
  readonly signal: AbortSignal;
}

/** Throws `BACKUP_INVALID`, `RECOVERY_FAILED`, and `CHECK_FAILED` with every difference. `then` may use the server before it ends. */
export async function proveRdb(
  { tools, directory, facts, signal }: ProveOptions,
  then?: (throwaway: Throwaway) => Promise<void>,
): Promise<Comparison> {
  await checkRdbFile(tools, `${directory}/dump.rdb`, signal);
  const databases = Math.max(0, ...facts.databases.map(({ number }) => number + 1));
  const memory = facts.usedMemoryBytes === undefined ? {} : { memoryBytes: facts.usedMemoryBytes };
  return await withThrowaway({ tools, directory, databases, ...memory, signal }, async (throwaway) => {
    const comparison = await compareWithFacts(throwaway.connection, facts, { isFresh: true });
    requireSame(comparison);
    await then?.(throwaway);
    return comparison;
  });
}

/** Throws `CHECK_FAILED`. */
export function requireSame({ differences }: Comparison): void {
  if (differences.length === 0) return;
  fail('CHECK_FAILED', `the loaded data is not what was captured: ${differences.join('; ')}`, {
    details: { differences },
  });
}
