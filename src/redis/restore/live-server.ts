// The running server during a live restore: what must hold of it, and the exchange of its whole data by two changes of role.

import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail } from '../../errors/index.ts';
import { syncDirectory } from '../../system/index.ts';
import type { RedisConnection, RedisSource } from '../connection/index.ts';
import { type Info, identify, readInfo, requireStandalone, type ServerIdentity } from '../identity.ts';
import { checkRdbFile } from '../rdb/check-program.ts';
import { type RdbFacts, RdbWalk } from '../rdb/index.ts';
import { synchronise } from '../sync/index.ts';
import type { RedisTools } from '../tools.ts';
import { RDB_FILE } from '../types.ts';
import { type Progress, type ServedRdb, serveRdb } from './as-primary.ts';
import { endOurReplication, primaryIn, type ServedAt } from './our-replica.ts';
import type { WritePause } from './write-pause.ts';

const POLL_MS = 100;
/** A replica tries to connect every second. */
const ASK_MS = 2 * 60_000;
const STALL_MS = 10 * 60_000;
/** One that goes away in the middle comes again, for ever: its disk may have been full for a moment, but not each time. */
const MOST_TRANSFERS = 3;

/** Throws `REDIS_UNFIT` with the reason: nothing is touched then. */
export async function requireLiveFit(connection: RedisConnection): Promise<ServerIdentity> {
  const { where } = connection;
  const identity = await identify(connection);
  requireStandalone(identity, where);
  if (identity.role === 'replica') {
    fail('REDIS_UNFIT', `'${where}' is a replica: its primary would send everything again`, {
      hint: 'restore into the primary: its replicas follow it',
    });
  }
  requireUnwatched(where, await connection.text('see who watches it', 'CLIENT', 'LIST'));
  await requireSettings(connection);
  return identity;
}

/** What cannot be asked is not taken for granted. */
async function requireSettings(connection: RedisConnection): Promise<void> {
  const { where } = connection;
  const names = ['tls-replication', 'replica-read-only'];
  const reply = await connection.call('read its settings', 'CONFIG', 'GET', ...names);
  const words = Array.isArray(reply) ? reply.map(String) : [];
  const setTo = (name: string) => words[words.indexOf(name) + 1];
  // It has no such setting when it was built without TLS.
  if (words.includes('tls-replication') && setTo('tls-replication') !== 'no') {
    fail(
      'REDIS_UNFIT',
      `'${where}' replicates by TLS only ('tls-replication yes'), which we do not speak as a primary`,
      {
        hint: 'restore in place: into the stopped server',
      },
    );
  }
  if (setTo('replica-read-only') !== 'yes') {
    fail('REDIS_UNFIT', `'${where}' takes writes as a replica ('replica-read-only no'): they would be lost`, {
      hint: 'have it say `yes` for the time of the restore (CONFIG SET replica-read-only yes)',
    });
  }
}

/** `clients`: as `CLIENT LIST` tells them. Throws `REDIS_UNFIT` under Sentinel. */
export function requireUnwatched(where: string, clients: string): void {
  if (!/\bname=sentinel-/.test(clients)) return;
  fail(
    'REDIS_UNFIT',
    `'${where}' is watched by Sentinel, which would take the restore for a failure and promote a replica`,
    {
      hint: 'what is missing is a restore that Sentinel knows of; take the server out of it (SENTINEL REMOVE) for the time of the restore',
    },
  );
}

/** What the server has now, checked and on the disk as `dump.rdb` below the directory, which must exist. */
export async function keepData(
  source: RedisSource,
  {
    directory,
    tools,
    signal,
  }: { readonly directory: string; readonly tools: RedisTools; readonly signal: AbortSignal },
): Promise<RdbFacts> {
  const part = path.join(directory, `${RDB_FILE}.part`);
  const walk = new RdbWalk();
  const incoming = await synchronise(source, { signal });
  const handle = await open(part, 'w', 0o600);
  try {
    for await (const chunk of incoming.bytes) {
      walk.push(chunk);
      await handle.writeFile(chunk);
    }
    await handle.sync();
    incoming.close();
    const facts = walk.end();
    await checkRdbFile(tools, part, signal);
    await rename(part, path.join(directory, RDB_FILE));
    await syncDirectory(directory);
    return facts;
  } catch (error) {
    await rm(part, { force: true });
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    return fail('NO_SPACE', `what '${directory}' lies on is full: the present data cannot be kept there`, {
      hint: 'make room there; what the server has by now was not touched',
      cause: error,
    });
  } finally {
    incoming.close();
    await handle.close();
  }
}

export interface ReplaceOptions {
  readonly file: string;
  /** Awaited before the server is told where we answer, and before the first byte is sent. */
  readonly onServing: (at: ServedAt) => Promise<void>;
  readonly onSending: () => Promise<void>;
  /** Of its writers, since before what it has was kept. */
  readonly pause: WritePause;
  readonly limits?: TakingLimits;
  readonly signal: AbortSignal;
}

/** A server that cannot reach us, or cannot take what it is sent, is writable again when they are over. */
export interface TakingLimits {
  /** Until it asks for the data; default two minutes. */
  readonly askMs?: number;
  /** Without progress in sending or loading; default ten minutes. */
  readonly stallMs?: number;
  /** Until a pause that nobody renews ends; default half a minute. */
  readonly pauseMs?: number;
  /** Until a server that is gone is no longer waited for before the way back; default half a minute. */
  readonly awayMs?: number;
}

/**
 * The server, paused, takes all data of the file and is a primary again. Nothing is sent, and so nothing replaced, unless the pause has held until it was a
 * replica, which takes no writes. Throws `RECOVERY_FAILED`; it is left as a primary in any case that can be told.
 */
export async function replaceData(connection: RedisConnection, options: ReplaceOptions): Promise<void> {
  const { host, peer } = connection.ends;
  const isReplica = Promise.withResolvers<void>();
  // Whoever fails before anybody asks for the data says so himself.
  isReplica.promise.catch(() => undefined);
  const beforeSending = async () => {
    await isReplica.promise;
    await options.onSending();
  };
  const served = await serveRdb({ file: options.file, host, peer, beforeSending });
  try {
    await options.onServing(served);
    try {
      await becomeReplica(connection, served, options.pause).then(isReplica.resolve, (error: unknown) => {
        isReplica.reject(error);
        throw error;
      });
      await synchronised(connection, served, options);
    } finally {
      await endOurReplication(connection, [served]);
    }
  } finally {
    await served.close();
  }
}

async function becomeReplica(connection: RedisConnection, { host, port }: ServedAt, pause: WritePause): Promise<void> {
  await connection.call('take the data of the snapshot', 'REPLICAOF', host, port);
  pause.requireHeld();
}

async function synchronised(
  connection: RedisConnection,
  served: ServedRdb,
  { limits: { askMs = ASK_MS, stallMs = STALL_MS } = {}, signal }: ReplaceOptions,
): Promise<void> {
  const { progress } = served;
  let seen = '';
  for (let movedAt = performance.now(); ; await sleep(POLL_MS)) {
    if (signal.aborted) fail('CANCELLED', 'the restore was cancelled');
    if (progress.failure !== undefined) throw progress.failure;
    const info = await readInfo(connection);
    requireOurs(connection.where, info, served);
    if (info.get('master_link_status') === 'up' && info.get('loading') !== '1') return;
    const { transfers, sentBytes } = progress;
    const loaded = info.get('loading_loaded_bytes') ?? '';
    const state = `${transfers}/${sentBytes}/${loaded}/${info.get('master_sync_read_bytes') ?? ''}`;
    if (state !== seen) movedAt = performance.now();
    seen = state;
    const isLate = performance.now() - movedAt > (transfers === 0 ? askMs : stallMs);
    if (isLate || transfers > MOST_TRANSFERS) notTaken(connection.where, progress);
  }
}

/** Somebody may give it another role in the middle: what it takes then is not what we send. */
function requireOurs(where: string, info: Info, { host, port }: ServedAt): void {
  const primary = primaryIn(info);
  if (primary?.host === host && primary.port === port) return;
  fail('RECOVERY_FAILED', `'${where}' was given another role while it took the data`, {
    hint: 'who did that, and why? what it had before is kept',
  });
}

function notTaken(where: string, { transfers }: Pick<Progress, 'transfers'>): never {
  if (transfers === 0) {
    fail('RECOVERY_FAILED', `'${where}' does not ask us for the data`, {
      hint: 'its log tells why; can it connect to the host of this worker?',
    });
  }
  return fail('RECOVERY_FAILED', `'${where}' has asked ${transfers} times for the data and did not take it`, {
    hint: 'its log tells why; is there room in its directory, and in memory?',
  });
}
