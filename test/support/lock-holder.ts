// A process for tests: holds a lock until somebody kills it.

import { holdLock } from '../../src/process/index.ts';

const lock = await holdLock(process.argv[2] ?? 'lock');
process.stdout.write('held\n');
process.stdout.write(`${(await lock.lost).code}\n`);
