// One attempt at a full base backup whose files are read at hand, several at once, between `pg_backup_start` and `pg_backup_stop`; committed last.

import { stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { lsnValue } from '../../domain/lsn.ts';
import { fail, HoldfastError } from '../../errors/index.ts';
import { TokenBucket } from '../../stores/bandwidth.ts';
import type {
  LocalFile,
  LocalFileResult,
  LocalFilesOptions,
  SnapshotOnCopies,
  SnapshotWriter,
} from '../../vault/types.ts';
import { openReplication } from '../connection/index.ts';
import type { SnapshotFacts } from '../facts/index.ts';
import { identifySystem } from '../identity.ts';
import type { Tablespace } from '../types.ts';
import type { Reasons } from './attempts.ts';
import { type BackupEnd, BackupSession } from './backup-session.ts';
import { BecomesStream, becomesStream } from './becomes-stream.ts';
import { addLinks, addManifest, cancelled, conclude, once, openWriter, readFactsBeside } from './conclude.ts';
import { CONTROL_FILE, readControlFile } from './control-file.ts';
import { DamageLog } from './damage-log.ts';
import { type FoundEntry, findTablespaces, walkDataDirectory } from './data-directory.ts';
import { type FilesAtHand, findFilesAtHand, requireOwnFiles } from './files-at-hand.ts';
import { type OwnFile, ownManifest } from './own-manifest.ts';
import type { PageInspectorSettings } from './page-inspector.ts';
import { readSourceFacts, type SourceFacts } from './physical-details.ts';
import { relationFile } from './relation-file.ts';
import { checkManifestIdentity, compareWithManifest, parseServerManifest } from './server-manifest.ts';
import type { TakeBaseBackupOptions } from './take-base-backup.ts';

/** The sources are run as they are, the package compiled: the module's file has this one's extension. */
const INSPECTOR = new URL(`./page-inspector${path.extname(fileURLToPath(import.meta.url))}`, import.meta.url).href;
/** A file may vanish or become unreadable at any moment; the first tells nothing, the second ends this way of reading. */
const VANISHED = new Set(['ENOENT', 'ENOTDIR']);
const UNREADABLE = new Set(['EACCES', 'EPERM']);

/** Before the backup begins. */
interface Known {
  readonly systemId: string;
  readonly atHand: FilesAtHand;
  readonly facts: SourceFacts;
  readonly noted: SnapshotFacts;
}

export class FilesCapture {
  private readonly options: TakeBaseBackupOptions;
  private readonly because: Reasons;
  private readonly files = new Map<string, OwnFile>();
  /** Of files that are being read, by their paths. */
  private readonly times = new Map<string, number>();
  private readonly damage = new DamageLog();
  private readonly spaceBytes = new Map<number, number>();
  private readonly progress = { doneBytes: 0, totalBytes: 0 };
  private readonly bucket: TokenBucket | undefined;
  private sizeBytes = 0;
  private failure: { readonly cause: unknown } | undefined;

  constructor(options: TakeBaseBackupOptions, because: Reasons) {
    const { rateLimitBytesPerSecond: rate, rateClock } = options;
    this.options = options;
    this.because = because;
    this.bucket = rate === undefined ? undefined : new TokenBucket(rate, rateClock);
  }

  /** Throws `BecomesStream` where the files are not at hand. */
  async run(): Promise<SnapshotOnCopies> {
    const { source, signal } = this.options;
    const { systemId } = await this.identify();
    const atHand = await findFilesAtHand(source, systemId);
    const facts = await readSourceFacts(source);
    try {
      const open = () => openWriter(this.options, facts);
      const { noted, made: writer } = await readFactsBeside(this.options, source, open, (it) => it.abandon());
      return await this.capture(writer, { atHand, facts, noted, systemId });
    } catch (error) {
      throw signal.aborted ? cancelled(error) : error;
    }
  }

  private async identify() {
    const connection = await openReplication(this.options.source);
    try {
      return await identifySystem(connection);
    } finally {
      connection.close();
    }
  }

  private async capture(writer: SnapshotWriter, { atHand, facts, noted, systemId }: Known) {
    try {
      const { startLsn, tablespaces, end } = await this.read(writer, atHand, facts, await this.start());
      const { stopLsn, timeline } = end;
      await this.addLabel(writer, atHand, end);
      await this.addManifest(writer, { major: facts.major, systemId, timeline, startLsn, stopLsn });
      return await conclude(this.options, writer, facts, {
        ...{ systemId, timeline, startLsn, stopLsn, sizeBytes: this.sizeBytes, damage: this.damage, facts: noted },
        tablespaces: tablespaces.map((it) => ({ ...it, sizeBytes: this.spaceBytes.get(it.oid) ?? 0 })),
        details: { capture: 'full', way: 'files', ...this.because },
      });
    } catch (error) {
      await writer.abandon();
      throw error;
    }
  }

  private async start(): Promise<BackupSession> {
    const { source, request, checkpoint = 'fast', signal } = this.options;
    return await BackupSession.start(source, `holdfast ${request.snapshotId}`, checkpoint, signal);
  }

  /** Everything that is read while the session lives. */
  private async read(writer: SnapshotWriter, atHand: FilesAtHand, facts: SourceFacts, session: BackupSession) {
    const { request, logger } = this.options;
    const { dataDirectory } = atHand;
    try {
      const { startLsn } = session;
      await requireOwnFiles(atHand, startLsn);
      const tablespaces = await findTablespaces(dataDirectory);
      if (tablespaces === undefined) return becomesStream('a tablespace is inside of the data directory');
      logger.info({ startLsn, snapshot: request.snapshotId, from: dataDirectory }, 'base backup started');
      await addLinks(writer, tablespaces);
      await this.readFiles(writer, { ...atHand, tablespaces }, facts, session);
      await this.readControl(writer, atHand);
      const end = await session.stop();
      requireSpaces(end, tablespaces);
      return { startLsn, tablespaces, end };
    } finally {
      await session.close();
    }
  }

  private async readFiles(
    writer: SnapshotWriter,
    atHand: FilesAtHand,
    facts: SourceFacts,
    session: BackupSession,
  ): Promise<void> {
    const { pageSizeBytes } = facts;
    const settings: PageInspectorSettings = { pageSizeBytes, startLsn: lsnValue(session.startLsn) };
    const options: LocalFilesOptions = {
      ...(facts.pageChecksums && { inspection: { module: INSPECTOR, settings } }),
      pace: (bytes) => this.pace(bytes, session),
    };
    this.progress.totalBytes = await this.estimate(atHand, facts);
    await writer.addLocalFiles(this.found(writer, atHand, facts), (result) => this.note(result), options);
    this.check();
    if (this.times.size > 0) fail('INTERNAL', `nothing was told of '${[...this.times.keys()][0]}'`);
    if (!this.files.has('PG_VERSION')) fail('BACKUP_INVALID', `'PG_VERSION' vanished from '${atHand.dataDirectory}'`);
  }

  /** A server that has gone, or a person who does not want the backup any more, ends the reading. */
  private async pace(bytes: number, { lost }: BackupSession): Promise<void> {
    const { signal, onProgress } = this.options;
    this.check();
    // It ends early for one of two reasons, which are told right below.
    await this.bucket?.take(bytes, AbortSignal.any([signal, lost])).catch(() => undefined);
    signal.throwIfAborted();
    lost.throwIfAborted();
    this.progress.doneBytes += bytes;
    const { doneBytes, totalBytes } = this.progress;
    onProgress?.({ doneBytes, totalBytes: Math.max(doneBytes, totalBytes) });
  }

  private walk(
    { dataDirectory: root, control, tablespaces }: FilesAtHand,
    { major }: SourceFacts,
    onSkipped: (path: string) => void,
  ): AsyncGenerator<FoundEntry> {
    const tablespaceDirectory = `PG_${major}_${control.catalogVersion}`;
    return walkDataDirectory({ root, major, tablespaces, tablespaceDirectory, onSkipped });
  }

  /** Of all files, for those who watch. */
  private async estimate(atHand: FilesAtHand, facts: SourceFacts): Promise<number> {
    let totalBytes = 0;
    for await (const found of this.walk(atHand, facts, () => undefined))
      if (found.type === 'file') totalBytes += found.sizeBytes;
    return totalBytes;
  }

  private async *found(writer: SnapshotWriter, atHand: FilesAtHand, facts: SourceFacts): AsyncGenerator<LocalFile> {
    const { logger } = this.options;
    const onSkipped = (name: string) => logger.warn({ path: name }, 'neither file nor directory: left out');
    for await (const found of this.walk(atHand, facts, onSkipped)) {
      const { path: name, mode, mtimeSeconds } = found;
      if (found.type === 'directory') {
        await writer.addDirectory({ path: name, mode, mtimeSeconds });
        continue;
      }
      const { source, sizeBytes } = found;
      const relation = relationFile(name, facts.pageSizeBytes);
      const entry = { path: name, mode, mtimeSeconds, chunking: relation === undefined ? 'content' : 'pages' } as const;
      this.times.set(name, mtimeSeconds);
      yield { entry, source, sizeBytes, ...(relation && { firstPage: relation.firstBlock }) };
    }
  }

  private note(result: LocalFileResult): void {
    const { path: name } = result;
    const mtimeSeconds = this.times.get(name) ?? 0;
    this.times.delete(name);
    if ('code' in result) {
      this.miss(name, result.code);
      return;
    }
    const { sizeBytes, sha256, badPages = [] } = result;
    this.add(name, { sizeBytes, sha256, mtimeSeconds });
    for (const block of badPages) this.damage.note({ path: name, block });
    const oid = Number(/^pg_tblspc\/(\d+)\//.exec(name)?.[1]);
    if (oid > 0) this.spaceBytes.set(oid, (this.spaceBytes.get(oid) ?? 0) + sizeBytes);
  }

  /** What is told while other files are read ends their reading. */
  private miss(name: string, code: string): void {
    if (VANISHED.has(code)) return;
    const cause = UNREADABLE.has(code)
      ? new BecomesStream(`'${name}' of the data directory cannot be read (${code})`)
      : new HoldfastError('BACKUP_INVALID', `'${name}' cannot be read: ${code}`);
    this.failure ??= { cause };
  }

  private check(): void {
    if (this.failure) throw this.failure.cause;
  }

  private add(name: string, file: OwnFile): void {
    this.files.set(name, file);
    this.sizeBytes += file.sizeBytes;
  }

  /** After everything else: it says from where a server may go on. */
  private async readControl(writer: SnapshotWriter, { dataDirectory }: FilesAtHand): Promise<void> {
    const { bytes, mode, mtimeSeconds } = await readControlFile(path.join(dataDirectory, CONTROL_FILE));
    await this.addOwn(writer, CONTROL_FILE, { mode, mtimeSeconds }, bytes);
  }

  /**
   * The map of tablespaces, which comes with the label, does not go along: a server that finds one makes links to the places of the source,
   * wherever it was restored to. The tree has the links.
   */
  private async addLabel(writer: SnapshotWriter, { dataDirectory }: FilesAtHand, { label }: BackupEnd): Promise<void> {
    const { mode } = await stat(dataDirectory);
    const facts = { mode: (mode & 0o040) === 0 ? 0o600 : 0o640, mtimeSeconds: Math.floor(Date.now() / 1000) };
    await this.addOwn(writer, 'backup_label', facts, Buffer.from(label));
  }

  private async addOwn(
    writer: SnapshotWriter,
    name: string,
    facts: { readonly mode: number; readonly mtimeSeconds: number },
    bytes: Buffer,
  ): Promise<void> {
    const { sizeBytes, sha256 } = await writer.addFile({ path: name, ...facts, chunking: 'content' }, once(bytes));
    this.add(name, { sizeBytes, sha256, mtimeSeconds: facts.mtimeSeconds });
  }

  /** Proved as one of the server's would be: whoever reads it later is as strict. */
  private async addManifest(writer: SnapshotWriter, backup: Parameters<typeof ownManifest>[0]): Promise<void> {
    const bytes = ownManifest(backup, this.files);
    const manifest = parseServerManifest(bytes);
    checkManifestIdentity(manifest, backup);
    compareWithManifest(manifest, this.files);
    await addManifest(writer, bytes);
    this.sizeBytes += bytes.length;
  }
}

/** One that was made meanwhile is in the log; one that the server knew at the start must be here. */
function requireSpaces({ tablespaces }: BackupEnd, found: readonly Tablespace[]): void {
  const lost = tablespaces.find((oid) => !found.some((it) => it.oid === oid));
  if (lost !== undefined) fail('BACKUP_INVALID', `tablespace ${lost} of the server was not found in 'pg_tblspc'`);
}
