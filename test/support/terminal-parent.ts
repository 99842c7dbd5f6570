// A process for tests: gives its own streams to a child, stops the child once it has spoken, and goes on itself.

import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { start } from '../../src/process/index.ts';

const spoken = process.argv[2] ?? '';
const script = 'echo "child in group $(ps -o pgid= -p $$ | tr -d " ")"; touch "$0"; exec sleep 600';
const child = await start('sh', ['-c', script, spoken], { terminal: true });
while (!existsSync(spoken)) await sleep(20);
const { signal } = await child.stop();
process.stdout.write(`child ended by ${signal}\n`);
