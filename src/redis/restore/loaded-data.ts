// Whether a server that was started has loaded what was brought in, while its clients may be writing already.

import { fail, isHoldfastError } from '../../errors/index.ts';
import { RedisConnection, type RedisSource } from '../connection/index.ts';
import { identify } from '../identity.ts';
import type { RdbFacts } from '../rdb/index.ts';
import { compareLoaded, compareLoading, compareTaken } from '../throwaway/compare.ts';
import { type DataPlace, requireServerOf } from './server-place.ts';

/** Throws `CHECK_FAILED` with what it has instead, and as `requireServerOf`. */
export async function requireLoaded(source: RedisSource, facts: RdbFacts, place: DataPlace): Promise<void> {
  await requireData(source, facts, place, compareLoaded);
}

/** Of a server that somebody has started, at some time. Throws `JOURNAL_STATE` as long as none answers, and the same. */
export async function requireTaken(source: RedisSource, facts: RdbFacts, place: DataPlace): Promise<void> {
  try {
    await requireData(source, facts, place, compareTaken);
  } catch (error) {
    if (!isHoldfastError(error, 'REDIS_UNREACHABLE')) throw error;
    fail('JOURNAL_STATE', `nothing shows that a server has taken what was brought in: ${error.message}`, {
      hint: 'start the server and confirm again: what it has is compared before what was there is removed',
      cause: error,
    });
  }
}

type Compare = (connection: RedisConnection, facts: RdbFacts) => Promise<readonly string[]>;

async function requireData(source: RedisSource, facts: RdbFacts, place: DataPlace, compare: Compare): Promise<void> {
  const connection = await RedisConnection.open(source);
  try {
    await requireServerOf(connection, await identify(connection), place);
    const differences = await compare(connection, facts).catch((error: unknown) => {
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
