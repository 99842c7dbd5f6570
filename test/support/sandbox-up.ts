// A process for tests: brings a sandbox up without a worker, and says how far it is, so that it can be killed half-way.

import { sandboxUp } from '../../src/sandbox/index.ts';

const say = (text: string) => process.stdout.write(`${text}\n`);
await sandboxUp({ dir: process.argv[2] ?? '.', worker: false, onProgress: say });
say('up');
