// One question to what was restored, and its answer, in a line.

import type { RecoveryCheck } from '../../domain/run-data.ts';

/** Of a restore that came to its end: whatever was asked is well, and what could not be asked says so. */
export function checkLine({ name, ok, value, notDone }: RecoveryCheck): string {
  return `  ${notDone ? '–' : ok ? '✔' : '✖'} ${name}: ${value}`;
}
