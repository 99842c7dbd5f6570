// The proof of a snapshot's RDB: checked as a file, loaded, and compared with the facts that were noted when it was captured.

import path from 'node:path';
import { fail } from '../../errors/index.ts';
import { duringCheck } from '../rdb/check-program.ts';
import type { RdbFacts } from '../rdb/index.ts';
import type { RedisTools } from '../tools.ts';
import { RDB_FILE } from '../types.ts';
import { type Comparison, compareWithFacts } from './compare.ts';
import { type Throwaway, withThrowaway } from './server.ts';

export interface ProveOptions {
  readonly tools: RedisTools;
  /** Holds `dump.rdb`. */
  readonly directory: string;
  readonly facts: RdbFacts;
  readonly signal: AbortSignal;
}

/**
 * Throws `BACKUP_INVALID`, `RECOVERY_FAILED`, and `CHECK_FAILED` with every difference. `then` may use the server before it ends, once nothing is
 * left to be found.
 */
export async function proveRdb(
  { tools, directory, facts, signal }: ProveOptions,
  then?: (throwaway: Throwaway) => Promise<void>,
): Promise<Comparison> {
  const databases = databasesOf(facts);
  const memory = facts.usedMemoryBytes === undefined ? {} : { memoryBytes: facts.usedMemoryBytes };
  return await duringCheck(tools, path.join(directory, RDB_FILE), signal, async (check) => {
    const options = { tools, directory, databases, ...memory, signal: check.signal };
    return await withThrowaway(options, async (throwaway) => {
      const comparison = await compareWithFacts(throwaway.connection, facts, { isFresh: true });
      requireSame(comparison);
      await check.passed;
      await then?.(throwaway);
      return comparison;
    });
  });
}

/** So many a server must have. */
export function databasesOf({ databases }: RdbFacts): number {
  return Math.max(0, ...databases.map(({ number }) => number + 1));
}

/** Throws `CHECK_FAILED`. */
export function requireSame({ differences }: Comparison): void {
  if (differences.length === 0) return;
  fail('CHECK_FAILED', `the loaded data is not what was captured: ${differences.join('; ')}`, {
    details: { differences },
  });
}
