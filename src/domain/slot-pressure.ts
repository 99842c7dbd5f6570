// What a replication slot costs the server: the log that it keeps, how fast that grows, and when it ends badly.

import { describeSeconds } from './duration.ts';
import { bytesText } from './size.ts';

export interface SlotPressure {
  readonly slot: string;
  /** Log that the server keeps because of the slot. */
  readonly retainedBytes: number;
  /** Log that the server writes, by the last minutes; absent before there are two looks. */
  readonly writtenBytesPerSecond?: number;
  /** What it may keep at most (`max_slot_wal_keep_size`, in whole segments); absent without a limit. */
  readonly limitBytes?: number;
  /** Seconds until the server gives the slot up, at the rate of the last minutes; absent while what is kept does not grow. */
  readonly lostInSeconds?: number;
  /** Free on the file system of the log; absent where it cannot be seen from here. */
  readonly freeBytes?: number;
  /** Seconds until that file system is full, at the same rate. */
  readonly fullInSeconds?: number;
}

export interface SlotVerdict {
  readonly severity: 'late' | 'warning';
  readonly message: string;
  readonly hint: string;
}

/** Time enough for a person to be woken, to look and to act. */
const LATE_SECONDS = 3600;
const WARNING_SECONDS = 6 * 3600;
/** Of the limit, or of the disk, whatever the rate: a burst is faster than any forecast. */
export const LATE_SHARE = 0.8;
const WARNING_SHARE = 0.5;

const hint = 'see `holdfast copies` for the copy that takes no log; until one does, the server keeps it';

/** `undefined`: nothing that anybody must know. */
export function judgeSlot(pressure: SlotPressure): SlotVerdict | undefined {
  const { retainedBytes, limitBytes, freeBytes, lostInSeconds, fullInSeconds } = pressure;
  const ofLimit = limitBytes === undefined ? 0 : retainedBytes / limitBytes;
  const ofDisk = freeBytes === undefined ? 0 : retainedBytes / (retainedBytes + freeBytes);
  const soonest = Math.min(lostInSeconds ?? Number.POSITIVE_INFINITY, fullInSeconds ?? Number.POSITIVE_INFINITY);
  const share = Math.max(ofLimit, ofDisk);
  const severity =
    soonest < LATE_SECONDS || share > LATE_SHARE
      ? 'late'
      : soonest < WARNING_SECONDS || share > WARNING_SHARE
        ? 'warning'
        : undefined;
  return severity && { severity, message: slotWords(pressure), hint };
}

function slotWords(pressure: SlotPressure): string {
  const { slot, retainedBytes, limitBytes, freeBytes, lostInSeconds, fullInSeconds } = pressure;
  const limit = limitBytes === undefined ? 'without a limit' : `of at most ${bytesText(limitBytes)}`;
  const free = freeBytes === undefined ? '' : `, ${bytesText(freeBytes)} are free on its disk`;
  const about = (seconds: number) => describeSeconds(Math.round(seconds));
  const lost = lostInSeconds === undefined ? '' : `; at this rate it is lost in ${about(lostInSeconds)}`;
  const full = fullInSeconds === undefined ? '' : `; at this rate the disk is full in ${about(fullInSeconds)}`;
  // Whichever comes first is what happens.
  const isFullFirst = (fullInSeconds ?? Number.POSITIVE_INFINITY) < (lostInSeconds ?? Number.POSITIVE_INFINITY);
  return `the server keeps ${bytesText(retainedBytes)} of log for the slot '${slot}', ${limit}${free}${isFullFirst ? full : lost}`;
}
