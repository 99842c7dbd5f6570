// A process for tests: starts children of both sorts, writes down who they are, and is killed at once.

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { start } from '../../src/process/index.ts';

const directory = process.argv[2] ?? '.';
const asOther = process.getuid?.() === 0 ? { runAs: 'nobody' } : {};
const plain = await start('sleep', ['600']);
const other = await start('sleep', ['600'], asOther);
const outliving = await start('sleep', ['600'], { outlive: true, logFile: path.join(directory, 'sleep.log') });
const children = { dying: [plain.identity, other.identity], outliving: outliving.identity };
await writeFile(path.join(directory, 'children.json'), JSON.stringify(children));
process.kill(process.pid, 'SIGKILL');
