// Giving back data of Redis on its own host: as the frozen plan says, each place under its lease, what was there kept.

import type { RedisGiven, RedisPlan } from '../domain/redis-restore.ts';
import { bytesText } from '../domain/size.ts';
import { fail } from '../errors/index.ts';
import {
  type Comparison,
  requireNoOther,
  restoreBeside,
  restoreInPlace,
  restoreKeys,
  restoreLive,
} from '../redis/index.ts';
import type { SnapshotId } from '../vault/index.ts';
import {
  type Check,
  inPlaceOf,
  journalPlaces,
  keptIn,
  livePlace,
  type RedisRestoring,
  redisOn,
  serverOf,
} from './redis-places.ts';
import { leased } from './restore-guard.ts';

export interface Watching {
  readonly signal: AbortSignal;
  readonly onNote: (words: string) => void;
}

/** Throws as the engine does; after an error `undoRedis` takes back whatever was done. */
export async function giveRedis(services: RedisRestoring, frozen: RedisPlan, watching: Watching): Promise<RedisGiven> {
  const { run, component, directory } = frozen;
  const dataDirectory = directory ?? journalPlaces(services, redisOn(services, component)).running;
  return await leased(services, { dataDirectory, run, owner: run, undo: false }, ({ check, lost }) => {
    const signal = lost === undefined ? watching.signal : AbortSignal.any([watching.signal, lost]);
    return give(services, frozen, { ...watching, signal }, check);
  });
}

type Stored = Awaited<ReturnType<typeof storedSnapshot>>;

async function give(
  services: RedisRestoring,
  frozen: RedisPlan,
  watching: Watching,
  check: Check,
): Promise<RedisGiven> {
  const settings = redisOn(services, frozen.component);
  const { programs } = await serverOf(settings);
  const stored = { ...(await storedSnapshot(services, frozen)), ...(programs === undefined ? {} : { programs }) };
  if (frozen.mode === 'beside') return await giveBeside(services, frozen, stored, watching);
  // The plan has looked too, and another restore may have come since.
  await requireNoOther(Object.values(journalPlaces(services, settings)), frozen.run);
  const { signal, onNote: onProgress } = watching;
  const { run, directory = '', isAppendOnly = false } = frozen;
  if (frozen.way === 'stopped') {
    const place = await inPlaceOf(settings, run, { directory, isAppendOnly }, signal, check);
    const comparison = await restoreInPlace({ ...place, ...stored, onProgress });
    return { directory, proof: proofOf(comparison), keptAt: keptIn(place) };
  }
  const place = await livePlace(services, settings, run, signal, check);
  const connection = frozen.server?.where;
  const given = { keptAt: place.directory, ...(connection === undefined ? {} : { connection }) };
  if (frozen.way === 'live') {
    const runId = frozen.server?.runId ?? '';
    return { ...given, proof: proofOf(await restoreLive({ ...place, ...stored, runId, onProgress })) };
  }
  onProgress('fetching the snapshot and looking for keys that match');
  const { proof, ...replaced } = await restoreKeys({ ...place, ...stored, pattern: frozen.pattern ?? '' });
  return { ...given, proof: proofOf(proof), replaced };
}

async function giveBeside(
  { configuration, host }: RedisRestoring,
  { run, directory = '', start = false }: RedisPlan,
  stored: Stored & { readonly programs?: string },
  { signal, onNote }: Watching,
): Promise<RedisGiven> {
  const { runAs } = configuration.hosts[host] ?? {};
  const { comparison, server } = await restoreBeside({
    ...{ ...stored, run, directory, start, signal },
    ...(runAs === undefined ? {} : { runAs }),
    onProgress: (bytes) => onNote(`${bytesText(bytes)} fetched`),
  });
  return { directory, proof: proofOf(comparison), ...(server === undefined ? {} : { connection: server.url }) };
}

function proofOf({ keys, expired, samples, hasCompared }: Comparison): RedisGiven['proof'] {
  return { keys, expired, samples, hasCompared };
}

async function storedSnapshot(services: RedisRestoring, { component, snapshot, moment }: RedisPlan) {
  const vault = await services.reading();
  const found = await vault.findSnapshot(component, snapshot.id as SnapshotId);
  if (found === undefined) fail('NO_SNAPSHOT', `snapshot '${snapshot.id}' of '${component}' is not there any more`);
  return { vault, snapshot: found, from: snapshot.copy, ...(moment === undefined ? {} : { moment }) };
}
