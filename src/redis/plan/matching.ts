// How many keys a restore by pattern would make and replace, where a plan may take the time and the memory to know it.

import type { Moment } from '../../domain/moment.ts';
import type { RedisPlan } from '../../domain/redis-restore.ts';
import { bytesText } from '../../domain/size.ts';
import { type ErrorCode, type HoldfastError, toHoldfastError } from '../../errors/index.ts';
import type { SnapshotOnCopies, Vault } from '../../vault/types.ts';
import type { RedisSource } from '../connection/index.ts';
import type { ServerIdentity } from '../identity.ts';
import type { StoredDetails } from '../restore/fetch.ts';
import { countKeys } from '../restore/pattern.ts';
import { availableMemoryBytes } from '../throwaway/server.ts';
import { inCountingPlace } from './counting-place.ts';

export interface CountLimits {
  /** Of the snapshot; default 256 MiB, which a store sends and a server loads within seconds. */
  readonly sizeBytes?: number;
  /** What the snapshot takes of it when it is loaded; default half of what the host has left, because production needs the other one. */
  readonly memoryBytes?: number;
  /** Of the server, all of whose names are looked at; default a million. */
  readonly keys?: number;
  /** Default a minute: whoever asked for the plan waits for it. */
  readonly withinMs?: number;
}

const MOST_BYTES = 256 * 1024 * 1024;
const MOST_KEYS = 1_000_000;
const WITHIN_MS = 60_000;

/** What stops the restore too, before it touches anything. Anything else is of the counting: a restore that cannot do it says so itself, and nobody is kept from trying. */
const inTheWay: readonly ErrorCode[] = [
  ...(['NOT_FOUND', 'TOOL_VERSION'] as const),
  // Not `REDIS_UNREACHABLE`: it may be the throwaway server that is gone.
  ...(['REDIS_AUTH', 'REDIS_PRIVILEGE', 'REDIS_UNFIT', 'REDIS_IDENTITY'] as const),
];

export interface Counting {
  readonly vault: Vault;
  readonly snapshot: SnapshotOnCopies;
  readonly from: string;
  readonly moment?: Moment;
  readonly source: RedisSource;
  readonly programs?: string;
  readonly pattern: string;
  readonly run: string;
  /** As `PlanRedisOptions` has it: what is counted lies below it meanwhile. */
  readonly runs: string;
  readonly limits?: CountLimits;
  readonly signal: AbortSignal;
}

export type Counted = Pick<RedisPlan, 'matching' | 'warnings'> & { readonly problems: readonly HoldfastError[] };

/** Throws `CANCELLED` alone. What would stop the restore too is in its way: `NOT_FOUND` when nothing matches. */
export async function countMatching(
  server: Pick<ServerIdentity, 'keys'>,
  details: StoredDetails,
  { limits = {}, run, runs, ...counting }: Counting,
): Promise<Counted> {
  const { withinMs = WITHIN_MS } = limits;
  const late = AbortSignal.timeout(withinMs);
  const signal = AbortSignal.any([counting.signal, late]);
  try {
    const why = await reasonNotTo(server, details, limits);
    if (why !== undefined) return notCounted(why);
    const matching = await inCountingPlace(runs, run, (place) => countKeys({ ...counting, signal }, place));
    return { matching, warnings: [], problems: [] };
  } catch (error) {
    if (counting.signal.aborted) throw error;
    if (late.aborted) return notCounted(`it took longer than ${withinMs / 1000} s`);
    const problem = toHoldfastError(error);
    return inTheWay.includes(problem.code) ? { warnings: [], problems: [problem] } : notCounted(problem.message);
  }
}

/** In words; undefined where a plan may take the time and the memory. */
async function reasonNotTo(
  { keys }: Pick<ServerIdentity, 'keys'>,
  { sizeBytes, facts, log }: StoredDetails,
  { sizeBytes: mostBytes = MOST_BYTES, keys: mostKeys = MOST_KEYS, memoryBytes }: CountLimits,
): Promise<string | undefined> {
  if (sizeBytes > mostBytes) return `the snapshot has more than ${bytesText(mostBytes)}`;
  if (keys > mostKeys) return `the server has ${keys} keys, more than ${mostKeys}`;
  const { usedMemoryBytes } = facts;
  if (usedMemoryBytes === undefined) return 'how much memory it takes is not known';
  if (log !== undefined && log.sizeBytes > 0) return 'how much memory it takes with its log is not known';
  const mostMemory = memoryBytes ?? (await availableMemoryBytes()) / 2;
  if (usedMemoryBytes <= mostMemory) return undefined;
  return `it takes ${bytesText(usedMemoryBytes)} of memory, more than the ${bytesText(mostMemory)} that a plan may take here`;
}

const notCounted = (why: string): Counted => ({
  warnings: [`how many keys match was not counted: ${why}; a restore that finds none ends with NOT_FOUND`],
  problems: [],
});
