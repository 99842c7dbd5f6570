// `restore … --table` and `--database … --into` at a moment: one table or one database brought into the running server, after a plan and a yes.

import path from 'node:path';
import { z } from 'zod';
import type { Configuration, DatabaseSettings } from '../../../config/index.ts';
import type { RestorePartInput } from '../../domain/operations.ts';
import type { PartPlan, TableName } from '../../domain/part.ts';
import { parseTarget } from '../../domain/target.ts';
import { fail, fromErrorData } from '../../errors/index.ts';
import { confirmByTyping } from '../ask.ts';
import type { Context } from '../context.ts';
import type { CommandOption } from '../define.ts';
import { followOrDetach } from '../follow.ts';
import { operationInput } from '../inputs.ts';
import { checkCopy } from '../naming.ts';
import { renderPartPlan } from '../render/part.ts';
import { errorOutcome, type Outcome, outcome } from '../result.ts';

/** Options that say under which name, or in place of what. */
export const partOptions = {
  as: z.string().min(1, { error: 'expected a name, such as entries_then' }).optional(),
  replace: z.boolean().optional(),
};

export const partFlags: readonly CommandOption[] = [
  {
    flags: '--as <NAME>',
    description:
      'with --table: load it under this name (NAME or SCHEMA.NAME), beside the one that is there; also from a dump',
  },
  {
    flags: '--replace',
    description:
      'with --table: exchange the rows of the table that is there; those of now are kept in a table of their own',
  },
];

interface Typed {
  readonly to?: string | undefined;
  readonly beside?: string | undefined;
  readonly start?: boolean | undefined;
  readonly standby?: boolean | undefined;
  readonly deep?: boolean | undefined;
  readonly exclusive?: boolean | undefined;
  readonly timeline?: number | undefined;
  readonly from?: string | undefined;
  readonly database?: string | undefined;
  readonly schema?: string | undefined;
  readonly table?: string | undefined;
  readonly into?: string | undefined;
  readonly globals?: boolean | undefined;
  readonly as?: string | undefined;
  readonly replace?: boolean | undefined;
}

/** Whether a part of the cluster is meant, and not all of it. */
export function isPart({ table, as, replace, database, into }: Typed): boolean {
  return table !== undefined || as !== undefined || replace === true || database !== undefined || into !== undefined;
}

export function splitName(text: string, schema: string): TableName {
  const dot = text.indexOf('.');
  return dot < 0 ? { schema, table: text } : { schema: text.slice(0, dot), table: text.slice(dot + 1) };
}

export async function restorePart(typed: Typed, database: DatabaseSettings, context: Context): Promise<Outcome> {
  const configuration = await context.configuration();
  const request = makeRequest(typed, configuration, database, context.by);
  const client = await context.client();
  if (context.options.dryRun) return planned(await client.planPart(request));
  if (context.options.yes) return followOrDetach(context, client, await client.startPart(request));
  const plan = await client.planPart(request);
  for (const line of renderPartPlan(plan, configuration.timezone)) context.note(line);
  const [blocker] = plan.blockers ?? [];
  if (blocker !== undefined) throw fromErrorData(blocker);
  await confirmByTyping(context, 'proceed? type the name of the component: ', [database.id, database.name]);
  return followOrDetach(context, client, await client.startPart({ ...request, planDigest: plan.digest }));
}

function makeRequest(
  typed: Typed,
  configuration: Configuration,
  database: DatabaseSettings,
  by: string,
): RestorePartInput {
  const { exclusive, timeline, from, beside, replace } = typed;
  const to = typed.to?.trim() ?? '';
  parseTarget(to, configuration.timezone);
  checkCopy(from, configuration);
  const { approval } = configuration;
  return {
    ...operationInput(configuration, database, by),
    to,
    ...readPart(typed),
    approval: replace === true ? approval.restoreInPlace : 'never',
    approveWithinSeconds: approval.withinSeconds,
    ...(typed.database === undefined ? {} : { database: typed.database }),
    ...(exclusive === true ? { exclusive } : {}),
    ...(timeline === undefined ? {} : { timeline }),
    ...(from === undefined ? {} : { from }),
    ...(beside === undefined ? {} : { clone: path.resolve(beside) }),
  };
}

/** Throws `USAGE` for what does not go together, with the way that does. */
function readPart(typed: Typed): Pick<RestorePartInput, 'table' | 'as' | 'replace' | 'into'> {
  const { table, as, replace, into, schema, globals, start, standby, deep } = typed;
  for (const [name, given] of Object.entries({ start, standby, deep })) {
    if (given === true)
      fail('USAGE', `'--${name}' means nothing here: the server that is recovered for a while is removed again`);
  }
  for (const [name, given] of Object.entries({ schema, globals })) {
    if (given !== undefined) fail('USAGE', `'--${name}' goes together with '--to dump:…'`);
  }
  if (table === undefined) {
    if (as !== undefined || replace === true)
      fail('USAGE', "'--as' and '--replace' go together with '--table SCHEMA.TABLE'");
    if (into === undefined)
      fail('USAGE', "'--database' alone does not say what is brought back", {
        hint: "add '--table SCHEMA.TABLE', or '--into NAME' for the whole database",
      });
    return { into };
  }
  if (into !== undefined)
    fail('USAGE', "'--into' is for a whole database: a table goes under another name with '--as NAME'");
  if (as !== undefined && replace === true) {
    fail('USAGE', "'--as' and '--replace' exclude each other: beside the table that is there, or its rows in place", {
      hint: "'--as NAME' changes nothing that is there; '--replace' keeps the rows of now in a table of their own",
    });
  }
  if (as === undefined && replace !== true) {
    fail('USAGE', "say where the table goes: '--as NAME' beside the one that is there, or '--replace' for its rows");
  }
  const name = splitName(table, '');
  return { table: name, ...(as === undefined ? { replace: true } : { as: splitName(as, name.schema) }) };
}

/** A plan that something is in the way of ends as the run would, after all that it can tell. */
function planned(partPlan: PartPlan): Outcome {
  const [blocker] = partPlan.blockers ?? [];
  if (blocker === undefined) return outcome('part plan', { state: 'completed', dryRun: true, partPlan });
  const { result, exit } = errorOutcome(fromErrorData(blocker));
  return outcome('part plan', { ...result, dryRun: true, partPlan }, exit);
}
