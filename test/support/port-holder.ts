// A process for tests: reserves ports, says which, and keeps them until somebody ends it.

import { reservePorts } from '../../src/sandbox/index.ts';

const { ports } = await reservePorts(Number(process.argv[2]));
process.stdout.write(`${JSON.stringify(ports)}\n`);
process.stdin.resume();
