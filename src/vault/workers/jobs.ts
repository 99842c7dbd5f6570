// What the main thread asks of its reading threads: one job, one answer; every job can be repeated.

import type { ErrorData } from '../../errors/index.ts';
import type { OpenedLog } from '../log-types.ts';
import type { FramePlace } from '../pack-index.ts';
import type { SealContext } from '../sealed.ts';

/** Numbers for one slice of a job: see `PlaceJob.slices`. */
export const SLICE_NUMBERS = 6;
/** Plain bytes of opened frames that a thread keeps for later slices of its job. */
export const KEPT_FRAMES_BYTES = 24 * 1024 * 1024;

/** What binds chunks to their vault. */
export interface ReadingSetup {
  readonly vaultId: Uint8Array;
  readonly chunkIdKey: Uint8Array;
}

/** A directory that files are restored into; nothing outside of it is touched. */
export interface TargetRoot {
  /** Absolute. */
  readonly directory: string;
  /** Tells one restore from the next into the same directory, which may be another one by then. */
  readonly session: string;
  /** Of the snapshot, in the names of unfinished files: the same for its next attempt, and in no snapshot that was taken before this one was restored. */
  readonly mark: string;
}

export interface TargetFile {
  /** Below the root, `/`-separated. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Lower-case hexadecimal, of the whole file; absent where nobody has read it: every chunk is compared with its id then. */
  readonly sha256?: string;
  readonly mode: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanos?: number;
  /** Extended attributes by name, in base64: exactly these. Absent: whatever the file system gives a new file. */
  readonly xattrs?: Readonly<Record<string, string>>;
  /** Zeros are not written: the file system keeps holes. */
  readonly holes?: boolean;
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** On the disk before it has its name. */
  readonly isSynced: boolean;
}

/** Of a restored file, what could not be given to it; its content is right all the same. */
export interface Lacking {
  readonly path: string;
  /** `owner`, or the name of an extended attribute. */
  readonly what: string;
  /** As the system gives it. */
  readonly code: string;
}

/** A pack as a thread needs it. */
export interface PackToOpen {
  /** Path of its generation. */
  readonly path: string;
  /** The pack's own key. */
  readonly key: Uint8Array;
  /** For messages. */
  readonly what: string;
}

export interface FrameToOpen {
  readonly pack: number;
  /** Number of the buffer that holds its ciphertext, and where in it. */
  readonly range: number;
  readonly at: number;
  readonly place: FramePlace;
}

/** A file in its order, or a stretch of a large one from `position` on, in any order; it is made of the next `slices` of the job. */
export interface Placement {
  readonly file: TargetFile;
  readonly slices: number;
  readonly position?: number;
  /** Its chunks are not compared with their ids: the hash of the whole file, which is made when all is written, says whether they are right. */
  readonly isHashedLater?: true;
}

export interface PlaceJob {
  readonly kind: 'place';
  readonly root: TargetRoot;
  readonly setup: ReadingSetup;
  readonly packs: readonly PackToOpen[];
  readonly ranges: readonly ArrayBuffer[];
  readonly frames: readonly FrameToOpen[];
  /** For each slice the id of its chunk, one after another. */
  readonly ids: Uint8Array;
  /** For each slice: number of the frame, offset of the chunk in the frame's plain bytes, length of the chunk; offset of the slice in its chunk, its length, and where it belongs after the position of its placement. */
  readonly slices: Uint32Array;
  readonly placements: readonly Placement[];
}

export interface Jobs {
  /** Which of the files are right already; modes, owners and times of those are put right. */
  keep: {
    readonly job: { readonly kind: 'keep'; readonly root: TargetRoot; readonly files: readonly TargetFile[] };
    readonly answer: { readonly kept: readonly boolean[] };
  };
  place: {
    readonly job: PlaceJob;
    /** Frames that are not what was stored; what needs them is not placed, the rest is. */
    readonly answer: {
      readonly damaged: readonly { readonly frame: number; readonly message: string }[];
      /** As they were given, for the next ones to be read into. */
      readonly ranges: readonly ArrayBuffer[];
    };
  };
  /** Makes the unfinished form of a large file, or says which chunks of an earlier one are right: a byte each. */
  begin: {
    readonly job: {
      readonly kind: 'begin';
      readonly root: TargetRoot;
      readonly setup: ReadingSetup;
      readonly file: TargetFile;
      /** Of the chunks that are the file in its order; none where an earlier form cannot be judged by them. */
      readonly ids: Uint8Array;
      readonly lengths: Uint32Array;
    };
    /** `inode`: of the unfinished form, as decimal text. */
    readonly answer: { readonly right: Uint8Array | undefined; readonly inode: string };
  };
  /** Everything up to here is written: hashes on to it. */
  advance: {
    readonly job: {
      readonly kind: 'advance';
      readonly root: TargetRoot;
      readonly file: TargetFile;
      readonly upTo: number;
    };
    readonly answer: Record<string, never>;
  };
  /** Compares the whole file with its hash, or its length where it has none, and gives it its name. */
  finish: {
    readonly job: {
      readonly kind: 'finish';
      readonly root: TargetRoot;
      readonly file: TargetFile;
      readonly inode: string;
    };
    readonly answer: Record<string, never>;
  };
  /** A whole pack: its name, and with `content` its own index, every frame and every chunk. */
  inspect: {
    readonly job: {
      readonly kind: 'inspect';
      /** The pack is its first `sizeBytes`. */
      readonly bytes: ArrayBuffer;
      readonly sizeBytes: number;
      readonly sha256: string;
      readonly what: string;
      readonly content?: {
        readonly setup: ReadingSetup;
        /** Path and data key of the generation. */
        readonly path: string;
        readonly dataKey: Uint8Array;
        /** What an index object says of the pack. */
        readonly index?: Uint8Array;
      };
    };
    /** `bytes`: as given, for the next pack to be read into. */
    readonly answer: { readonly damage?: string; readonly bytes: ArrayBuffer };
  };
  /** A sealed object of log: hashed, compressed, encrypted. */
  seal: {
    readonly job: {
      readonly kind: 'seal';
      readonly context: SealContext;
      /** Of the header, all but the hash. */
      readonly facts: object;
      readonly plain: Uint8Array<SharedArrayBuffer>;
    };
    /** `sha256`: of the plain bytes, as the header has it. */
    readonly answer: { readonly sealed: ArrayBuffer; readonly sha256: string };
  };
  /** A sealed object of log opened: what its header says, and what its plain bytes are. */
  unseal: {
    readonly job: {
      readonly kind: 'unseal';
      readonly context: SealContext;
      /** The object is its first `sizeBytes`. */
      readonly bytes: ArrayBuffer;
      readonly sizeBytes: number;
    };
    /** `bytes`: as given, for the next object to be read into. */
    readonly answer: OpenedLog & { readonly bytes: ArrayBuffer };
  };
  /** Names that were given become durable, where files are synced one by one; lets go of what is kept open. */
  leave: {
    readonly job: { readonly kind: 'leave'; readonly root: TargetRoot };
    /** The first of what was lacking, and how much it was. */
    readonly answer: { readonly lacking: readonly Lacking[]; readonly lackingCount: number };
  };
}

export type JobKind = keyof Jobs;
export type Job = Jobs[JobKind]['job'];
export type AnswerTo<Kind extends JobKind> = Jobs[Kind]['answer'];

export type Reply =
  | { readonly number: number; readonly answer: Jobs[JobKind]['answer'] }
  | { readonly number: number; readonly error: ErrorData };
