// What time a file system gives to what is changed from now on: its clock ticks coarsely, and need not be this machine's.

import { closeSync, fstatSync, futimesSync, openSync, unlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunPlace } from './place.ts';

/** Longer than the coarsest clock of a usual file system (FAT: 2 s) needs to tick. */
const LONGEST_TICK_MS = 5_000;

/** Later than everything that was changed before this was called, and no later than what is changed after it resolves. */
export async function afterNow({ directory }: Pick<RunPlace, 'directory'>): Promise<bigint> {
  const file = `${directory}/clock`;
  const first = changeTime(file);
  try {
    for (const giveUpAt = performance.now() + LONGEST_TICK_MS; ; await sleep(2)) {
      const time = changeTime(file);
      if (time > first || performance.now() > giveUpAt) return time;
    }
  } finally {
    unlinkSync(file);
  }
}

function changeTime(file: string): bigint {
  const handle = openSync(file, 'w', 0o600);
  try {
    futimesSync(handle, 0, 0);
    return fstatSync(handle, { bigint: true }).ctimeNs;
  } finally {
    closeSync(handle);
  }
}
