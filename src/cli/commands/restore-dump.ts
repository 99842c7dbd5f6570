// `restore … --to dump:…`: a database, a schema or a table of a dump, loaded after a plan and a yes.

import { z } from 'zod';
import type { DatabaseSettings } from '../../../config/index.ts';
import type { LoadPlan } from '../../domain/load.ts';
import type { LoadDumpInput } from '../../domain/operations.ts';
import { fail, fromErrorData } from '../../errors/index.ts';
import { confirmByTyping } from '../ask.ts';
import type { Context } from '../context.ts';
import type { CommandOption } from '../define.ts';
import { followOrDetach } from '../follow.ts';
import { operationInput } from '../inputs.ts';
import { checkCopy } from '../naming.ts';
import { renderLoadPlan } from '../render/load.ts';
import { errorOutcome, type Outcome, outcome } from '../result.ts';
import { splitName } from './restore-part.ts';

const nonEmpty = () => z.string().min(1, { error: 'expected a name' }).optional();
const tableExpected = 'expected SCHEMA.TABLE, such as ledger.entries';

/** Options that only `--to dump:…` takes. */
export const loadOptions = {
  database: nonEmpty(),
  schema: nonEmpty(),
  table: z
    .string()
    .regex(/^[^.]+\..+$/s, { error: tableExpected })
    .optional(),
  into: nonEmpty(),
  globals: z.boolean().optional(),
};

export const loadFlags: readonly CommandOption[] = [
  {
    flags: '--database <NAME>',
    description: 'with --table, --into or dump: the database (needed where there are several)',
  },
  { flags: '--schema <NAME>', description: 'with dump: this schema alone' },
  {
    flags: '--table <SCHEMA.TABLE>',
    description: 'this table alone, with its indexes, constraints and sequences',
  },
  {
    flags: '--into <NAME>',
    description: 'the database that the whole database goes into; with dump also one that is there and has none of it',
  },
  { flags: '--globals', description: 'with dump: also make the roles of the dump that the server lacks' },
];

type Options = { readonly [Name in keyof typeof loadOptions]?: z.output<(typeof loadOptions)[Name]> };
interface Typed extends Options {
  readonly to: string;
  readonly from?: string | undefined;
  readonly beside?: string | undefined;
  readonly start?: boolean | undefined;
  readonly exclusive?: boolean | undefined;
  readonly timeline?: number | undefined;
  readonly as?: string | undefined;
  readonly replace?: boolean | undefined;
}

const DUMP = /^dump:(latest|\d{8}T\d{6}Z-[0-9a-f]{8})$/;

export function isDump(to: string): boolean {
  return to.trim().startsWith('dump:');
}

/** Throws `USAGE` for an option that means nothing without a dump. */
export function refuseLoadOptions(typed: Options): void {
  const given = (Object.keys(loadOptions) as (keyof Options)[]).find((name) => typed[name] !== undefined);
  if (given === undefined) return;
  fail('USAGE', `'--${given}' goes together with '--to dump:…'`, { hint: '`--to dump:latest` is the newest dump' });
}

export async function loadFromDump(typed: Typed, database: DatabaseSettings, context: Context): Promise<Outcome> {
  const configuration = await context.configuration();
  const request: LoadDumpInput = { ...operationInput(configuration, database, context.by), ...readTyped(typed) };
  checkCopy(typed.from, configuration);
  const client = await context.client();
  if (context.options.dryRun) return planned(await client.planLoad(request));
  if (context.options.yes) return followOrDetach(context, client, await client.startLoad(request));
  const plan = await client.planLoad(request);
  for (const line of renderLoadPlan(plan, configuration.timezone)) context.note(line);
  const [blocker] = plan.blockers ?? [];
  if (blocker !== undefined) throw fromErrorData(blocker);
  await confirmByTyping(context, 'proceed? type the name of the component: ', [database.id, database.name]);
  return followOrDetach(context, client, await client.startLoad({ ...request, planDigest: plan.digest }));
}

function readTyped(typed: Typed): Pick<LoadDumpInput, 'snapshot'> & Partial<LoadDumpInput> {
  const [, snapshot] = DUMP.exec(typed.to.trim()) ?? [];
  if (snapshot === undefined) {
    return fail('USAGE', `expected dump:latest or dump:SNAPSHOT, got '${typed.to}'`, {
      hint: '`holdfast list` shows the dumps: those of kind logical',
    });
  }
  if (typed.replace !== undefined) {
    fail('USAGE', "'--replace' goes together with a moment, not with a dump", {
      hint: 'load the table beside with `--as NAME`, and move the rows yourself',
    });
  }
  if (typed.as !== undefined && typed.table === undefined)
    fail('USAGE', "'--as' goes together with '--table SCHEMA.TABLE'");
  for (const name of ['beside', 'start', 'exclusive', 'timeline'] as const) {
    if (typed[name] !== undefined) fail('USAGE', `'--${name}' means nothing for a dump: it holds one instant`);
  }
  if (typed.schema !== undefined && typed.table !== undefined) fail('USAGE', "'--schema' or '--table', not both");
  const { database, schema, into, globals, from, as } = typed;
  const table = typed.table === undefined ? undefined : splitName(typed.table, '');
  return {
    snapshot,
    ...(database === undefined ? {} : { database }),
    ...(schema === undefined ? {} : { schema }),
    ...(table === undefined ? {} : { table }),
    ...(as === undefined || table === undefined ? {} : { as: splitName(as, table.schema) }),
    ...(into === undefined ? {} : { into }),
    ...(globals === true ? { globals } : {}),
    ...(from === undefined ? {} : { from }),
  };
}

/** A plan that something is in the way of ends as the load would, after all that it can tell. */
function planned(loadPlan: LoadPlan): Outcome {
  const [blocker] = loadPlan.blockers ?? [];
  if (blocker === undefined) return outcome('load plan', { state: 'completed', dryRun: true, loadPlan });
  const { result, exit } = errorOutcome(fromErrorData(blocker));
  return outcome('load plan', { ...result, dryRun: true, loadPlan }, exit);
}
