// The words of the vault as types: snapshots, manifests, log objects and the services the engines use.

import type { ComponentId } from '../domain/component.ts';
import type { SeedPlan } from '../domain/copies-report.ts';
import type { WholeLook } from '../domain/copy-verified.ts';
import type { SeenHead } from '../domain/heads.ts';
import type { ComponentIntegrity, IntegrityLevel, RepairReport } from '../domain/integrity.ts';
import type { Lsn, SegmentName } from '../domain/lsn.ts';
import type { Moment } from '../domain/moment.ts';
import type { ProofLevel, SnapshotKind, Verdict } from '../domain/states.ts';
import type { ErrorData } from '../errors/index.ts';
import type { KeySource } from './key-sources.ts';
import type { VaultRetention } from './retention/index.ts';

/** `20261123T061407Z-3f9a1c2b`: start of the capture and 8 random hexadecimal digits; chosen by the run, so a repeated attempt has the same. */
export type SnapshotId = string & { readonly __brand: 'SnapshotId' };

/** How bytes are cut into chunks: fixed page-aligned blocks of 64 KiB, or content-defined. */
export type Chunking = 'pages' | 'content';

// ── Snapshots ────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface TreeEntry {
  /** Relative path, `/`-separated; for tablespaces `pg_tblspc/<oid>/…`. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink';
  /** Permission bits. */
  readonly mode: number;
  /** Seconds since 1970; files only need whole seconds for databases. */
  readonly mtimeSeconds: number;
  /** Nanoseconds within the second; absent where whole seconds are all there is. */
  readonly mtimeNanos?: number;
  /** Of the source, to find what changed: time of the last change of content or attributes in nanoseconds since 1970, and inode, as decimal text. */
  readonly ctimeNs?: string;
  readonly inode?: string;
  readonly linkTarget?: string;
  readonly sizeBytes: number;
  /** Lower-case hexadecimal SHA-256 of the whole file. */
  readonly sha256?: string;
  readonly chunking?: Chunking;
  /** Chunk ids in order, lower-case hexadecimal. */
  readonly chunks?: readonly string[];
}

export interface SnapshotStatistics {
  readonly files: number;
  readonly readBytes: number;
  /** Plain bytes of chunks this snapshot added to its generation. */
  readonly newBytes: number;
  /** Bytes written to each copy. */
  readonly storedBytes: number;
  readonly chunks: number;
  readonly newChunks: number;
}

/** The decrypted manifest, less what only the vault itself needs. */
export interface Snapshot {
  readonly id: SnapshotId;
  readonly component: ComponentId;
  readonly kind: SnapshotKind;
  /** Retention class; snapshots of one component and class share generations. */
  readonly class: string;
  readonly generation: string;
  readonly sequence: number;
  readonly from: Moment;
  readonly to: Moment;
  readonly state: 'clean' | 'damaged';
  readonly host: string;
  readonly statistics: SnapshotStatistics;
  /** What the engine needs to restore (PostgreSQL: `PhysicalDetails`). Plain JSON. */
  readonly engine: Readonly<Record<string, unknown>>;
}

export interface SnapshotOnCopies extends Snapshot {
  /** Per copy of the configuration. `away`: the copy could not be asked. */
  readonly copies: Readonly<Record<string, 'present' | 'absent' | 'away'>>;
}

export interface SnapshotRequest {
  readonly id: SnapshotId;
  readonly component: ComponentId;
  readonly kind: SnapshotKind;
  readonly class: string;
  /**
   * Classes of this component that are kept longer than `class`: chunks that their present generations hold are not stored again. Never one that is
   * kept shorter: the snapshot would lose them. Default none.
   */
  readonly longerLived?: readonly string[];
  readonly from: Moment;
  readonly host: string;
}

/** What is told about a file before it is read. */
export type FileEntry = Omit<TreeEntry, 'sha256' | 'chunks' | 'sizeBytes' | 'type'>;

export type PlainEntry = Pick<TreeEntry, 'path' | 'mode' | 'mtimeSeconds' | 'mtimeNanos'>;

/** What was stored of a file. */
export interface StoredFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Lower-case hexadecimal SHA-256 of the whole file. */
  readonly sha256: string;
}

/** A file of this host, read by the vault's own threads. */
export interface LocalFile {
  readonly entry: FileEntry;
  /** Absolute; bytes because a name need not be UTF-8. */
  readonly source: string | Uint8Array;
  /** As the scan saw it; decides only how it is read. */
  readonly sizeBytes: number;
}

/** What came of a local file. `torn`: it changed again and again while it was read. `code`: why it could not be read (`ENOENT`, `EACCES`, …); it is not in the tree then. */
export type LocalFileResult =
  | (StoredFile & { readonly mtimeNs: bigint; readonly ctimeNs: bigint; readonly isTorn: boolean })
  | { readonly path: string; readonly code: string };

/** Takes the files of one capture one after another (the stream of a base backup is sequential); bounded memory, uploads behind. */
export interface SnapshotWriter {
  /** Cuts, deduplicates, compresses, encrypts, packs; resolves when the source is read (hashing and uploads may still run). Back-pressure by the iterable. */
  addFile(entry: FileEntry, source: AsyncIterable<Uint8Array>): Promise<StoredFile>;
  /** Reads files in worker threads, several at once; they come in the tree in the order given. `onFile` is told of each, in any order. */
  addLocalFiles(
    files: Iterable<LocalFile> | AsyncIterable<LocalFile>,
    onFile: (result: LocalFileResult) => void,
  ): Promise<void>;
  /** An entry of an earlier snapshot of this class, taken over without reading the file. `false`, and nothing is added, when not all of its chunks are in the generation. */
  addUnchanged(entry: TreeEntry): boolean;
  addDirectory(entry: PlainEntry): void;
  addSymlink(entry: PlainEntry & { readonly linkTarget: string }): void;
  readonly statistics: SnapshotStatistics;
  /**
   * The barrier: waits for every pack on every copy that keeps up, confirms them, then asks `ready(copy)` (log is there?), then puts the
   * manifest (put-if-absent). Throws `POLICY_UNMET` when fewer copies than the policy hold it. A copy that failed is left behind, named in the result.
   */
  commit(end: {
    readonly to: Moment;
    readonly state: 'clean' | 'damaged';
    readonly engine: Readonly<Record<string, unknown>>;
    readonly ready?: CommitReady;
  }): Promise<SnapshotOnCopies>;
  /** Stops uploads; what was stored stays as garbage that a next attempt reuses. */
  abandon(): Promise<void>;
}

/**
 * Resolves when the copy has everything else that the snapshot needs (its log). `mayLeave` says, whenever it is asked, whether the other
 * copies are enough without this one: then it may throw why the copy is left behind, instead of waiting on.
 */
export type CommitReady = (copy: string, mayLeave: () => boolean) => Promise<void>;

export interface SnapshotReader {
  readonly snapshot: Snapshot;
  /** Streams the tree, in the order it was captured. */
  entries(): AsyncIterable<TreeEntry>;
  /** Plain bytes of one file, verified chunk by chunk and as a whole (length and SHA-256) before the end is signalled; another copy is tried when a pack is missing or damaged. */
  read(entry: TreeEntry): AsyncIterable<Buffer>;
  /**
   * Writes files below a directory by worker threads: each is verified chunk by chunk and as a whole before it has its name, and what is right
   * there already (size and SHA-256) is kept, so that a restore that was killed goes on. No link below the directory is followed. When this
   * resolves, everything is on the disk (see `sync`); when it rejects, nothing is written any more. Throws `CANCELLED`, `NO_SPACE`,
   * `TARGET_UNFIT`, and what says most when no copy gives a chunk: `OBJECT_MISSING`, `OBJECT_DAMAGED`, or why it cannot be asked.
   */
  restoreFiles(
    files: Iterable<FileToRestore> | AsyncIterable<FileToRestore>,
    options: RestoreFilesOptions,
  ): Promise<RestoredFiles>;
  /** Lets go of what it keeps on disk and in memory. */
  close(): void;
}

export interface FileToRestore {
  /** A file of this snapshot's tree. */
  readonly entry: TreeEntry;
  /** Below the directory, `/`-separated; default the entry's own. Directories on the way that are not there are made with mode 0700. */
  readonly path?: string;
  /** Default the entry's own. */
  readonly mode?: number;
}

export interface RestoreFilesOptions {
  /** Absolute; must exist. */
  readonly directory: string;
  /** Of the files; default ourselves. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /**
   * How files get onto the disk. `once` (default): the whole file system is synced at the end, which also tells of writes that failed before;
   * `each`: every file before it has its name. A kernel whose sync tells of no failures (before Linux 5.8) makes the first the second.
   */
  readonly sync?: 'once' | 'each';
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: RestoredFiles) => void;
  /** Worker threads; default the cores, at most 8. */
  readonly threads?: number;
}

export interface RestoredFiles {
  /** Files done, kept ones included. */
  readonly files: number;
  readonly bytes: number;
  readonly keptFiles: number;
  readonly keptBytes: number;
}

// ── Log ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Server clock and a position: everything committed up to `time` lies before or at `lsn`. */
export interface TimeMark {
  readonly time: Moment;
  readonly lsn: Lsn;
}

export interface CommitPoint {
  readonly lsn: Lsn;
  readonly time: Moment;
}

export interface RestorePointMark {
  readonly name: string;
  /** Start of the record; `endLsn` is one past it. */
  readonly lsn: Lsn;
  readonly endLsn: Lsn;
  readonly time: Moment;
}

/** Facts about the log bytes of one object, stored encrypted at its head so that they can be read without the bytes. */
export interface LogHeader {
  readonly timeline: number;
  readonly segmentSizeBytes: number;
  /** First byte and one past the last byte of the log that this object holds. */
  readonly fromLsn: Lsn;
  readonly toLsn: Lsn;
  /** SHA-256 of the plain bytes, lower-case hexadecimal. */
  readonly sha256: string;
  /** First and last transaction end (commit or abort, prepared ones too) whose record *starts* in these bytes. */
  readonly first?: CommitPoint;
  readonly last?: CommitPoint;
  /** Latest transaction end time seen on this timeline up to `toLsn`; never decreases along a timeline, so it can be searched. */
  readonly maxTime?: Moment;
  readonly restorePoints: readonly RestorePointMark[];
  /** Newest mark at or before `toLsn` when the object was written. */
  readonly mark?: TimeMark;
}

export interface LogObject {
  readonly kind: 'segment' | 'extent';
  readonly timeline: number;
  readonly segment: SegmentName;
  readonly fromLsn: Lsn;
  /** A closed segment that ends early (its timeline was left) says so in its header only; here `toLsn` is then the header's, once read. */
  readonly toLsn: Lsn;
  readonly key: string;
  readonly sizeBytes: number;
}

export interface LogListing {
  readonly systemId: string;
  readonly objects: readonly LogObject[];
  readonly histories: readonly number[];
  /** Newest mark object, if any; older ones say nothing more. */
  readonly mark?: TimeMark;
}

/** The log of one database cluster on one copy. */
export interface LogCopy {
  readonly copy: string;
  /** A closed segment. Present with the same plain bytes: fine. With other bytes: `OBJECT_EXISTS` (an alarm). Resolves when durable. */
  putSegment(header: LogHeader, bytes: Uint8Array): Promise<void>;
  /** Only the new bytes of an open segment; short-lived, never locked. Same rule for repeats. */
  putExtent(header: LogHeader, bytes: Uint8Array): Promise<void>;
  /** A mark without new bytes (idle server); replaces the older mark objects of this timeline. */
  putMark(timeline: number, mark: TimeMark): Promise<void>;
  putHistory(timeline: number, text: string): Promise<void>;
  list(options?: { timeline?: number; fromSegment?: SegmentName }): Promise<LogListing>;
  /** Keys, of any log, that a tombstone on this copy names: listed until they are swept, and nothing to go on from. */
  named(): Promise<ReadonlySet<string>>;
  readHeader(object: LogObject): Promise<LogHeader>;
  /** Verified plain bytes (GCM, length, SHA-256). */
  read(object: LogObject): Promise<{ header: LogHeader; bytes: Buffer }>;
  readHistory(timeline: number): Promise<string>;
  /** Deletes the extents of a segment after proving that its closed object is there and good. */
  dropExtents(segment: SegmentName): Promise<void>;
}

// ── Whole vault ──────────────────────────────────────────────────────────────────────────────────────────────────────

export interface CopyDescription {
  readonly name: string;
  readonly site: string;
  readonly medium: string;
  readonly offsite: boolean;
  readonly location: string;
}

export type CopyCondition =
  | { readonly name: string; readonly state: 'ready' }
  /** Not reachable, refused, holds no or another vault; the error says which. */
  | { readonly name: string; readonly state: 'away'; readonly error: { code: string; message: string; hint: string } };

/** What "durable" means: how many copies, of which how many off-site (DESIGN `commit`). */
export interface CommitPolicy {
  readonly copies: number;
  readonly offsite: number;
}

export interface Vault {
  readonly id: string;
  /** Holds, tombstones and deletion (docs/vault-format.md, section 13). */
  readonly retention: VaultRetention;
  readonly policy: CommitPolicy;
  readonly copies: readonly CopyDescription[];
  /** Asks every copy anew (descriptor present, same vault, writable where asked). Never throws for one copy's failure. */
  conditions(): Promise<readonly CopyCondition[]>;

  /**
   * Gives an empty copy (`away` with `VAULT_MISSING`) this vault's descriptor and key slots. Only `setup` and `copies add` call it: a disk that is not
   * mounted looks just like an empty one. Throws `STORE_UNFIT` when the store holds something, `VAULT_OTHER`.
   */
  adoptCopy(name: string): Promise<void>;

  /** What `adoptCopy` and a catch-up would bring to this copy; touches nothing. Throws as `adoptCopy` does. */
  seedPlan(name: string): Promise<SeedPlan>;

  writeSnapshot(request: SnapshotRequest): Promise<SnapshotWriter>;
  /**
   * For a repeated attempt, before it reads anything: when a copy that answers has a manifest with this id, completes the snapshot on the
   * others and gives it; `undefined` when none has. `commit` does the same by itself.
   */
  completeSnapshot(component: ComponentId, id: SnapshotId, ready?: CommitReady): Promise<SnapshotOnCopies | undefined>;
  /** Newest first, merged over the copies that answer. Throws `POLICY_UNMET` only when no copy answers. */
  listSnapshots(component?: ComponentId): Promise<readonly SnapshotOnCopies[]>;
  /**
   * One snapshot of a component, by listings and its own manifest alone; `undefined` when no copy lists it. Throws `POLICY_UNMET` when no copy answers,
   * and what is wrong with the manifest when no copy has it whole.
   */
  findSnapshot(component: ComponentId, id: SnapshotId): Promise<SnapshotOnCopies | undefined>;
  /** What each copy that answers shows of every component it has anything of. Throws `POLICY_UNMET` when no copy answers. */
  heads(): Promise<ReadonlyMap<string, ReadonlyMap<ComponentId, SeenHead>>>;
  /** Throws `NOT_FOUND`. `from`: preferred copy; others serve what it lacks. */
  openSnapshot(id: SnapshotId, from?: string): Promise<SnapshotReader>;
  /**
   * Reads manifest, list of packs and tree from this copy alone. Throws what is wrong there: `OBJECT_MISSING`, `OBJECT_DAMAGED`, or why it
   * cannot be asked.
   */
  verifyCopy(component: ComponentId, id: SnapshotId, copy: string): Promise<void>;

  log(component: ComponentId, systemId: string, copy: string): LogCopy;
  /** System ids that have log under this component, over the copies that answer. */
  logSystems(component: ComponentId): Promise<readonly string[]>;

  /** Small encrypted records under `runs/<run>/<name>`, on every copy that answers; one is enough, because a recovery keeps records too. Overwrites never: `name` is new each time. */
  putRecord(run: string, name: string, data: unknown): Promise<void>;
  getRecord(run: string, name: string): Promise<unknown>;
  listRecords(run?: string): Promise<readonly { run: string; name: string; storedAt: Date }[]>;

  /** Keeps what was seen, on every copy that answers; one is enough. */
  putProof(proof: Proof): Promise<void>;
  /** Everything that was ever seen of the component's snapshots, newest first. Throws `POLICY_UNMET` when no copy answers. */
  proofs(component: ComponentId): Promise<readonly SnapshotProof[]>;
  /** The same, with the looks at everything on a copy. */
  looks(component: ComponentId): Promise<Looks>;
  /** By snapshot id: the best proof that no later look at the same copy contradicts; none for a snapshot of which nothing good is known. */
  newestProofs(component: ComponentId): Promise<Readonly<Record<string, SnapshotProof>>>;
  /**
   * Looks at everything that the component has on each copy, by that copy's own bytes, and keeps the result as proofs; a killed run's next attempt goes
   * on where it was. Never throws for one copy's or object's trouble: that is a result.
   */
  verify(request: VerifyRequest): Promise<ComponentIntegrity>;
  /**
   * Puts good bytes of other copies where this copy's are missing or damaged, as listings show now and proofs say; each verified at its source, and
   * the target's bytes found bad once more right before. Snapshots that the copy lacks altogether are left to `catchUp`.
   */
  repair(request: RepairRequest): Promise<RepairReport>;

  /**
   * Names of copies that answer and lack a key slot, a snapshot or a record that another one has; by listings alone. Throws `POLICY_UNMET`
   * only when no copy answers.
   */
  copiesBehind(): Promise<readonly string[]>;
  /** Copies what `target` lacks from the others, verifying: packs, indexes, then manifests; log; records. Idempotent. */
  catchUp(
    target: string,
    options?: { signal?: AbortSignal; onProgress?: (done: CatchUpProgress) => void },
  ): Promise<CatchUpProgress>;

  /** The ways to open this vault, and changing them. */
  readonly slots: KeySlots;

  /**
   * An exclusive, expiring claim on a resource, kept on the copies (majority of the policy's); see docs/vault-format.md. Its token is
   * also greater than `above`, for a resource that remembers tokens which the copies may have lost; default 0.
   */
  acquireLease(resource: string, owner: string, ttlMs: number, above?: number): Promise<Lease>;

  close(): Promise<void>;
}

export interface ListedSlot {
  readonly slot: string;
  /** Key of the slot object; a slot has several only while it is being rotated. */
  readonly object: string;
  /** Absent when no copy has it whole. */
  readonly kind: 'file' | 'passphrase' | 'kms' | undefined;
  readonly created: string | undefined;
  /** When it was removed; it lies only on copies that were away since. */
  readonly removed: string | undefined;
  readonly copies: Readonly<Record<string, 'present' | 'absent' | 'damaged' | 'away'>>;
  /** Why the given keys do not open it; absent when one does. */
  readonly error: ErrorData | undefined;
}

export interface SlotListing {
  readonly slots: readonly ListedSlot[];
  /** Names of slots that there were and that were removed. */
  readonly removed: readonly string[];
}

export interface SlotTest {
  readonly slot: string;
  readonly object: string;
  readonly copy: string;
  /** Absent when the object of this copy gave the vault key. */
  readonly error?: ErrorData;
}

export interface SlotChange {
  readonly slot: string;
  /** The object that opens it now; none after a removal. */
  readonly object: string | undefined;
  /** False when an earlier attempt had made it. */
  readonly made: boolean;
  /** Keys of objects that went. */
  readonly removed: readonly string[];
  /** Copies that are as they should be. */
  readonly copies: readonly string[];
  /** Those of them that keep what went until its lock ends: it can be read there till then. */
  readonly kept: readonly string[];
  /** Copies that gave no answer; catch-up brings them in line. */
  readonly behind: readonly { readonly copy: string; readonly error: ErrorData }[];
}

export interface SlotRotation {
  /** The source gives another secret each time, so that one object which it opens is the old one. */
  readonly fresh: boolean;
  /** Runs when every copy that answers holds the new object, before an old one goes. */
  readonly settle?: (state: { readonly behind: readonly string[] }) => Promise<void>;
}

/** One change of slots at a time in a vault: each throws `LOCKED` while another host makes one. All can be repeated after dying anywhere. */
export interface KeySlots {
  list(sources: readonly KeySource[]): Promise<SlotListing>;
  /** Reads and opens the live objects of one slot, or of all, on every copy. */
  test(sources: readonly KeySource[], slot?: string): Promise<readonly SlotTest[]>;
  add(source: KeySource): Promise<SlotChange>;
  rotate(source: KeySource, options: SlotRotation): Promise<SlotChange>;
  /** Throws `KEY_LAST` unless one of `sources` opens another slot on every copy that answers. */
  remove(slot: string, sources: readonly KeySource[]): Promise<SlotChange>;
}

/** What a verification, or a restore, has seen on one copy. */
export interface Proof {
  readonly component: ComponentId;
  readonly copy: string;
  readonly level: ProofLevel;
  /** When the look began. */
  readonly at: Moment;
  readonly run: string;
  readonly snapshots: readonly (readonly [id: string, state: 'good' | 'damaged' | 'missing'])[];
  /** Keys of objects. */
  readonly objects: readonly (readonly [key: string, state: 'good' | 'damaged' | 'missing'])[];
  /** At the end of a look at everything that the component has on the copy. `since`: of a good one, when the oldest look began that it rests on. */
  readonly whole?: { readonly state: Verdict; readonly since?: Moment };
}

/** What was ever seen of a component on its copies, newest first. */
export interface Looks {
  readonly snapshots: readonly SnapshotProof[];
  readonly whole: readonly WholeLook[];
}

export interface SnapshotProof {
  readonly snapshot: SnapshotId;
  readonly component: ComponentId;
  readonly copy: string;
  readonly level: ProofLevel;
  readonly state: 'good' | 'damaged' | 'missing';
  readonly at: Moment;
  readonly run: string;
}

export interface VerifyRequest {
  readonly component: ComponentId;
  readonly level: IntegrityLevel;
  readonly run: string;
  /** Default all of the configuration. */
  readonly copies?: readonly string[];
  /** What was seen good at this level since then counts and is not read again; without it everything is read. */
  readonly since?: Moment;
  /** Bytes to read at most, over all copies; what is left is `not checked`. Default no limit. */
  readonly budgetBytes?: number;
  /** No object is begun after so long. Default no limit. */
  readonly timeMs?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly copy: string; readonly objects: number; readonly bytes: number }) => void;
}

export interface RepairRequest {
  readonly copy: string;
  /** Default all that the vault holds. */
  readonly components?: readonly ComponentId[];
  readonly run: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly objects: number; readonly bytes: number }) => void;
}

export interface CatchUpProgress {
  readonly objects: number;
  readonly bytes: number;
  readonly remaining: number;
}

export interface Lease {
  readonly resource: string;
  /** Grows with every holder; a step that destroys compares it. */
  readonly token: number;
  /** How long nobody else can take it, counted on a clock that only runs forward; `check` leaves at least half of the whole time. */
  readonly leftMs: number;
  /** Throws `FENCED` when somebody else holds it by now. Called before every destructive step. */
  check(): Promise<void>;
  renew(): Promise<void>;
  release(): Promise<void>;
}
