// What a command is: its words for the help page and the documentation, the check of what was typed, and what it does.

import type { z } from 'zod';
import type { Context } from './context.ts';
import type { Outcome } from './result.ts';

/** Options that not every command has a meaning for; whoever types one at another command is told so. */
export type SharedOption = 'yes' | 'dryRun' | 'detach' | 'standalone';

export interface CommandOption {
  /** As commander reads them: `--to <TARGET>`. */
  readonly flags: string;
  readonly description: string;
}

export interface CommandDefinition<Input = never> {
  /** `backup`, or `schedules apply`. */
  readonly path: string;
  /** Arguments as commander reads them: `<component...>`. */
  readonly arguments: string;
  /** `yes`: it acts, so that an answer can be given beforehand. `standalone`: it can do without Temporal, on the host of the data. */
  readonly takes: readonly SharedOption[];
  readonly summary: string;
  /** More for the help page, in whole sentences. */
  readonly details?: string;
  readonly options?: readonly CommandOption[];
  readonly examples: readonly string[];
  /** When it leaves with `exitCodes.found`, to be read after "when"; absent: never. */
  readonly found?: string;
  /** Options, or `args`, that name what is in a snapshot, where names are bytes; everything else is UTF-8. */
  readonly bytes?: readonly string[];
  /** Checks `{ args, …options }`; its messages are shown as they are. */
  readonly input: z.ZodType<Input>;
  /** Nothing, when everything was printed on the way. */
  run(input: Input, context: Context): Promise<Outcome | undefined>;
}

/** The definition without its input's type, as a list of all commands needs it. */
export interface AnyCommand extends Omit<CommandDefinition, 'input' | 'run'> {
  execute(
    typed: unknown,
    context: Context,
    refuse: (issues: readonly z.core.$ZodIssue[]) => never,
  ): Promise<Outcome | undefined>;
}

export function defineCommand<Input>(definition: CommandDefinition<Input>): AnyCommand {
  const { input, run, ...words } = definition;
  return {
    ...words,
    execute(typed, context, refuse) {
      const checked = input.safeParse(typed);
      return checked.success ? run(checked.data, context) : refuse(checked.error.issues);
    },
  };
}

/** Its details as help page and documentation show them. */
export function detailsOf({ details, found }: Pick<AnyCommand, 'details' | 'found'>): string | undefined {
  const leaves = found === undefined ? [] : [`Leaves with 4 when ${found}.`];
  const all = [...(details === undefined ? [] : [details]), ...leaves];
  return all.length === 0 ? undefined : all.join(' ');
}
