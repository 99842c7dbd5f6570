// Keeps a log beyond the test that removes it: when the test fails, `npm test` shows its last lines.

import { appendFile, link } from 'node:fs/promises';
import path from 'node:path';

/**
 * Registers a log file (created when it is not there yet) under the directory of this test run. Without a run, as when
 * a file is run by hand, there is nothing to do: the log is where it is.
 */
export async function keepLog(file: string): Promise<void> {
  const run = process.env.HOLDFAST_TEST_RUN;
  if (run === undefined) return;
  await appendFile(file, '');
  const test = path.basename(process.argv[1] ?? 'test', '.test.ts');
  const unique = `${process.pid}-${process.hrtime.bigint().toString(36)}`;
  // A second name for the same file: it fills up as the server writes, and survives when the first name is removed.
  await link(file, path.join(run, 'logs', `${test}--${path.basename(file)}-${unique}`));
}
