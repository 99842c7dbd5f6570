// Lets the Temporal SDK download its test server into a folder, and prints the path of the program it fetched.
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';

const [folder, version] = process.argv.slice(2);
const environment = await TestWorkflowEnvironment.createLocal({
  server: { executable: { type: 'cached-download', downloadDir: folder, version } },
});
await environment.teardown();
const [program] = await readdir(folder);
process.stdout.write(`${path.join(folder, program)}\n`);
