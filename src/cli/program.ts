// From words on a command line to one printed outcome and an exit status: commands registered with commander, errors told one way.

import { Command, CommanderError, Help } from 'commander';
import type { z } from 'zod';
import { exitCodes, fail, HoldfastError, toHoldfastError } from '../errors/index.ts';
import { allCommands } from './commands/index.ts';
import { type Context, type GlobalOptions, makeContext } from './context.ts';
import { type AnyCommand, detailsOf } from './define.ts';
import { writeErrorLog } from './error-log.ts';
import type { Io } from './io.ts';
import { renderError } from './render/error.ts';
import { renderJson } from './render/json.ts';
import { renderText } from './render/text.ts';
import { errorOutcome, type Outcome } from './result.ts';
import { checkTaken, globalOptions, sharedOptions } from './shared-options.ts';
import { requireText } from './typed-words.ts';
import { addHelpCommand, endOf, withOwnHelp } from './usage.ts';

export const exitCodeLines = [
  '0  done and true (with --detach: started)',
  '1  failed (also: one of several failed)',
  '2  wrong use or configuration',
  '3  refused before anything was touched',
  `4  ran and found what should not be (${allCommands.flatMap(({ path, found }) => (found === undefined ? [] : [path])).join(', ')})`,
  '5  stuck: the undo failed, what is left and what to do is said',
  '6  rolled back: failed, and everything is as before',
];

/** Runs one command line (without node and script); resolves with the exit status. Never throws. */
export async function runCli(argv: readonly string[], io: Io, version: string): Promise<number> {
  const json = argv.includes('--json');
  let exit: number = exitCodes.done;
  const print = async (outcome: Outcome) => {
    exit = outcome.exit;
    await printOutcome(outcome, json, io);
  };
  const program = buildProgram(io, version, print);
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.done;
    await print(errorOutcome(await explain(error)));
  }
  return exit;
}

export function buildProgram(io: Io, version: string, print: (outcome: Outcome) => Promise<void>): Command {
  const program = new Command('holdfast')
    .description('Disaster recovery that has already been rehearsed.')
    .version(version)
    .exitOverride(endOf('holdfast'))
    .configureHelp({ showGlobalOptions: true })
    // What commander would print of an error is told by us, in our own form; help goes to stdout.
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: () => undefined,
      outputError: () => undefined,
    })
    .helpCommand(false);
  for (const { flags, description } of globalOptions) program.option(flags, description);
  program.addHelpText('after', exitHelp());
  const groups = new Map<string, Command>();
  for (const definition of allCommands) addCommand(program, groups, definition, io, print);
  addHelpCommand(program);
  return program;
}

function addCommand(
  program: Command,
  groups: Map<string, Command>,
  definition: AnyCommand,
  io: Io,
  print: (outcome: Outcome) => Promise<void>,
): void {
  const [first = '', second] = definition.path.split(' ');
  const parent = second === undefined ? program : group(program, groups, first);
  const existing = second === undefined ? groups.get(first) : undefined;
  const command = existing ?? parent.command(second ?? first);
  if (second === undefined) groups.set(first, command);
  command.summary(definition.summary).description(details(definition)).showHelpAfterError(false);
  command.exitOverride(endOf(`holdfast ${definition.path}`)).configureHelp({
    showGlobalOptions: true,
    visibleGlobalOptions: (shown) => {
      const refused = sharedOptions
        .filter(({ shared }) => !definition.takes.includes(shared))
        .map(({ flags }) => flags);
      return Object.assign(new Help(), { showGlobalOptions: true })
        .visibleGlobalOptions(shown)
        .filter(({ flags }) => !refused.includes(flags));
    },
  });
  if (definition.arguments !== '') command.arguments(definition.arguments);
  for (const { flags, description } of definition.options ?? []) command.option(flags, description);
  command.addHelpText('after', `${exampleHelp(definition)}${exitHelp()}`);
  command.action(async () => {
    const { config, json, yes, dryRun, detach, standalone, ...own } = command.optsWithGlobals();
    const options = {
      config,
      json: json === true,
      yes: yes === true,
      dryRun: dryRun === true,
      detach: detach === true,
      standalone: standalone === true,
    };
    checkTaken(definition, options);
    const typed = { args: command.args, ...own };
    requireText({ ...typed, config }, definition);
    await runCommand(definition, typed, options as GlobalOptions, io, print);
  });
}

function group(program: Command, groups: Map<string, Command>, name: string): Command {
  const existing = groups.get(name);
  if (existing !== undefined) return existing;
  const made = program
    .command(name)
    .description(groupSummaries[name] ?? '')
    .exitOverride(endOf(`holdfast ${name}`));
  // Without a default action a group alone shows its help as wrong use.
  groups.set(name, made);
  return made;
}

const groupSummaries: Readonly<Record<string, string>> = {
  keys: 'the ways to open the vault',
  schedules: 'Temporal Schedules of the configuration',
  retention: 'what is kept, what is not needed, what is deleted',
  test: 'whether what is stored is what was stored',
  config: 'the configuration file',
  sandbox: 'real components on this machine to try things with',
};

async function runCommand(
  definition: AnyCommand,
  typed: object,
  options: GlobalOptions,
  io: Io,
  print: (outcome: Outcome) => Promise<void>,
): Promise<void> {
  const context: Context = makeContext({ io, options, emit: print });
  try {
    const outcome = await definition.execute(typed, context, refuseTyped);
    if (outcome !== undefined) await print(await withZone(outcome, context));
  } catch (error) {
    throw withOwnHelp(error, `holdfast ${definition.path}`);
  } finally {
    await context.close();
  }
}

/** Moments are shown in the estate's zone; what failed before the configuration was read shows none. */
async function withZone(outcome: Outcome, context: Context): Promise<Outcome> {
  if (outcome.result.timezone !== undefined) return outcome;
  const configuration = await context.configurationIfLoaded();
  if (configuration === undefined) return outcome;
  return { ...outcome, result: { ...outcome.result, timezone: configuration.timezone } };
}

function refuseTyped(issues: readonly z.core.$ZodIssue[]): never {
  const [issue] = issues;
  const option =
    issue?.path[0] === 'args'
      ? ''
      : `--${String(issue?.path[0] ?? '').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}: `;
  return fail('USAGE', `${option}${issue?.message ?? 'the arguments are not understood'}`);
}

async function printOutcome(outcome: Outcome, json: boolean, io: Io): Promise<void> {
  const { result } = outcome;
  if (json) return write(io.stdout, renderJson(result));
  await write(io.stdout, renderText(outcome, new Date()));
  if (result.error !== undefined) await write(io.stderr, renderError(result.error));
}

/** Waits until the text is handed over, so that nothing is lost when the process ends right after. */
function write(stream: NodeJS.WritableStream, text: string): Promise<void> {
  if (text === '') return Promise.resolve();
  return new Promise((resolve) => void stream.write(text, () => resolve()));
}

async function explain(error: unknown): Promise<HoldfastError> {
  const known = toHoldfastError(error);
  if (known.code !== 'INTERNAL') return known;
  const log = await writeErrorLog(error);
  return new HoldfastError('INTERNAL', known.message, {
    cause: error,
    details: { ...known.details, ...(log && { log }) },
  });
}

function details(command: AnyCommand): string {
  const { summary } = command;
  const more = detailsOf(command);
  const sentence = `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
  return more === undefined ? sentence : `${sentence}\n\n${more}`;
}

function exampleHelp({ examples }: AnyCommand): string {
  return examples.length === 0 ? '' : `\nExamples:\n${examples.map((example) => `  ${example}\n`).join('')}`;
}

function exitHelp(): string {
  return `\nExit status:\n${exitCodeLines.map((line) => `  ${line}\n`).join('')}`;
}
