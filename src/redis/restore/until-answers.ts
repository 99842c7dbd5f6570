// Waits until a server that was started has loaded its data and answers.

import { setTimeout as sleep } from 'node:timers/promises';
import { fail, isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import { RedisConnection, type RedisSource } from '../connection/index.ts';
import { readInfo } from '../identity.ts';

const LIMIT_MS = 30 * 60_000;
const POLL_MS = 200;

/** Gives how many keys it has. Throws `RECOVERY_FAILED` with its last word when it does not within half an hour. */
export async function untilAnswers(source: RedisSource): Promise<number> {
  for (const giveUpAt = performance.now() + LIMIT_MS; ; await sleep(POLL_MS)) {
    try {
      return await keysOf(source);
    } catch (error) {
      if (!isHoldfastError(error, 'REDIS_UNREACHABLE')) throw error;
      if (performance.now() > giveUpAt) {
        fail('RECOVERY_FAILED', `the server does not come back: ${toHoldfastError(error).message}`, { cause: error });
      }
    }
  }
}

/** One that is away for longer is not coming by itself: its manager starts it again at once, or not at all. */
const AWAY_LIMIT_MS = 30_000;

/** A server that was ended by what it was sent loads its own data again: it is asked for nothing else until then. Throws `REDIS_UNREACHABLE` when it does not come. */
export async function untilLoaded(source: RedisSource, awayMs = AWAY_LIMIT_MS): Promise<void> {
  const begun = performance.now();
  for (let seenAt = begun; ; await sleep(POLL_MS)) {
    try {
      if (!(await isLoading(source))) return;
      seenAt = performance.now();
      if (seenAt - begun > LIMIT_MS) return;
    } catch (error) {
      if (!isHoldfastError(error, 'REDIS_UNREACHABLE') || performance.now() - seenAt > awayMs) throw error;
    }
  }
}

async function isLoading(source: RedisSource): Promise<boolean> {
  const connection = await RedisConnection.open(source);
  try {
    return (await readInfo(connection)).get('loading') === '1';
  } finally {
    connection.close();
  }
}

async function keysOf(source: RedisSource): Promise<number> {
  const connection = await RedisConnection.open(source);
  try {
    await connection.call('see whether it has loaded', 'PING');
    const counts = [...(await readInfo(connection))].flatMap(([name, value]) => {
      const keys = /^db\d+$/.test(name) ? /^keys=(\d+)/.exec(value)?.[1] : undefined;
      return keys === undefined ? [] : [Number(keys)];
    });
    return counts.reduce((sum, count) => sum + count, 0);
  } finally {
    connection.close();
  }
}
