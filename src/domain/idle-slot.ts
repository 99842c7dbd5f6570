// Slots beside ours that nobody reads: the server keeps log for each of them, until somebody comes back or a person drops it.

import { runOfStandbySlot } from './ids.ts';
import { bytesText } from './size.ts';
import { LATE_SHARE, type SlotPressure, type SlotVerdict } from './slot-pressure.ts';

export interface IdleSlot {
  readonly slot: string;
  readonly kind: 'physical' | 'logical';
  /** Log that the server keeps because of it. */
  readonly retainedBytes: number;
}

/** What a reader leaves behind that is only started again: four segments of the usual size. */
const TOLD_BYTES = 64 * 1024 ** 2;

/** `ours`: what is known of the room for log by the slot that we read. `undefined`: it keeps too little to speak of. */
export function judgeIdleSlot(idle: IdleSlot, ours: SlotPressure | undefined): SlotVerdict | undefined {
  if (idle.retainedBytes < TOLD_BYTES) return undefined;
  const { limitBytes, freeBytes } = ours ?? {};
  const ofDisk = freeBytes === undefined ? 0 : idle.retainedBytes / (idle.retainedBytes + freeBytes);
  // With a limit the server gives the slot up before its disk is full.
  const severity = limitBytes === undefined && ofDisk > LATE_SHARE ? 'late' : 'warning';
  const limit = ours !== undefined && limitBytes === undefined ? ', without a limit' : '';
  return { severity, message: `${idleSlotWords(idle)}${limit}`, hint: idleSlotHint(idle) };
}

export function idleSlotWords({ slot, kind, retainedBytes }: IdleSlot): string {
  return `nobody reads the ${kind} slot '${slot}', for which the server keeps ${bytesText(retainedBytes)} of log`;
}

export function idleSlotHint({ slot }: IdleSlot): string {
  const run = runOfStandbySlot(slot);
  if (run !== undefined)
    return `\`holdfast stop ${run}\` ends what is left of its standby and drops it; or start that standby again; of one that was promoted it is only dropped: SELECT pg_drop_replication_slot('${slot}');`;
  return `start what read it again, or drop it: SELECT pg_drop_replication_slot('${slot}');`;
}
