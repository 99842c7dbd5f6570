// The program that keeps the servers which all tests of a run share: prints where they are, stops them when its stdin ends.

import path from 'node:path';
import { startTemporal } from '../../src/sandbox/index.ts';

const runDirectory = process.argv[2] ?? '.';
const logFile = path.join(runDirectory, 'logs', 'temporal.log');
const temporal = await startTemporal({ dir: path.join(runDirectory, 'temporal'), logFile, withUi: false });
process.stdout.write(`${JSON.stringify({ HOLDFAST_TEST_TEMPORAL: temporal.address })}\n`);
// A terminal's Ctrl-C reaches this process too; the run says when it has ended.
process.on('SIGINT', () => undefined);
process.stdin.resume().once('end', async () => {
  await temporal.stop();
  process.exit(0);
});
