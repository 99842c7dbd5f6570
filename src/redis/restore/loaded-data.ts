// Whether a server that was started has loaded what was brought in, while its clients may be writing already.

import { fail, isHoldfastError } from '../../errors/index.ts';
import { RedisConnection, type RedisSource } from '../connection/index.ts';
import { identify } from '../identity.ts';
import type { RdbFacts } from '../rdb/index.ts';
import { compareLoaded, compareLoading, compareTaken } from '../throwaway/compare.ts';
import { type DataPlace, requireProcessOf, requireServerOf } from './server-place.ts';

const NOTHING_LEFT =
  'whether the server has loaded what was brought in could not be compared any more: it was started again since, and no key that was looked at is to be there still';

/**
 * Of a server that somebody has started, at some time: what it has become since (a replica, watched by Sentinel, one with append-only files) is no
 * matter of what it loaded. Gives a warning where nothing can be compared any more. Throws `JOURNAL_STATE` as long as none answers, `TARGET_UNFIT`
 * when it works elsewhere, `CHECK_FAILED` with what is missing, `REDIS_PRIVILEGE` when its keys must be looked at and may not be.
 */
export async function requireTaken(
  source: RedisSource,
  facts: RdbFacts,
  directory: string,
): Promise<readonly string[]> {
  try {
    return await taken(source, facts, directory);
  } catch (error) {
    if (!isHoldfastError(error, 'REDIS_UNREACHABLE')) throw error;
    fail('JOURNAL_STATE', `nothing shows that a server has taken what was brought in: ${error.message}`, {
      hint: 'start the server and confirm again: what it has is compared before what was there is removed',
      cause: error,
    });
  }
}

async function taken(source: RedisSource, facts: RdbFacts, directory: string): Promise<readonly string[]> {
  const connection = await RedisConnection.open(source);
  try {
    await requireProcessOf(connection, await identify(connection), directory);
    const { differences, hasCompared } = await compareTaken(connection, facts);
    if (differences.length === 0) return hasCompared ? [] : [NOTHING_LEFT];
    return fail('CHECK_FAILED', `'${connection.where}' does not have what was brought in: ${differences.join('; ')}`, {
      hint: 'see that it reads what lies in its data directory (by its own log and configuration), start it again, and confirm again; what was there before stays kept until then',
      details: { differences },
    });
  } finally {
    connection.close();
  }
}

/** Throws `CHECK_FAILED` with what it has instead, and as `requireServerOf`. */
export async function requireLoaded(source: RedisSource, facts: RdbFacts, place: DataPlace): Promise<void> {
  const connection = await RedisConnection.open(source);
  try {
    await requireServerOf(connection, await identify(connection), place);
    const differences = await compareLoaded(connection, facts).catch((error: unknown) => {
      // The least role may not read keys: what the server says of its own loading can be compared all the same.
      if (isHoldfastError(error, 'REDIS_PRIVILEGE')) return compareLoading(connection, facts);
      throw error;
    });
    if (differences.length === 0) return;
    fail('CHECK_FAILED', `'${connection.where}' did not load what was brought in: ${differences.join('; ')}`, {
      details: { differences },
    });
  } finally {
    connection.close();
  }
}
