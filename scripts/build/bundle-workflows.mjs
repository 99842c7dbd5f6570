// Bundles workflows/index.ts into dist/workflow-bundle.js, so that a worker of a package starts without a bundler.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

const here = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const { code } = await bundleWorkflowCode({ workflowsPath: here('../../workflows/index.ts') });
await writeFile(here('../../dist/workflow-bundle.js'), code);
