// A bench in the middle of a measurement, for a test that ends it: makes its work directory below the argument and measures what never ends.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { shell } from '../../bench/lib/command.ts';
import { listenForInterrupts } from '../../bench/lib/interrupt.ts';
import { measure } from '../../bench/lib/measure.ts';
import { makeWorkDirectory } from '../../bench/lib/work-directory.ts';

listenForInterrupts();
const work = await makeWorkDirectory(process.argv[2] as string, 1);
writeFileSync(path.join(work, 'source'), 'not empty');
await measure('python3', { argv: shell(`echo $$ > ${work}/../pid; exec sleep 10000`), cwd: work, env: {} });
