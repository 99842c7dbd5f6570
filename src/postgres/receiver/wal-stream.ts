// The conversation of START_REPLICATION: log and keepalives in, positions out, until the timeline or the connection ends.

import { type Lsn, lsnFrom, lsnValue, parseLsn } from '../../domain/lsn.ts';
import { fail } from '../../errors/index.ts';
import type { ReplicationConnection } from '../connection/index.ts';
import { readAnswer } from '../protocol/result.ts';
import { parseServerError } from '../protocol/server-error.ts';
import { messageTypes } from '../protocol/wire.ts';

export type StreamMessage =
  /** `pieces`: of log, until the next message is asked for. */
  | { readonly type: 'log'; readonly at: bigint; readonly pieces: readonly Buffer[]; readonly clockMicros: bigint }
  | { readonly type: 'keepalive'; readonly end: bigint; readonly clockMicros: bigint; readonly replyWanted: boolean }
  /** The server has sent all of this timeline; the cluster went on with the next one from `switchLsn`. */
  | { readonly type: 'timeline end'; readonly nextTimeline: number; readonly switchLsn: Lsn };

export interface StreamPosition {
  readonly received: bigint;
  /** What the policy calls durable; absent: nothing that the slot does not know already. */
  readonly durable: bigint | undefined;
}

/** Statuses ask for an answer every few seconds, so silence this long means a dead connection. */
const SILENCE_MS = 40_000;
const doing = 'receive the log';

export class WalStream {
  private readonly connection: ReplicationConnection;

  private constructor(connection: ReplicationConnection) {
    this.connection = connection;
  }

  /** Throws `SLOT_BUSY`, `SLOT_LOST` (slot gone, or the log from there removed), and the errors of the connection. */
  static async start(
    connection: ReplicationConnection,
    { slot, timeline, startLsn }: { readonly slot: string; readonly timeline: number; readonly startLsn: Lsn },
  ): Promise<WalStream | Extract<StreamMessage, { type: 'timeline end' }>> {
    const command = `START_REPLICATION SLOT "${slot}" PHYSICAL ${startLsn} TIMELINE ${timeline}`;
    const answer = await connection.command(doing, command);
    if (answer.type === 'copy') return new WalStream(connection);
    // Exactly at the end of a timeline that was left, the server answers at once with what follows.
    return timelineEnd(answer.sets[0]?.rows[0]);
  }

  /** Waits for the next message. */
  async next(): Promise<StreamMessage> {
    const { wire } = this.connection;
    for (;;) {
      const { type, pieces } = wire.tryNextInPieces() ?? (await wire.nextInPieces(SILENCE_MS));
      switch (type) {
        case messageTypes.copyData: {
          const message = parseCopyData(pieces);
          if (message !== undefined) return message;
          break;
        }
        case messageTypes.copyDone: {
          wire.copyDone();
          const { sets } = await readAnswer(wire, SILENCE_MS).catch((error) => {
            throw this.connection.explain(error, doing);
          });
          return timelineEnd(sets[0]?.rows[0]);
        }
        case messageTypes.error:
          throw this.connection.explain(parseServerError(Buffer.concat(pieces)), doing);
        default:
      }
    }
  }

  /** Tells the server how far we are. Written may be what is only received; flushed is what the vault has for good. */
  report({ received, durable }: StreamPosition, replyWanted: boolean): void {
    const status = Buffer.alloc(34);
    status.write('r', 0, 'latin1');
    status.writeBigUInt64BE(received, 1);
    status.writeBigUInt64BE(durable ?? 0n, 9);
    // Nothing is applied here: this field stays what it is for a receiver that only stores (as pg_receivewal does).
    status.writeBigUInt64BE(0n, 17);
    status.writeBigInt64BE(BigInt(Date.now() - 946_684_800_000) * 1000n, 25);
    status.writeUInt8(replyWanted ? 1 : 0, 33);
    this.connection.wire.copyData(status);
  }
}

/** Of a message with log, in front of it. */
const LOG_HEAD_BYTES = 25;

function parseCopyData(pieces: readonly Buffer[]): StreamMessage | undefined {
  const head = firstBytes(pieces, LOG_HEAD_BYTES);
  switch (String.fromCharCode(head[0]!)) {
    case 'w':
      return {
        type: 'log',
        at: head.readBigUInt64BE(1),
        clockMicros: head.readBigInt64BE(17),
        pieces: withoutFirst(pieces, LOG_HEAD_BYTES),
      };
    case 'k':
      return {
        type: 'keepalive',
        end: head.readBigUInt64BE(1),
        clockMicros: head.readBigInt64BE(9),
        replyWanted: head[17] === 1,
      };
    default:
      return undefined;
  }
}

function firstBytes(pieces: readonly Buffer[], count: number): Buffer {
  const [first] = pieces;
  return first !== undefined && first.length >= count ? first : Buffer.concat(pieces).subarray(0, count);
}

function withoutFirst(pieces: readonly Buffer[], count: number): Buffer[] {
  const rest: Buffer[] = [];
  let left = count;
  for (const piece of pieces) {
    if (left < piece.length) rest.push(piece.subarray(left));
    left = Math.max(0, left - piece.length);
  }
  return rest;
}

function timelineEnd(
  row: Readonly<Record<string, string | undefined>> | undefined,
): Extract<StreamMessage, { type: 'timeline end' }> {
  if (row?.next_tli === undefined || row.next_tli_startpos === undefined) {
    return fail('DATABASE_UNREACHABLE', 'the server ended the stream of the log without saying what follows');
  }
  return { type: 'timeline end', nextTimeline: Number(row.next_tli), switchLsn: parseLsn(row.next_tli_startpos) };
}

/** The text of a timeline's history file. */
export async function readTimelineHistory(connection: ReplicationConnection, timeline: number): Promise<string> {
  const [row] = await connection.rows('read the history of the timeline', `TIMELINE_HISTORY ${timeline}`);
  return row?.content ?? fail('DATABASE_UNREACHABLE', `the server has no history of timeline ${timeline}`);
}

export function segmentFloor(at: bigint, segmentSizeBytes: number): bigint {
  return at - (at % BigInt(segmentSizeBytes));
}

export function floorLsn(lsn: Lsn, segmentSizeBytes: number): Lsn {
  return lsnFrom(segmentFloor(lsnValue(lsn), segmentSizeBytes));
}
