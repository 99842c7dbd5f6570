// A piece of received log as it will be stored: its bytes from the spool, and facts that say what is in it.

import { lsnFrom } from '../../domain/lsn.ts';
import { fail } from '../../errors/index.ts';
import type { LogCopy, SealedLog, TimeMark } from '../../vault/types.ts';
import type { Intake } from './intake.ts';
import type { PieceBuffers } from './piece-buffers.ts';
import type { Stretch } from './route.ts';

export interface PieceParts {
  readonly log: LogCopy;
  readonly intake: Intake;
  readonly buffers: PieceBuffers;
  readonly mark: TimeMark | undefined;
}

/** Throws `STORE_UNAVAILABLE` when the spool has dropped it meanwhile: then another copy has it. */
export async function sealPiece(
  kind: SealedLog['kind'],
  stretch: Stretch,
  { from, to }: { readonly from: bigint; readonly to: bigint },
  { log, intake, buffers, mark }: PieceParts,
): Promise<SealedLog> {
  const { timeline } = stretch;
  const facts =
    intake.describe(stretch, from, to) ?? fail('INTERNAL', `nothing is known of the log from ${lsnFrom(from)}`);
  const about = {
    timeline,
    segmentSizeBytes: intake.segmentSizeBytes,
    fromLsn: lsnFrom(from),
    toLsn: lsnFrom(to),
    ...facts,
    ...(mark === undefined ? {} : { mark }),
  };
  const bytes =
    (await intake.spool.read(timeline, from, to, (lengthBytes) => buffers.take(lengthBytes))) ??
    fail('STORE_UNAVAILABLE', `the spool no longer holds the log from ${lsnFrom(from)}`);
  return await log.seal(kind, about, bytes);
}
