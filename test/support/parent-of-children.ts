// A process for tests: starts children of both sorts, writes down who they are, and is killed at once.

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { start } from '../../src/process/index.ts';
import { waitFor } from './wait-for.ts';

const directory = process.argv[2] ?? '.';
const asOther = process.getuid?.() === 0 ? { runAs: 'nobody' } : {};
const plain = await start('sleep', ['600']);
const other = await start('sleep', ['600'], asOther);
const outliving = await start('sleep', ['600'], { outlive: true, logFile: path.join(directory, 'sleep.log') });
// What makes them die with us is done before they become the program.
for (const { pid } of [plain, other])
  await waitFor('the program', async () => (await readFile(`/proc/${pid}/comm`, 'utf8')) === 'sleep\n');
const children = { dying: [plain.identity, other.identity], outliving: outliving.identity };
await writeFile(path.join(directory, 'children.json'), JSON.stringify(children));
process.kill(process.pid, 'SIGKILL');
