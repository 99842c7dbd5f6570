// Waits for the lock of a process that was killed: whoever holds it for that process ends a moment after it.

import { isLockHeld } from '../../src/process/index.ts';
import { waitFor } from './wait-for.ts';

export async function untilFree(lock: string): Promise<void> {
  await waitFor(`the lock '${lock}' to be free`, async () => !(await isLockHeld(lock)));
}
