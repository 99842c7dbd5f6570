// Takes a full base backup: streams it from the server into the vault, proves it against the server's manifest, commits it last.

import type { Logger } from 'pino';
import type { ComponentId } from '../../domain/component.ts';
import { type Lsn, lsnValue } from '../../domain/lsn.ts';
import { fail, HoldfastError, isHoldfastError } from '../../errors/index.ts';
import type { SnapshotId, SnapshotOnCopies, SnapshotWriter, StoredFile, Vault } from '../../vault/types.ts';
import { openReplication, type ReplicationConnection } from '../connection/index.ts';
import { identifySystem } from '../identity.ts';
import type { PhysicalDetails, Source } from '../types.ts';
import { type Archive, type BaseBackupEnd, type BaseBackupStream, startBaseBackup } from './base-backup-stream.ts';
import { finishEarlierAttempt } from './earlier-attempt.ts';
import { addOutsideConfiguration, readOutsideConfiguration } from './outside-configuration.ts';
import { PageChecker } from './page-checksum.ts';
import { readServerClock, readSourceFacts, type SourceFacts } from './physical-details.ts';
import { relationFile } from './relation-file.ts';
import {
  checkManifestIdentity,
  compareWithManifest,
  type ManifestFile,
  parseServerManifest,
} from './server-manifest.ts';
import type { TarEntry } from './tar.ts';
import { type DamagedPage, verifyPages } from './verify-pages.ts';

export interface BaseBackupRequest {
  /** Chosen by the run: a repeated attempt has the same and finds what an earlier one committed. */
  readonly snapshotId: SnapshotId;
  readonly component: ComponentId;
  readonly host: string;
}

export interface BaseBackupProgress {
  readonly doneBytes: number;
  /** The server's estimate; grows with `doneBytes` where it was too low. */
  readonly totalBytes: number;
}

export interface WaitForLog {
  readonly signal: AbortSignal;
  readonly mayLeave: () => boolean;
}

export interface TakeBaseBackupOptions {
  readonly source: Source;
  readonly vault: Vault;
  readonly request: BaseBackupRequest;
  /** Resolves when the log from `from` to `to` is durable on that copy; may throw instead once `mayLeave` says that it can be done without. */
  readonly waitForLog: (copy: string, timeline: number, from: Lsn, to: Lsn, wait: WaitForLog) => Promise<void>;
  readonly onProgress?: (progress: BaseBackupProgress) => void;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** `spread` is kind to a busy server and may take minutes to begin; default `fast`. */
  readonly checkpoint?: 'fast' | 'spread';
  readonly rateLimitBytesPerSecond?: number;
}

/** Retention class of what this takes. */
const CLASS = 'full';
/** A damaged disk could name millions; the first ones tell enough, and the state is `damaged` all the same. */
const MAX_DAMAGED_LISTED = 10_000;

/**
 * Resolves with the committed snapshot. Throws `BACKUP_INVALID` when what arrived is not what the server says it sent,
 * `POLICY_UNMET` when too few copies hold it, `CANCELLED`, and the `DATABASE_…` errors of connecting. Nothing is committed then.
 */
export async function takeBaseBackup(options: TakeBaseBackupOptions): Promise<SnapshotOnCopies> {
  const earlier = await finishEarlierAttempt(options);
  if (earlier !== undefined) return earlier;
  const connection = await openReplication(options.source);
  const onAbort = () => void connection.wire.broken(new HoldfastError('CANCELLED', 'the backup was cancelled'));
  options.signal.addEventListener('abort', onAbort, { once: true });
  if (options.signal.aborted) onAbort();
  try {
    return await new Capture(options, connection).run();
  } finally {
    options.signal.removeEventListener('abort', onAbort);
    connection.close();
  }
}

class Capture {
  private readonly options: TakeBaseBackupOptions;
  private readonly connection: ReplicationConnection;
  private readonly arrived = new Map<string, ManifestFile>();
  private readonly damagedPages: DamagedPage[] = [];
  private damagedCount = 0;
  private checker: PageChecker | undefined;
  private pageSizeBytes = 8192;
  private sizeBytes = 0;

  constructor(options: TakeBaseBackupOptions, connection: ReplicationConnection) {
    this.options = options;
    this.connection = connection;
  }

  async run(): Promise<SnapshotOnCopies> {
    const { source, vault, request, logger } = this.options;
    const system = await identifySystem(this.connection);
    const facts = await readSourceFacts(source);
    this.pageSizeBytes = facts.pageSizeBytes;
    const { snapshotId: id, component, host } = request;
    const writer = await vault.writeSnapshot({ id, component, host, kind: 'physical', class: CLASS, from: facts.now });
    try {
      const stream = await this.start();
      logger.info({ ...stream.start, snapshot: id }, 'base backup started');
      if (facts.pageChecksums) this.checker = new PageChecker(facts.pageSizeBytes, lsnValue(stream.start.startLsn));
      await this.addLinks(writer, stream);
      for await (const archive of stream.archives()) await this.addArchive(writer, archive, stream);
      const end = await stream.finish();
      await this.prove(writer, system.systemId, stream, end);
      await this.addConfiguration(writer, system.systemId);
      return await this.commit(writer, system.systemId, facts, stream, end);
    } catch (error) {
      await writer.abandon();
      throw this.options.signal.aborted ? cancelled(error) : error;
    }
  }

  private start(): Promise<BaseBackupStream> {
    const { request, checkpoint = 'fast', rateLimitBytesPerSecond, onProgress } = this.options;
    const label = `holdfast ${request.snapshotId}`;
    const limit = rateLimitBytesPerSecond === undefined ? {} : { rateLimitBytesPerSecond };
    let totalBytes = 0;
    const starting = startBaseBackup(this.connection, { label, checkpoint, ...limit }, (doneBytes) => {
      onProgress?.({ doneBytes, totalBytes: Math.max(totalBytes, doneBytes) });
    });
    return starting.then((stream) => {
      totalBytes = stream.start.totalBytes;
      return stream;
    });
  }

  /** Links first: a restore must have them before the files behind them, which the server sends before the data directory. */
  private async addLinks(writer: SnapshotWriter, { start }: BaseBackupStream): Promise<void> {
    const mtimeSeconds = Math.floor(Date.now() / 1000);
    for (const { oid, location } of start.tablespaces) {
      await writer.addSymlink({ path: `pg_tblspc/${oid}`, mode: 0o777, mtimeSeconds, linkTarget: location });
    }
  }

  private async addArchive(writer: SnapshotWriter, archive: Archive, { start }: BaseBackupStream): Promise<void> {
    const prefix = archive.tablespaceOid === undefined ? '' : `pg_tblspc/${archive.tablespaceOid}/`;
    for await (const entry of archive.entries) {
      const path = `${prefix}${entry.path}`;
      const { mode, mtimeSeconds } = entry;
      if (entry.type === 'directory') {
        if (entry.path !== '') await writer.addDirectory({ path, mode, mtimeSeconds });
      } else if (entry.type === 'symlink') {
        const known = start.tablespaces.find(({ oid }) => path === `pg_tblspc/${oid}`);
        if (known?.location !== entry.linkTarget) fail('BACKUP_INVALID', `'${path}' is a link to no tablespace`);
      } else await this.addFile(writer, path, entry);
    }
  }

  private async addFile(writer: SnapshotWriter, path: string, entry: TarEntry): Promise<void> {
    if (this.arrived.has(path)) fail('BACKUP_INVALID', `'${path}' came twice`);
    const relation = relationFile(path, this.pageSizeBytes);
    const { mode, mtimeSeconds } = entry;
    const source = relation === undefined ? entry.body : this.watchPages(path, relation.firstBlock, entry);
    const chunking = relation === undefined ? 'content' : 'pages';
    const stored = await writer.addFile({ path, mode, mtimeSeconds, chunking }, source);
    this.note(path, stored, entry.sizeBytes);
  }

  private watchPages(path: string, firstBlock: number, entry: TarEntry): AsyncIterable<Buffer> {
    if (this.checker === undefined) return entry.body;
    const { pageSizeBytes } = this;
    return verifyPages({ path, firstBlock, pageSizeBytes }, entry.body, this.checker, (page) => {
      this.damagedCount += 1;
      if (this.damagedPages.length < MAX_DAMAGED_LISTED) this.damagedPages.push(page);
    });
  }

  /** What the vault stored is what counts: its hash goes into the comparison, not one made on the way. */
  private note(path: string, stored: StoredFile, sentBytes: number): void {
    if (stored.sizeBytes !== sentBytes) {
      fail('BACKUP_INVALID', `'${path}' has ${sentBytes} bytes, the vault stored ${stored.sizeBytes}`);
    }
    this.arrived.set(path, { sizeBytes: stored.sizeBytes, sha256: stored.sha256 });
    this.sizeBytes += stored.sizeBytes;
  }

  private async prove(
    writer: SnapshotWriter,
    systemId: string,
    stream: BaseBackupStream,
    end: BaseBackupEnd,
  ): Promise<void> {
    const { timeline, startLsn } = stream.start;
    if (end.timeline !== timeline)
      fail('BACKUP_INVALID', `the timeline changed from ${timeline} to ${end.timeline} during the backup`);
    const manifest = parseServerManifest(end.manifest);
    checkManifestIdentity(manifest, { systemId, timeline, startLsn, stopLsn: end.stopLsn });
    compareWithManifest(manifest, this.arrived);
    const entry = { path: 'backup_manifest', mode: 0o600, mtimeSeconds: Math.floor(Date.now() / 1000) };
    await writer.addFile({ ...entry, chunking: 'content' }, once(end.manifest));
    this.sizeBytes += end.manifest.length;
  }

  private async addConfiguration(writer: SnapshotWriter, systemId: string): Promise<void> {
    const found = await readOutsideConfiguration(this.options.source, systemId);
    if (found.left.length > 0) this.options.logger.warn({ left: found.left }, 'settings files outside were not taken');
    this.sizeBytes += await addOutsideConfiguration(writer, found);
  }

  private async commit(
    writer: SnapshotWriter,
    systemId: string,
    facts: SourceFacts,
    { start }: BaseBackupStream,
    { stopLsn }: BaseBackupEnd,
  ): Promise<SnapshotOnCopies> {
    const { source, waitForLog, signal, logger } = this.options;
    const { now: _, sharedPreloadLibraries, ...known } = facts;
    if (sharedPreloadLibraries === undefined)
      logger.warn('the role may not see shared_preload_libraries: none are recorded');
    const { startLsn, timeline, tablespaces } = start;
    const details: PhysicalDetails = {
      ...known,
      systemId,
      timeline,
      startLsn,
      stopLsn,
      tablespaces,
      sharedPreloadLibraries: sharedPreloadLibraries ?? [],
      sizeBytes: this.sizeBytes,
      damagedPages: this.damagedPages,
    };
    if (this.damagedCount > 0) logger.error({ count: this.damagedCount }, 'pages of the source are damaged');
    const to = await readServerClock(source);
    signal.throwIfAborted();
    const snapshot = await writer.commit({
      to,
      state: this.damagedCount > 0 ? 'damaged' : 'clean',
      engine: details,
      ready: (copy, mayLeave) => waitForLog(copy, timeline, startLsn, stopLsn, { signal, mayLeave }),
    });
    logger.info({ snapshot: snapshot.id, copies: snapshot.copies, startLsn, stopLsn }, 'base backup committed');
    return snapshot;
  }
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

function cancelled(cause: unknown): HoldfastError {
  return isHoldfastError(cause, 'CANCELLED')
    ? cause
    : new HoldfastError('CANCELLED', 'the backup was cancelled', { cause });
}
