// A piece of received log as it will be stored: its bytes from the spool, facts that say what is in it, and the memory that it takes meanwhile.

import { lsnFrom } from '../../domain/lsn.ts';
import { fail } from '../../errors/index.ts';
import { letGo } from '../../vault/index.ts';
import type { LogCopy, SealedLog, TimeMark } from '../../vault/types.ts';
import type { Intake } from './intake.ts';
import type { LogMemory, Room } from './log-memory.ts';
import type { Stretch } from './route.ts';

export interface PieceParts {
  readonly log: LogCopy;
  readonly intake: Intake;
  readonly memory: LogMemory;
  readonly newestMark: (timeline: number, at: bigint) => TimeMark | undefined;
  /** Nobody waits for memory any more. */
  readonly signal: AbortSignal;
}

/** Sealed, and the memory that it is in. */
export interface Piece {
  readonly sealed: SealedLog;
  readonly room: Room;
}

interface Range {
  readonly from: bigint;
  readonly to: bigint;
}

/** Waits for memory. Throws `STORE_UNAVAILABLE` when the spool has dropped it meanwhile: then another copy has it. */
export async function sealPiece(
  parts: PieceParts,
  kind: SealedLog['kind'],
  stretch: Stretch,
  range: Range,
): Promise<Piece> {
  const room = await parts.memory.take(parts.log.copy, Number(range.to - range.from), parts.signal);
  return await sealIn(room, parts, kind, stretch, range);
}

/** A segment that nobody waits for yet; `undefined`: there is no memory for it now. */
export function sealAhead(parts: PieceParts, stretch: Stretch, range: Range): Promise<Piece> | undefined {
  const room = parts.memory.tryTake(parts.log.copy, Number(range.to - range.from));
  return room && sealIn(room, parts, 'segment', stretch, range);
}

/** Once it is stored nobody reads it any more. A call that failed might, and leaves it to the collector. */
export async function storePiece({ sealed, room }: Piece, store: (sealed: SealedLog) => Promise<void>): Promise<void> {
  let isStored = false;
  try {
    await store(sealed);
    letGo(sealed.sealed);
    isStored = true;
  } finally {
    room.release(isStored);
  }
}

async function sealIn(
  room: Room,
  { log, intake, newestMark }: PieceParts,
  kind: SealedLog['kind'],
  stretch: Stretch,
  { from, to }: Range,
): Promise<Piece> {
  try {
    const { timeline } = stretch;
    const facts =
      intake.describe(stretch, from, to) ?? fail('INTERNAL', `nothing is known of the log from ${lsnFrom(from)}`);
    const mark = newestMark(timeline, to);
    const about = {
      timeline,
      segmentSizeBytes: intake.segmentSizeBytes,
      fromLsn: lsnFrom(from),
      toLsn: lsnFrom(to),
      ...facts,
      ...(mark === undefined ? {} : { mark }),
    };
    const bytes =
      (await intake.spool.read(timeline, from, to, (lengthBytes) => room.buffer(lengthBytes))) ??
      fail('STORE_UNAVAILABLE', `the spool no longer holds the log from ${lsnFrom(from)}`);
    const sealed = await log.seal(kind, about, bytes);
    room.settle(sealed.sealed.length);
    return { sealed, room };
  } catch (error) {
    room.release(false);
    throw error;
  }
}
