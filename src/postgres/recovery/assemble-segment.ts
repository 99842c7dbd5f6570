// Puts the bytes of one log segment together from its closed object or its extents, along the way to a timeline.

import { earlier, pathParts, usedOf } from '../../domain/log-path.ts';
import { lsnFrom, lsnValue, type SegmentName, segmentName } from '../../domain/lsn.ts';
import type { TimelineHistory } from '../../domain/timeline.ts';
import { fail } from '../../errors/index.ts';
import type { LogCopy } from '../../vault/types.ts';
import type { SegmentIndex } from './log-archive.ts';

export interface SegmentRequest {
  readonly log: LogCopy;
  /** What the copy holds; more than this segment's objects is fine. */
  readonly segments: SegmentIndex;
  readonly history: TimelineHistory;
  readonly segment: bigint;
  readonly segmentSizeBytes: number;
  /** One past the last byte wanted; the rest of the segment stays zeros. Default: the whole segment. */
  readonly to?: bigint;
}

/**
 * The whole segment as the server would have it: where a timeline was left inside it, bytes of the older timeline up to the
 * switch. Every object read is verified. Throws `LOG_HOLE` when a wanted byte is on no object, naming the first one.
 */
export async function assembleSegment(request: SegmentRequest): Promise<Buffer> {
  const { history, segment, segmentSizeBytes } = request;
  const from = segment * BigInt(segmentSizeBytes);
  const end = from + BigInt(segmentSizeBytes);
  const to = request.to === undefined ? end : earlier(request.to, end);
  const parts = pathParts(history).flatMap((part) => {
    const used = usedOf(part, from, to);
    return used === undefined ? [] : [{ timeline: part.timeline, used }];
  });
  const [only] = parts;
  if (only !== undefined && parts.length === 1) {
    const closed = await readClosed(request, only.timeline, from);
    // What is not wanted of it may not be replayed.
    if (closed !== undefined) return closed.fill(0, Number(to - from));
  }
  const bytes = Buffer.alloc(segmentSizeBytes);
  for (const { timeline, used } of parts) await fill(bytes, from, request, timeline, used);
  return bytes;
}

/** The bytes of a segment that is there as one object, which is nearly every one: nothing is put together then. */
async function readClosed(
  { log, segments, segment, segmentSizeBytes }: SegmentRequest,
  timeline: number,
  from: bigint,
): Promise<Buffer | undefined> {
  const [object] = segments.get(segmentName(timeline, segment, segmentSizeBytes)) ?? [];
  if (object?.kind !== 'segment') return undefined;
  const { header, bytes } = await log.read(object);
  return lsnValue(header.fromLsn) === from && bytes.length === segmentSizeBytes ? bytes : undefined;
}

async function fill(
  target: Buffer,
  origin: bigint,
  { log, segments, segment, segmentSizeBytes }: SegmentRequest,
  timeline: number,
  used: { readonly from: bigint; readonly to: bigint },
): Promise<void> {
  let at = used.from;
  const name = segmentName(timeline, segment, segmentSizeBytes);
  for (const object of segments.get(name) ?? []) {
    if (at >= used.to) return;
    if (object.kind === 'extent' && (lsnValue(object.toLsn) <= at || lsnValue(object.fromLsn) > at)) continue;
    const { header, bytes } = await log.read(object);
    const [from, to] = [lsnValue(header.fromLsn), lsnValue(header.toLsn)];
    if (from > at || to <= at) continue;
    const end = earlier(to, used.to);
    bytes.copy(target, Number(at - origin), Number(at - from), Number(end - from));
    at = end;
  }
  if (at < used.to) holeAt(at, name, log.copy);
}

function holeAt(at: bigint, name: SegmentName, copy: string): never {
  const lsn = lsnFrom(at);
  return fail('LOG_HOLE', `the log at ${lsn} (segment ${name}) is not on copy '${copy}'`, {
    details: { lsn, segment: name, copy },
  });
}
