// A piece of received log as it is stored: its bytes from the spool, and a header that says what is in it.

import { createHash } from 'node:crypto';
import { lsnFrom } from '../../domain/lsn.ts';
import { fail } from '../../errors/index.ts';
import type { LogHeader, TimeMark } from '../../vault/types.ts';
import type { Intake } from './intake.ts';
import type { Stretch } from './route.ts';

export interface Piece {
  readonly header: LogHeader;
  readonly bytes: Buffer;
}

/** Throws `STORE_UNAVAILABLE` when the spool has dropped it meanwhile: then another copy has it. */
export async function readPiece(
  intake: Intake,
  stretch: Stretch,
  { from, to }: { readonly from: bigint; readonly to: bigint },
  mark: TimeMark | undefined,
): Promise<Piece> {
  const { timeline } = stretch;
  const bytes =
    (await intake.spool.read(timeline, from, to)) ??
    fail('STORE_UNAVAILABLE', `the spool no longer holds the log from ${lsnFrom(from)}`);
  const facts =
    intake.describe(stretch, from, to) ?? fail('INTERNAL', `nothing is known of the log from ${lsnFrom(from)}`);
  const header: LogHeader = {
    timeline,
    segmentSizeBytes: intake.segmentSizeBytes,
    fromLsn: lsnFrom(from),
    toLsn: lsnFrom(to),
    sha256: createHash('sha256').update(bytes).digest('hex'),
    ...facts,
    ...(mark === undefined ? {} : { mark }),
  };
  return { header, bytes };
}
