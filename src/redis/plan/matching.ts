// How many keys a restore by pattern would make and replace, where a plan may take the time and the memory to know it.

import type { Moment } from '../../domain/moment.ts';
import type { RedisPlan } from '../../domain/redis-restore.ts';
import { bytesText } from '../../domain/size.ts';
import { type HoldfastError, toHoldfastError } from '../../errors/index.ts';
import type { SnapshotOnCopies, Vault } from '../../vault/types.ts';
import type { RedisSource } from '../connection/index.ts';
import type { ServerIdentity } from '../identity.ts';
import { countKeys } from '../restore/pattern.ts';

export interface CountLimits {
  /** Of the snapshot; default 256 MiB, which a store sends and a server loads within seconds. */
  readonly sizeBytes?: number;
  /** Of the server, all of whose names are looked at; default a million. */
  readonly keys?: number;
  /** Default a minute: whoever asked for the plan waits for it. */
  readonly withinMs?: number;
}

const MOST_BYTES = 256 * 1024 * 1024;
const MOST_KEYS = 1_000_000;
const WITHIN_MS = 60_000;

export interface Counting {
  readonly vault: Vault;
  readonly snapshot: SnapshotOnCopies;
  readonly from: string;
  readonly moment?: Moment;
  readonly source: RedisSource;
  readonly programs?: string;
  readonly pattern: string;
  readonly limits?: CountLimits;
  readonly signal: AbortSignal;
}

export type Counted = Pick<RedisPlan, 'matching' | 'warnings'> & { readonly problems: readonly HoldfastError[] };

/** What a later call may do better is thrown; anything else would stop the restore too, and is in its way: `NOT_FOUND` when nothing matches. */
export async function countMatching(
  { keys }: Pick<ServerIdentity, 'keys'>,
  sizeBytes: number,
  { limits = {}, ...counting }: Counting,
): Promise<Counted> {
  const { sizeBytes: mostBytes = MOST_BYTES, keys: mostKeys = MOST_KEYS, withinMs = WITHIN_MS } = limits;
  if (sizeBytes > mostBytes) return notCounted(`the snapshot has more than ${bytesText(mostBytes)}`);
  if (keys > mostKeys) return notCounted(`the server has ${keys} keys, more than ${mostKeys}`);
  const late = AbortSignal.timeout(withinMs);
  try {
    const matching = await countKeys({ ...counting, signal: AbortSignal.any([counting.signal, late]) });
    return { matching, warnings: [], problems: [] };
  } catch (error) {
    if (counting.signal.aborted) throw error;
    if (late.aborted) return notCounted(`it took longer than ${withinMs / 1000} s`);
    const problem = toHoldfastError(error);
    if (problem.retryable) throw error;
    return { warnings: [], problems: [problem] };
  }
}

const notCounted = (why: string): Counted => ({
  warnings: [`how many keys match was not counted: ${why}; a restore that finds none ends with NOT_FOUND`],
  problems: [],
});
