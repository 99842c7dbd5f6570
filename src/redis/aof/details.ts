// What a snapshot of append-only files holds beside the bytes, and which part of it serves a moment.

import { type Moment, momentFromUnixMicros, unixMicros } from '../../domain/moment.ts';
import type { RedisLog } from '../../domain/redis-restore.ts';
import type { RdbFacts } from '../rdb/index.ts';
import type { CapturedServer } from '../types.ts';
import type { WalkedCommands } from './command-walk.ts';
import type { ManifestFile } from './manifest.ts';

export interface CapturedFile extends ManifestFile {
  readonly sizeBytes: number;
  /** Of a base that is an RDB. */
  readonly facts?: RdbFacts;
  /** Of a file of commands. */
  readonly commands?: WalkedCommands;
}

/** In the snapshot's tree, a directory of this name. */
export interface CapturedSet {
  readonly id: string;
  readonly base: CapturedFile;
  readonly incrementals: readonly CapturedFile[];
  /** Nothing is missing between the set before, in this snapshot or the one before, and this one. */
  readonly follows: boolean;
}

/** `engine` of an `aof` snapshot (docs/vault-format.md, section 7). */
export interface AofDetails {
  readonly server: CapturedServer;
  /** Oldest first. */
  readonly sets: readonly CapturedSet[];
  readonly sizeBytes: number;
  /** Sets since the capture before that are in none: damaged, or let go. */
  readonly lost?: readonly { readonly id: string; readonly why: string }[];
}

export interface ChosenPart {
  readonly set: CapturedSet;
  /** Commands of a later second are left out; absent: all are wanted. */
  readonly untilSeconds?: number;
  /** The server noted no times in it: only its base is of a moment that is known. */
  readonly isBaseAlone?: true;
}

/** Whether the server notes times, so that any second can be restored. */
export function hasTimes({ sets }: Pick<AofDetails, 'sets'>): boolean {
  return sets.every(isTimed);
}

/** A file without commands needs none. */
function isTimed({ incrementals }: CapturedSet): boolean {
  return incrementals.every(
    ({ commands }) => commands === undefined || commands.commands === 0 || commands.firstSeconds !== undefined,
  );
}

/** From the beginning of the oldest set. */
export function windowFrom({ sets }: Pick<AofDetails, 'sets'>): Moment | undefined {
  const seconds = sets[0]?.base.facts?.createdSeconds;
  return seconds === undefined ? undefined : momentFromUnixMicros(BigInt(seconds) * 1_000_000n);
}

/** Serves the moment: the newest set that had begun by then, as far as nothing is missing behind it. Without a moment: everything. */
export function choosePart({ sets }: Pick<AofDetails, 'sets'>, moment: Moment | undefined): ChosenPart | undefined {
  if (moment === undefined) return sets.length === 0 ? undefined : { set: sets.at(-1) as CapturedSet };
  const untilSeconds = Number(unixMicros(moment) / 1_000_000n);
  const index = sets.findLastIndex((_, at) => beginOf(sets, at) <= untilSeconds);
  const set = sets[index];
  if (set === undefined) return undefined;
  if (!isTimed(set)) return { set, untilSeconds, isBaseAlone: true };
  const next = sets[index + 1];
  const isInGap = next !== undefined && !next.follows && untilSeconds > lastSecondsOf(set);
  return isInGap ? undefined : { set, untilSeconds };
}

/** The first second that a set serves. One that follows nothing may have an old base: a restore brought it in, later than what it holds. */
function beginOf(sets: readonly CapturedSet[], index: number): number {
  const { base, incrementals, follows } = sets[index] as CapturedSet;
  const begin = base.facts?.createdSeconds ?? Number.POSITIVE_INFINITY;
  const before = sets[index - 1];
  if (follows || before === undefined || begin > lastSecondsOf(before)) return begin;
  return (
    incrementals.find(({ commands }) => commands?.firstSeconds !== undefined)?.commands?.firstSeconds ??
    Number.POSITIVE_INFINITY
  );
}

function lastSecondsOf({ base, incrementals }: CapturedSet): number {
  return Math.max(base.facts?.createdSeconds ?? 0, ...incrementals.map(({ commands }) => commands?.lastSeconds ?? 0));
}

/** What follows the base, as the capture has counted it; a base that is no RDB is log itself. */
export function logOf({ set, untilSeconds = Number.POSITIVE_INFINITY, isBaseAlone }: ChosenPart): RedisLog {
  const behind = isBaseAlone ? [] : set.incrementals;
  const counts = [...(set.base.facts === undefined ? [set.base] : []), ...behind].flatMap(({ commands }) =>
    commands === undefined || (commands.firstSeconds ?? 0) > untilSeconds ? [] : [commands],
  );
  const sum = (of: (counted: WalkedCommands) => number) => counts.reduce((all, each) => all + of(each), 0);
  return {
    commands: sum(({ commands }) => commands),
    sizeBytes: sum(({ wholeBytes }) => wholeBytes),
    ...(counts.some(({ lastSeconds = 0 }) => lastSeconds > untilSeconds) && { isAtMost: true }),
  };
}

/** What a restore of the part comes to: the moment itself, or that of the base. `end`: of the snapshot. */
export function momentOf({ set, untilSeconds, isBaseAlone }: ChosenPart, end: Moment): Moment {
  const seconds = isBaseAlone ? set.base.facts?.createdSeconds : untilSeconds;
  if (seconds === undefined) return end;
  const moment = momentFromUnixMicros(BigInt(seconds) * 1_000_000n);
  return moment < end ? moment : end;
}
