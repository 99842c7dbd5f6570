// A process for tests: swaps a restored directory in, and is killed the instant the n-th line of the journal is on the disk.

import { readFile } from 'node:fs/promises';
import { swapIn } from '../../src/postgres/recovery/index.ts';
import type { RestorePlan } from '../../src/postgres/types.ts';

const [planFile = '', dieAt = ''] = process.argv.slice(2);
const plan = JSON.parse(await readFile(planFile, 'utf8')) as RestorePlan;
let entries = 0;
await swapIn(plan, {
  token: 1,
  onEntry: () => {
    entries += 1;
    if (entries === Number(dieAt)) process.kill(process.pid, 'SIGKILL');
  },
});
process.stdout.write(`${entries}\n`);
