// `restore files/NAME`: trees of files as a snapshot has them, in place after a plan and a yes, or beside.

import path from 'node:path';
import { z } from 'zod';
import type { FilesSettings, HostConfigurationSettings } from '../../../config/index.ts';
import type { FilesPlan } from '../../domain/files-restore.ts';
import type { RestoreFilesInput } from '../../domain/operations.ts';
import { parseSnapshotTarget } from '../../domain/snapshot-target.ts';
import { fail, fromErrorData } from '../../errors/index.ts';
import { confirmByTyping } from '../ask.ts';
import type { Context } from '../context.ts';
import type { CommandOption } from '../define.ts';
import { followOrDetach } from '../follow.ts';
import { operationInput } from '../inputs.ts';
import { checkCopy } from '../naming.ts';
import { renderFilesPlan } from '../render/files.ts';
import { errorOutcome, type Outcome, outcome } from '../result.ts';
import { unlessInterrupted } from '../unless-interrupted.ts';

/** Options that only files take. */
export const filesOptions = {
  path: z.array(z.string().startsWith('/', { error: 'expected an absolute path as it is on the host' })).optional(),
  pattern: z.array(z.string().min(1, { error: 'expected a pattern' })).optional(),
};

export const filesFlags: readonly CommandOption[] = [
  {
    flags: '--path <PATH...>',
    description:
      'of files and configuration: only these, each with what is below it; as they are on the host, or as they are printed',
  },
  {
    flags: '--pattern <PATTERN...>',
    description:
      "of files and configuration: only what matches, in the syntax of .gitignore, such as '*.png' or '/srv/uploads/2026/**'",
  },
];

interface Typed {
  readonly to?: string | undefined;
  readonly from?: string | undefined;
  readonly beside?: string | undefined;
  readonly path?: readonly string[] | undefined;
  readonly pattern?: readonly string[] | undefined;
}

/** Throws `USAGE` for an option that only files take. */
export function refuseFilesOptions(typed: Typed): void {
  const given = (['path', 'pattern'] as const).find((name) => typed[name] !== undefined);
  if (given !== undefined) fail('USAGE', `'--${given}' goes together with a component of files`);
}

/** What means something for a database alone. */
const notForFiles = [
  ...['start', 'standby', 'deep', 'exclusive', 'timeline', 'database', 'schema', 'table'],
  ...['into', 'as', 'replace', 'globals'],
] as const;

export async function restoreFiles(
  typed: Typed,
  files: FilesSettings | HostConfigurationSettings,
  context: Context,
): Promise<Outcome> {
  const given: Readonly<Record<string, unknown>> = { ...typed };
  const wrong = notForFiles.find((name) => given[name] !== undefined);
  if (wrong !== undefined) fail('USAGE', `'--${wrong}' means nothing for '${files.id}'`);
  const configuration = await context.configuration();
  const { approval, timezone } = configuration;
  const to = typed.to?.trim() ?? 'latest';
  parseSnapshotTarget(to, timezone);
  checkCopy(typed.from, configuration);
  const request: RestoreFilesInput = {
    ...operationInput(configuration, files, context.by),
    to,
    approval: typed.beside === undefined ? approval.restoreInPlace : 'never',
    approveWithinSeconds: approval.withinSeconds,
    ...(typed.path === undefined ? {} : { paths: typed.path }),
    ...(typed.pattern === undefined ? {} : { patterns: typed.pattern }),
    ...(typed.from === undefined ? {} : { from: typed.from }),
    ...(typed.beside === undefined ? {} : { beside: { directory: path.resolve(typed.beside) } }),
  };
  const client = await context.client();
  const plan = () => unlessInterrupted(context, client.planFiles(request));
  if (context.options.dryRun) return planned(await plan());
  if (request.beside !== undefined || context.options.yes) {
    return followOrDetach(context, client, await client.startFilesRestore(request));
  }
  const shown = await plan();
  for (const line of renderFilesPlan(shown, timezone)) context.note(line);
  const [blocker] = shown.blockers ?? [];
  if (blocker !== undefined) throw fromErrorData(blocker);
  await confirmByTyping(context, 'proceed? type the name of the component: ', [files.id, files.name]);
  return followOrDetach(context, client, await client.startFilesRestore({ ...request, planDigest: shown.digest }));
}

/** A plan that something is in the way of ends as the restore would, after all that it can tell. */
function planned(filesPlan: FilesPlan): Outcome {
  const [blocker] = filesPlan.blockers ?? [];
  if (blocker === undefined) return outcome('files plan', { state: 'completed', dryRun: true, filesPlan });
  const { result, exit } = errorOutcome(fromErrorData(blocker));
  return outcome('files plan', { ...result, dryRun: true, filesPlan }, exit);
}
