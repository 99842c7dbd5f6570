// Snapshots as types: what one is made of, and what writes, reads and restores it.

import type { ComponentId } from '../domain/component.ts';
import type { Moment } from '../domain/moment.ts';
import type { SnapshotKind } from '../domain/states.ts';

/** `20261123T061407Z-3f9a1c2b`: start of the capture and 8 random hexadecimal digits; chosen by the run, so a repeated attempt has the same. */
export type SnapshotId = string & { readonly __brand: 'SnapshotId' };

/** How bytes are cut into chunks: fixed page-aligned blocks of 64 KiB, or content-defined. */
export type Chunking = 'pages' | 'content';

/** `hardlink`: another name of an entry of the same tree that is no directory. `fifo`: a named pipe. */
export type EntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'device';

export interface TreeEntry {
  /** Relative path, `/`-separated; for tablespaces `pg_tblspc/<oid>/…`. */
  readonly path: string;
  readonly type: EntryType;
  /** Permission bits. */
  readonly mode: number;
  /** Seconds since 1970; files only need whole seconds for databases. */
  readonly mtimeSeconds: number;
  /** Nanoseconds within the second; absent where whole seconds are all there is. */
  readonly mtimeNanos?: number;
  /** Of the source, to find what changed: time of the last change of content or attributes in nanoseconds since 1970, and inode, as decimal text. */
  readonly ctimeNs?: string;
  readonly inode?: string;
  /** Of a symbolic link, where it leads; of a hard link, the path of the entry in the same tree that it is another name of. */
  readonly linkTarget?: string;
  /** Of the source: numbers, and the names that they had there. */
  readonly uid?: number;
  readonly gid?: number;
  readonly user?: string;
  readonly group?: string;
  /** Extended attributes, access control lists among them: values in base64 by name. */
  readonly xattrs?: Readonly<Record<string, string>>;
  /** The source kept stretches of zeros as holes. */
  readonly holes?: true;
  readonly device?: { readonly kind: 'character' | 'block'; readonly major: number; readonly minor: number };
  readonly sizeBytes: number;
  /** Lower-case hexadecimal SHA-256 of the whole file; absent where nobody has read the whole file. */
  readonly sha256?: string;
  readonly chunking?: Chunking;
  /** Chunk ids, lower-case hexadecimal: in the order of the file, or, beside `pieces`, all that these refer to. */
  readonly chunks?: readonly string[];
  /** Of a file made of parts of chunks, in its order, three numbers for each: index into `chunks`, offset in that chunk's plain bytes, length. */
  readonly pieces?: readonly number[];
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
export type FileEntry = Omit<TreeEntry, 'sha256' | 'chunks' | 'pieces' | 'sizeBytes' | 'type'>;

export type PlainEntry = Pick<TreeEntry, 'path' | 'mode' | 'mtimeSeconds' | 'mtimeNanos'>;

/** An entry without content. */
export type BareEntry = Omit<FileEntry, 'chunking' | 'holes'> & { readonly type: Exclude<EntryType, 'file'> };

/** What was stored of a file. */
export interface StoredFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Lower-case hexadecimal SHA-256 of the whole file. */
  readonly sha256: string;
}

/** The next bytes of a file: those of its parent at a place, or new ones. */
export type LaidPart =
  | { readonly positionBytes: number; readonly lengthBytes: number }
  | { readonly bytes: Uint8Array };

/** What was stored of a file that was laid over an earlier one. */
export interface LaidFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Absent where parts of the parent are in it: nobody has read them. */
  readonly sha256?: string;
  /** Of the file, bytes that were given. */
  readonly givenBytes: number;
  /** Plain bytes of all chunks that it refers to: what a restore reads for it. */
  readonly chunkBytes: number;
}

/** Absolute path of a file of this host; bytes because a name need not be UTF-8. `straight`: by its text (src/domain/path-text.ts), and no link is followed anywhere on it. */
export type LocalSource = string | Uint8Array | { readonly straight: string };

/** A file of this host, read by the vault's own threads. */
export interface LocalFile {
  readonly entry: FileEntry;
  readonly source: LocalSource;
  /** As the scan saw it; decides only how it is read. Of a file that is cut into pages no more than this is read. */
  readonly sizeBytes: number;
  /** Of a file that is cut into pages: the number of its first one. Default 0. */
  readonly firstPage?: number;
  /** What is written down of it once it was read; undefined leaves it out. Default `entry`. */
  readonly settle?: (read: ReadFile) => FileEntry | undefined;
}

/** What the file was when it had been read. */
export interface ReadFile extends Omit<StoredFile, 'path'> {
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly inode: bigint;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** It changed again and again while it was read: the bytes are of no single moment. One that is cut into pages is read once, whoever writes to it. */
  readonly isTorn: boolean;
  /** Of a file that is cut into pages: those that the inspector did not find right. */
  readonly badPages?: readonly number[];
}

/** Looks at the pages of files; made in each worker thread, because what is looked for is the engine's business. */
export interface PageInspector {
  readonly pageSizeBytes: number;
  /** Whether the page at `bytes[at…]` is right. One that is not is read again before it is told: somebody may be writing it. */
  isGood(bytes: Buffer, at: number, page: number): boolean;
}

/** How a worker thread makes its inspector. */
export interface PageInspection {
  /** URL of a module that exports `makeInspector(settings): PageInspector`. */
  readonly module: string;
  /** Whatever can be sent to a thread. */
  readonly settings: unknown;
}

export interface LocalFilesOptions {
  /** For the pages of files that are cut into pages; default nobody looks at them. */
  readonly inspection?: PageInspection;
  /** Awaited before so many bytes are read: the place for a rate, and for a cancellation, which it throws. */
  readonly pace?: (bytes: number) => Promise<void>;
}

/** What came of a local file. `code`: why it could not be read (`ENOENT`, `EACCES`, …); it is not in the tree then. */
export type LocalFileResult = (ReadFile & { readonly path: string }) | { readonly path: string; readonly code: string };

/** Takes the files of one capture one after another (the stream of a base backup is sequential); bounded memory, uploads behind. */
export interface SnapshotWriter {
  /** Cuts, deduplicates, compresses, encrypts, packs; resolves when the source is read (hashing and uploads may still run). Back-pressure by the iterable. */
  addFile(entry: FileEntry, source: AsyncIterable<Uint8Array>): Promise<StoredFile>;
  /** Reads files in worker threads, several at once; they come in the tree in the order given. `onFile` is told of each, in any order. */
  addLocalFiles(
    files: Iterable<LocalFile> | AsyncIterable<LocalFile>,
    onFile: (result: LocalFileResult) => void,
    options?: LocalFilesOptions,
  ): Promise<void>;
  /** An entry of an earlier snapshot of this class, taken over without reading the file. `false`, and nothing is added, when not all of its chunks are in the generation. To be awaited, as those below: what waits to be written down is bounded by that. */
  addUnchanged(entry: TreeEntry): Promise<boolean>;
  /**
   * A file made of parts of an earlier snapshot's file and of new bytes, in its order, without reading the former. Undefined, and nothing is
   * added, when not all chunks of `parent` are in the generation or those of longer-lived classes, or when it would have more than 1,048,576
   * pieces; `parts` is then not read to its end. What is new is cut into chunks of 64 KiB by itself, wherever it belongs. A part outside of the
   * parent, and parts that are not `sizeBytes` together, are `INTERNAL`.
   */
  addLaidOver(
    entry: FileEntry,
    parent: TreeEntry,
    parts: Iterable<LaidPart> | AsyncIterable<LaidPart>,
    sizeBytes: number,
  ): Promise<LaidFile | undefined>;
  /** Those whose chunks this snapshot can refer to: its own, and of longer-lived classes the present ones. */
  readonly generations: ReadonlySet<string>;
  addDirectory(entry: PlainEntry): Promise<void>;
  addSymlink(entry: PlainEntry & { readonly linkTarget: string }): Promise<void>;
  /**
   * Whatever has no content. A function is asked when it is known what came of every entry before this one, its own place included (a hard link
   * to a file that could not be read is none); undefined leaves the entry out.
   */
  addEntry(entry: BareEntry | (() => BareEntry | undefined)): Promise<void>;
  /** Resolves when it is known of every entry until here what came of it: all functions were asked. */
  settle(): Promise<void>;
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
  /** The same, some hundreds at a time. */
  entryBatches(): AsyncIterable<readonly TreeEntry[]>;
  /** Plain bytes of one file, verified chunk by chunk and as a whole (length, and SHA-256 where it has one) before the end is signalled; another copy is tried when a pack is missing or damaged. */
  read(entry: TreeEntry): AsyncIterable<Buffer>;
  /**
   * Writes files below a directory by worker threads: each is verified chunk by chunk and as a whole before it has its name, and what is right
   * there already (size and SHA-256; never a file that has none) is kept, so that a restore that was killed goes on. No link below the directory is followed. When this
   * resolves, everything is on the disk (see `sync`); when it rejects, nothing is written any more. Throws `CANCELLED`, `NO_SPACE`,
   * `TARGET_UNFIT`, and what says most when no copy gives a chunk: `OBJECT_MISSING`, `OBJECT_DAMAGED`, or why it cannot be asked.
   */
  restoreFiles(
    files: Iterable<FileToRestore> | AsyncIterable<FileToRestore>,
    options: RestoreFilesOptions,
  ): Promise<RestoredFiles>;
  /** What `restoreFiles` had to take from another copy than the preferred one, since this was opened. */
  readonly elsewhere: readonly FromElsewhere[];
  /** Lets go of what it keeps on disk and in memory. */
  close(): void;
}

export interface FromElsewhere {
  /** The one that gave them. */
  readonly copy: string;
  /** As they are stored. */
  readonly bytes: number;
  readonly preferred: string;
  /** What the preferred copy said first. */
  readonly why: string;
}

export interface FileToRestore {
  /** A file of this snapshot's tree. */
  readonly entry: TreeEntry;
  /** Below the directory, `/`-separated; default the entry's own. Directories on the way that are not there are made with mode 0700. */
  readonly path?: string;
  /** Default the entry's own. */
  readonly mode?: number;
  /** Default that of the options. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

export interface RestoreFilesOptions {
  /** Absolute; must exist. */
  readonly directory: string;
  /** Of the files; default ourselves. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /**
   * Gives files the nanoseconds of their times, their extended attributes and their holes too. What this user or file system does not allow is
   * told as `lacking`. Default: files have mode, owner and whole seconds, and an owner that cannot be given is an error.
   */
  readonly isExact?: boolean;
  /**
   * How files get onto the disk. `once` (default): the whole file system is synced at the end, which also tells of writes that failed before;
   * `each`: every file before it has its name. A kernel whose sync tells of no failures (before Linux 5.8) makes the first the second.
   */
  readonly sync?: 'once' | 'each';
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: RestoredFiles) => void;
  /** Worker threads; default the cores, at most 4. */
  readonly threads?: number;
}

export interface RestoredFiles {
  /** Files done, kept ones included. */
  readonly files: number;
  readonly bytes: number;
  readonly keptFiles: number;
  readonly keptBytes: number;
  /** What could not be given to files that are right otherwise: the first of it, and how much it was; known at the end. */
  readonly lacking: readonly { readonly path: string; readonly what: string; readonly code: string }[];
  readonly lackingCount: number;
}
