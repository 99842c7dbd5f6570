// The same start for everybody: nothing waits to be written, and the memory a command will want has been touched.

import os from 'node:os';
import { run } from '../../src/process/index.ts';
import { interrupted } from './interrupt.ts';

/** Never so much that the machine has to throw the sources out of its page cache, or another process out of memory. */
const SHARE_OF_FREE = 0.4;
const touch = `
import mmap, sys
memory = mmap.mmap(-1, int(sys.argv[1]))
for at in range(0, len(memory), 4096): memory[at] = 1
`;

/** First writes to memory that a hypervisor has taken back cost seconds per gigabyte; who runs first would pay for all. */
export async function settle(python: string, wantedBytes: number): Promise<void> {
  await run('sync', [], { signal: interrupted });
  const bytes = Math.floor(Math.min(wantedBytes, os.freemem() * SHARE_OF_FREE));
  if (bytes >= 4096) await run(python, ['-c', touch, String(bytes)], { signal: interrupted });
}
