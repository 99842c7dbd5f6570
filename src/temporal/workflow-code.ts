// The workflows as the worker loads them: the bundle of a built package, else made once from the sources.

import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type Logger, type WorkflowBundleOption } from '@temporalio/worker';

/** `dist/workflow-bundle.js`, made by `npm run build`. */
const built = fileURLToPath(new URL('../../workflow-bundle.js', import.meta.url));
/** Beside this module, with its own extension, so that it is right in the sources and in a build alike. */
const source = fileURLToPath(new URL(`../../workflows/index${path.extname(import.meta.url)}`, import.meta.url));

export async function workflowCode(logger: Logger): Promise<WorkflowBundleOption> {
  if (existsSync(built)) return { codePath: built };
  return await bundleWorkflowCode({ workflowsPath: source, logger });
}
