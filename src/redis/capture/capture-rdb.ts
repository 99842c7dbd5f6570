// One snapshot of kind `rdb`: the server's own file into the vault as it comes, judged on the way, committed last.

import { momentFromDate, momentFromUnixMicros } from '../../domain/moment.ts';
import { fail, HoldfastError, isHoldfastError } from '../../errors/index.ts';
import { letGo } from '../../vault/index.ts';
import type { SnapshotOnCopies, SnapshotWriter, Vault } from '../../vault/types.ts';
import { RedisConnection } from '../connection/index.ts';
import { identify, requireStandalone, type ServerIdentity } from '../identity.ts';
import { RdbCheck } from '../rdb/check-program.ts';
import { type RdbFacts, RdbWalk } from '../rdb/index.ts';
import { synchronise } from '../sync/index.ts';
import { findTools, type RedisTools } from '../tools.ts';
import {
  type CaptureRequest,
  type CaptureServer,
  type CaptureWay,
  capturedServer,
  RDB,
  RDB_FILE,
  type RdbDetails,
} from '../types.ts';
import { notTheSaved, saveFile } from './saved-file.ts';

export interface CaptureRdbOptions {
  readonly vault: Vault;
  readonly server: CaptureServer;
  readonly request: CaptureRequest;
  /** Default `sync`. */
  readonly way?: CaptureWay;
  readonly onProgress?: (bytes: number) => void;
  readonly signal: AbortSignal;
}

interface Incoming {
  readonly bytes: AsyncIterable<Buffer>;
  readonly replication?: RdbDetails['replication'];
  readonly notBeforeSeconds?: number;
  close(): void | Promise<void>;
}

/**
 * Resolves with the committed snapshot. Throws the `REDIS_…` errors, `TOOL_VERSION` before anything runs, `BACKUP_INVALID`, `POLICY_UNMET`,
 * `CANCELLED`; nothing is committed then.
 */
export async function captureRdb(options: CaptureRdbOptions): Promise<SnapshotOnCopies> {
  const { vault, request, signal, server } = options;
  const earlier = await vault.completeSnapshot(request.component, request.snapshotId);
  if (earlier !== undefined) return earlier;
  const connection = await RedisConnection.open(server.source, { signal });
  try {
    const identity = await identify(connection);
    requireStandalone(identity, connection.where);
    const tools = await findTools(identity, server);
    return await capture(options, connection, identity, tools);
  } catch (error) {
    throw signal.aborted && !isHoldfastError(error, 'CANCELLED')
      ? new HoldfastError('CANCELLED', 'the capture was cancelled', { cause: error })
      : error;
  } finally {
    connection.close();
  }
}

async function capture(
  options: CaptureRdbOptions,
  connection: RedisConnection,
  identity: ServerIdentity,
  tools: RedisTools,
): Promise<SnapshotOnCopies> {
  const { vault, request, way = 'sync', signal } = options;
  const { snapshotId: id, component, host } = request;
  const from = momentFromDate(new Date());
  const writer = await vault.writeSnapshot({ id, component, host, kind: RDB, class: RDB, from });
  try {
    const incoming = way === 'sync' ? await bySynchronisation(options) : await saveFile(connection, signal);
    const { facts, sizeBytes } = await take(writer, incoming, tools, options);
    const { replication, notBeforeSeconds = 0 }: Incoming = incoming;
    const { createdSeconds = notBeforeSeconds } = facts;
    // A file may have been given a new time when it was copied there.
    if (createdSeconds < notBeforeSeconds) notTheSaved(connection.where, RDB_FILE, createdSeconds);
    const server = capturedServer(identity);
    const details: RdbDetails = { server, way, ...(replication && { replication }), sizeBytes, facts };
    signal.throwIfAborted();
    return await writer.commit({ to: instantOf(facts, from), state: 'clean', engine: { ...details } });
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

async function bySynchronisation({ server, signal }: CaptureRdbOptions): Promise<Incoming> {
  const { replicationId, offset, bytes, close } = await synchronise(server.source, { signal });
  return { bytes, replication: { id: replicationId, offset }, close };
}

/** What went into the vault is what was judged. */
async function take(
  writer: SnapshotWriter,
  incoming: Incoming,
  tools: RedisTools,
  { onProgress, signal }: CaptureRdbOptions,
): Promise<{ facts: RdbFacts; sizeBytes: number }> {
  const walk = new RdbWalk();
  const check = await RdbCheck.start(tools, signal);
  async function* judged(): AsyncGenerator<Buffer> {
    for await (const chunk of incoming.bytes) {
      walk.push(chunk);
      await check.push(chunk);
      onProgress?.(walk.sizeBytes);
      yield chunk;
      // Everybody has copied what they keep of it. Of a part of a chunk its giver may still have the rest.
      if (chunk.length === chunk.buffer.byteLength) letGo(chunk);
    }
  }
  try {
    const entry = { path: RDB_FILE, mode: 0o600, mtimeSeconds: Math.floor(Date.now() / 1000) };
    const { sizeBytes } = await writer.addFile(entry, judged());
    const facts = walk.end();
    const { keys } = await check.end();
    if (facts.missing === undefined && keys !== facts.keys) {
      fail('BACKUP_INVALID', `the RDB has ${facts.keys} keys as we count, ${keys} as its check counts`);
    }
    return { facts, sizeBytes };
  } finally {
    await check.stop();
    await incoming.close();
  }
}

/** The RDB says the second in which it was begun; a clock of another host must not put it before we asked. */
function instantOf({ createdSeconds }: RdbFacts, from: ReturnType<typeof momentFromDate>) {
  if (createdSeconds === undefined) return from;
  const instant = momentFromUnixMicros(BigInt(createdSeconds) * 1_000_000n);
  return instant > from ? instant : from;
}
