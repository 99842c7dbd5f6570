// The program that keeps the servers which all tests of a run share: prints where they are, stops them when its stdin ends, with what killed tests have left.

import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isHoldfastError } from '../../src/errors/index.ts';
import { sandboxDown, startTemporal } from '../../src/sandbox/index.ts';

const runDirectory = process.argv[2] ?? '.';
const logFile = path.join(runDirectory, 'logs', 'temporal.log');
const temporal = await startTemporal({ dir: path.join(runDirectory, 'temporal'), logFile, withUi: false });
process.stdout.write(`${JSON.stringify({ HOLDFAST_TEST_TEMPORAL: temporal.address })}\n`);
// A terminal's Ctrl-C reaches this process too; the run says when it has ended.
process.on('SIGINT', () => undefined);
process.stdin.resume().once('end', async () => {
  await bringDownEstates();
  await temporal.stop();
  process.exit(0);
});

/** Those of `estateSandbox` whose test did not live to do it: their workers and servers outlive whoever started them. */
async function bringDownEstates(): Promise<void> {
  for (const name of (await readdir(runDirectory)).filter((each) => each.startsWith('estate-'))) {
    const parent = path.join(runDirectory, name);
    try {
      await bringDown(path.join(parent, 'estate'));
      await rm(parent, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    } catch (error) {
      process.stderr.write(`${parent} is left behind: ${String(error)}\n`);
    }
  }
}

/** A test that is on its way out may still be starting or stopping it. */
async function bringDown(dir: string): Promise<void> {
  for (const giveUpAt = performance.now() + 60_000; ; await sleep(500)) {
    try {
      await sandboxDown({ dir });
      return;
    } catch (error) {
      if (isHoldfastError(error, 'NOT_FOUND')) return;
      if (!isHoldfastError(error, 'LOCKED') || performance.now() > giveUpAt) throw error;
    }
  }
}
