// What people ask of the past of files: in which snapshots a path is, and in what two states of a tree differ; small enough for a history and `--json`.

import type { ComponentId } from './component.ts';
import type { ChosenSnapshot } from './files-restore.ts';
import type { Moment } from './moment.ts';
import type { NamedPath } from './path-text.ts';

/** A snapshot as an answer names it. */
export interface SnapshotMoment {
  readonly id: string;
  readonly from: Moment;
  readonly to: Moment;
}

export interface FindFilesRequest {
  readonly component: ComponentId;
  /** An absolute path as it was typed, or a pattern in the syntax of `.gitignore`: what it matches is found, with what is below. */
  readonly wanted: string;
}

/** Why a path is not in a snapshot: it was not there; no root of then has it; the rules of then left it out; it, or what it is in, could not be read then. */
export type WhyAbsent = 'absent' | 'not captured' | 'left out' | 'not read';

/** What a path was in one snapshot after another, oldest `first`. */
export interface PathState {
  readonly first: SnapshotMoment;
  readonly last: SnapshotMoment;
  readonly snapshots: number;
  /** Absent: the path is in them. */
  readonly why?: WhyAbsent;
  readonly type?: string;
  readonly sizeBytes?: number;
  /** Permission bits. */
  readonly mode?: number;
  /** Numbers, or names where the snapshot has them. */
  readonly owner?: string;
  /** Time of the last change of the content, ISO 8601, UTC. */
  readonly changedAt?: string;
  /** First digits of the SHA-256 of a file's content. */
  readonly sha256Prefix?: string;
  /** Of a symbolic link. */
  readonly linkTarget?: string;
  /** Another name of the same file, absolute. */
  readonly sameAs?: string;
}

/** The path is absolute. */
export interface FoundPath extends NamedPath {
  /** Newest snapshot that has it. */
  readonly lastSeen: SnapshotMoment;
  /** The newest snapshot that could be read has it. */
  readonly isInNewest: boolean;
  /** Newest first. */
  readonly states: readonly PathState[];
  /** Older ones that are not listed. */
  readonly moreStates: number;
}

export interface FilesFound {
  readonly component: ComponentId;
  readonly wanted: string;
  /** Looked through, oldest and newest; absent: there is none. */
  readonly looked: { readonly snapshots: number; readonly oldest?: SnapshotMoment; readonly newest?: SnapshotMoment };
  /** Snapshots that could not be read: whether a path is in them is not known. */
  readonly unread: readonly { readonly snapshot: SnapshotMoment; readonly message: string }[];
  /** In the order of a walk. */
  readonly paths: readonly FoundPath[];
  /** There are more paths than are listed. */
  readonly hasMore: boolean;
  /** Of a path (not of a pattern) that no snapshot has: why not, newest first. */
  readonly absent?: readonly PathState[];
}

export interface DiffFilesRequest {
  readonly component: ComponentId;
  /** Each the id of a snapshot, a moment, `latest`, or `now`: the disk. */
  readonly one: string;
  readonly other: string;
  /** Absolute paths as they were typed, each with what is below it; default everything. */
  readonly paths?: readonly string[];
}

export type DiffKind = 'created' | 'changed' | 'removed';

/** The path is absolute. */
export interface FileDifference extends NamedPath {
  readonly kind: DiffKind;
  readonly type: string;
  /** Of `changed`: `content`, `mode`, `owner`, `time`, `attributes`, `target`, `type`, `links`. */
  readonly aspects: readonly string[];
  /** Of files. */
  readonly bytesBefore?: number;
  readonly bytesAfter?: number;
}

/** One state of a tree: a snapshot, or the disk as it was while it was looked at. */
export interface DiffSide {
  readonly asked: string;
  readonly snapshot?: SnapshotMoment;
  readonly state?: 'clean' | 'damaged';
  readonly disk?: { readonly host: string; readonly at: Moment };
}

export interface FilesDiff {
  readonly component: ComponentId;
  readonly one: DiffSide;
  readonly other: DiffSide;
  readonly paths?: readonly string[];
  readonly counts: Readonly<Record<DiffKind | 'same', number>>;
  /** Of files: what came, what files that changed were and are, what went. */
  readonly bytes: {
    readonly created: number;
    readonly changedBefore: number;
    readonly changedAfter: number;
    readonly removed: number;
  };
  /** The first, in the order of a walk; the counts are of all. */
  readonly first: readonly FileDifference[];
  /** Names that only one side could have, because the other's roots or rules leave them out, or they could not be read there. */
  readonly notCompared: number;
  readonly warnings: readonly string[];
}

/** An archive of a tree, or of part of it. */
export interface FilesExported {
  readonly component: ComponentId;
  readonly snapshot: ChosenSnapshot;
  /** Absolute; absent where it went to a stream. */
  readonly file?: string;
  readonly files: number;
  /** Directories, links, pipes and devices. */
  readonly others: number;
  /** Content of files, holes included. */
  readonly bytes: number;
  readonly archiveBytes: number;
  /** Lower-case hexadecimal SHA-256 of the archive. */
  readonly sha256: string;
}
