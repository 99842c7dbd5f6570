// One attempt at a base backup by the stream of BASE_BACKUP: from the server into the vault, proves it against the server's manifest, commits it last.

import { createHash } from 'node:crypto';
import { isAbsolute } from 'node:path';
import { lsnValue } from '../../domain/lsn.ts';
import { fail } from '../../errors/index.ts';
import type { SnapshotOnCopies, SnapshotWriter, StoredFile } from '../../vault/types.ts';
import type { ReplicationConnection } from '../connection/index.ts';
import type { SnapshotFacts } from '../facts/index.ts';
import { identifySystem } from '../identity.ts';
import type { CaptureDetails, CaptureMode, Source } from '../types.ts';
import {
  type Archive,
  type BaseBackupEnd,
  type BaseBackupStart,
  type BaseBackupStream,
  startBaseBackup,
} from './base-backup-stream.ts';
import { chooseParent, requireIncremental } from './choose-parent.ts';
import { addLinks, addManifest, cancelled, conclude, once, openWriter, readFactsBeside } from './conclude.ts';
import { DamageLog } from './damage-log.ts';
import { emptyTablespace } from './data-directory.ts';
import { wholePath } from './incremental-file.ts';
import { Overlay, unusable, type WholeFile } from './overlay.ts';
import { PageChecker } from './page-checksum.ts';
import { readSourceFacts, type SourceFacts } from './physical-details.ts';
import { relationFile } from './relation-file.ts';
import {
  checkManifestIdentity,
  compareWithManifest,
  type ManifestFile,
  parseServerManifest,
} from './server-manifest.ts';
import type { TakeBaseBackupOptions } from './take-base-backup.ts';
import type { TarEntry } from './tar.ts';
import { verifyPages } from './verify-pages.ts';
import { wholeManifest } from './whole-manifest.ts';

export interface CaptureWay {
  readonly capture: CaptureMode;
  /** The server that is asked: the primary, or its standby. */
  readonly origin: Source;
  /** What is known of it beforehand. */
  readonly details: CaptureDetails;
  /** Of an incremental one: where the parent's tree is kept meanwhile. */
  readonly spoolDirectory?: string;
  /** Called before anything is read; what it throws ends the attempt. */
  readonly onStart?: (systemId: string, start: BaseBackupStart) => Promise<void>;
}

type SystemIdentity = Awaited<ReturnType<typeof identifySystem>>;

/** Before the backup begins. */
interface Known {
  readonly facts: SourceFacts;
  readonly system: SystemIdentity;
  readonly noted: SnapshotFacts;
}

const LABEL = 'backup_label';
/** A server that finds these lines in its label takes the directory for one of which only changes are there, and does not start. */
const INCREMENTAL_LINES = /^INCREMENTAL FROM [^\n]*\n/gm;

export class Capture {
  private readonly options: TakeBaseBackupOptions;
  private readonly way: CaptureWay;
  private readonly connection: ReplicationConnection;
  /** Tablespaces of which something came. */
  private readonly spaces = new Set<number>();
  private readonly arrived = new Map<string, ManifestFile>();
  /** Files that the snapshot has otherwise than they were sent, by the path they were sent under. */
  private readonly changed = new Map<string, WholeFile>();
  private readonly damage = new DamageLog();
  private overlay: Overlay | undefined;
  private checker: PageChecker | undefined;
  private pageSizeBytes = 8192;
  private sizeBytes = 0;

  constructor(options: TakeBaseBackupOptions, way: CaptureWay, connection: ReplicationConnection) {
    this.options = options;
    this.way = way;
    this.connection = connection;
  }

  async run(): Promise<SnapshotOnCopies> {
    const { source } = this.options;
    const [system, facts] = await Promise.all([identifySystem(this.connection), readSourceFacts(source)]);
    this.pageSizeBytes = facts.pageSizeBytes;
    const { capture, origin } = this.way;
    if (capture === 'incremental') requireIncremental(origin === source ? facts : await readSourceFacts(origin));
    try {
      const open = () => this.open(facts, system);
      const { noted, made: writer } = await readFactsBeside(this.options, origin, open, (it) => it.abandon());
      return await this.capture(writer, { facts, system, noted });
    } catch (error) {
      throw this.options.signal.aborted ? cancelled(error) : error;
    } finally {
      await this.overlay?.close();
    }
  }

  /** The writer, and what the files are laid over. */
  private async open(facts: SourceFacts, system: SystemIdentity): Promise<SnapshotWriter> {
    const { capture, spoolDirectory } = this.way;
    const writer = await openWriter(this.options, facts);
    try {
      if (capture === 'incremental' && spoolDirectory !== undefined)
        this.overlay = await this.layOver(writer, system, spoolDirectory);
      return writer;
    } catch (error) {
      await writer.abandon();
      throw error;
    }
  }

  private async capture(writer: SnapshotWriter, { facts, system, noted }: Known): Promise<SnapshotOnCopies> {
    const { onStart } = this.way;
    const { request, logger } = this.options;
    try {
      const stream = await this.start();
      await onStart?.(system.systemId, stream.start);
      logger.info(
        { ...stream.start, snapshot: request.snapshotId, parent: this.overlay?.parent },
        'base backup started',
      );
      if (facts.pageChecksums) this.checker = new PageChecker(facts.pageSizeBytes, lsnValue(stream.start.startLsn));
      await addLinks(writer, stream.start.tablespaces);
      for await (const archive of stream.archives()) await this.addArchive(writer, archive, stream);
      for (const { oid, location } of stream.start.tablespaces) {
        if (isAbsolute(location) && !this.spaces.has(oid)) emptyTablespace(oid, location);
      }
      const end = await stream.finish();
      await this.prove(writer, system.systemId, stream, end);
      const { startLsn, timeline, tablespaces } = stream.start;
      return await conclude(this.options, writer, facts, {
        ...{ systemId: system.systemId, timeline, startLsn, stopLsn: end.stopLsn, tablespaces },
        ...{ sizeBytes: this.sizeBytes, damage: this.damage, facts: noted, details: this.details() },
      });
    } catch (error) {
      await writer.abandon();
      throw error;
    }
  }

  private async layOver(writer: SnapshotWriter, system: SystemIdentity, directory: string): Promise<Overlay> {
    const { vault, request, signal } = this.options;
    const { pageSizeBytes } = this;
    const server = { ...system, pageSizeBytes };
    const parent = await chooseParent(vault, request.component, server, writer.generations);
    return await Overlay.prepare(vault, parent.id, this.connection, { directory, pageSizeBytes, signal });
  }

  private async start(): Promise<BaseBackupStream> {
    const { request, checkpoint = 'fast', rateLimitBytesPerSecond, onProgress } = this.options;
    const label = `holdfast ${request.snapshotId}`;
    const limit = rateLimitBytesPerSecond === undefined ? {} : { rateLimitBytesPerSecond };
    const options = { label, checkpoint, incremental: this.overlay !== undefined, ...limit };
    let totalBytes = 0;
    const onDone = (doneBytes: number) => onProgress?.({ doneBytes, totalBytes: Math.max(totalBytes, doneBytes) });
    const starting = startBaseBackup(this.connection, options, onDone).catch((error: unknown) => {
      throw this.overlay === undefined ? error : unusable(this.overlay.parent, error);
    });
    const stream = await starting;
    totalBytes = stream.start.totalBytes;
    return stream;
  }

  private async addArchive(writer: SnapshotWriter, archive: Archive, { start }: BaseBackupStream): Promise<void> {
    const prefix = archive.tablespaceOid === undefined ? '' : `pg_tblspc/${archive.tablespaceOid}/`;
    for await (const entry of archive.entries) {
      const path = `${prefix}${entry.path}`;
      if (archive.tablespaceOid !== undefined && entry.path !== '') this.spaces.add(archive.tablespaceOid);
      const { mode, mtimeSeconds } = entry;
      if (entry.type === 'directory') {
        if (entry.path !== '') await writer.addDirectory({ path, mode, mtimeSeconds });
      } else if (entry.type === 'symlink') {
        const known = start.tablespaces.find(({ oid }) => path === `pg_tblspc/${oid}`);
        if (known?.location !== entry.linkTarget) fail('BACKUP_INVALID', `'${path}' is a link to no tablespace`);
      } else {
        if (this.arrived.has(path)) fail('BACKUP_INVALID', `'${path}' came twice`);
        await this.addFile(writer, path, entry);
      }
    }
  }

  private async addFile(writer: SnapshotWriter, path: string, entry: TarEntry): Promise<void> {
    const whole = this.overlay && wholePath(path);
    if (this.overlay && whole !== undefined) return await this.addChanged(writer, this.overlay, whole, path, entry);
    if (this.overlay && path === LABEL) return await this.addLabel(writer, entry);
    const relation = relationFile(path, this.pageSizeBytes);
    const { mode, mtimeSeconds } = entry;
    const source = relation === undefined ? entry.body : this.watchPages(path, relation.firstBlock, entry);
    const chunking = relation === undefined ? 'content' : 'pages';
    const stored = await writer.addFile({ path, mode, mtimeSeconds, chunking }, source);
    this.note(path, stored, entry.sizeBytes);
  }

  private async addChanged(
    writer: SnapshotWriter,
    overlay: Overlay,
    whole: string,
    path: string,
    entry: TarEntry,
  ): Promise<void> {
    const relation = relationFile(whole, this.pageSizeBytes);
    if (relation === undefined) return fail('BACKUP_INVALID', `only changes of '${whole}' came, which has no blocks`);
    const { checker } = this;
    const added = await overlay.add(writer, whole, entry, (bytes, number) => {
      const block = relation.firstBlock + number;
      if (checker && !checker.isGood(bytes, 0, block)) this.damage.note({ path: whole, block });
    });
    this.arrived.set(path, added.sent);
    this.changed.set(path, added.whole);
    this.sizeBytes += added.whole.sizeBytes;
  }

  private async addLabel(writer: SnapshotWriter, { mode, mtimeSeconds, sizeBytes, body }: TarEntry): Promise<void> {
    const parts: Buffer[] = [];
    for await (const bytes of body) parts.push(Buffer.from(bytes));
    const sent = Buffer.concat(parts);
    this.arrived.set(LABEL, { sizeBytes, sha256: createHash('sha256').update(sent).digest('hex') });
    const whole = Buffer.from(sent.toString('latin1').replaceAll(INCREMENTAL_LINES, ''), 'latin1');
    const stored = await writer.addFile({ path: LABEL, mode, mtimeSeconds, chunking: 'content' }, once(whole));
    this.changed.set(LABEL, stored);
    this.sizeBytes += stored.sizeBytes;
  }

  private watchPages(path: string, firstBlock: number, entry: TarEntry): AsyncIterable<Buffer> {
    if (this.checker === undefined) return entry.body;
    const file = { path, firstBlock, pageSizeBytes: this.pageSizeBytes };
    return verifyPages(file, entry.body, this.checker, (page) => this.damage.note(page));
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
    const bytes = this.overlay === undefined ? end.manifest : wholeManifest(end.manifest, this.changed);
    await addManifest(writer, bytes);
    this.sizeBytes += bytes.length;
  }

  private details(): CaptureDetails {
    const { way, overlay } = this;
    if (overlay === undefined) return way.details;
    return { ...way.details, parent: overlay.parent, chunkBytes: overlay.chunkBytes };
  }
}
