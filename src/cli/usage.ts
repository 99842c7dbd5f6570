// Wrong use and help: told in our own form, always with the help page of the command that was used.

import type { Command, CommanderError } from 'commander';
import { closest } from '../domain/closest.ts';
import { catalogue, fail, HoldfastError, isHoldfastError } from '../errors/index.ts';

/** How commander's end of a command is told: help that was asked for is no error, anything else is wrong use of `name`. */
export function endOf(name: string): (error: CommanderError) => never {
  return (error) => {
    throw error.exitCode === 0 ? error : withOwnHelp(usageError(error), name);
  };
}

function usageError({ code, message }: CommanderError): HoldfastError {
  if (code === 'commander.help' || code === 'commander.helpDisplayed') {
    return new HoldfastError('USAGE', 'a command is missing');
  }
  const [words = '', suggested] = message.replace(/^error: /, '').split(/\n\(Did you mean (?:one of )?(.+)\?\)$/s);
  return new HoldfastError('USAGE', `${words.replace(/\.$/, '')}${meant(words, suggested?.split(', ') ?? [])}`);
}

/** Commander takes a word for near that shares less than half of its letters. */
function meant(words: string, suggested: readonly string[]): string {
  const bare = (word: string) => word.replace(/^--/, '');
  const typed = bare(/'(.*)'/s.exec(words)?.[1] ?? '');
  const near = closest(typed, suggested.map(bare));
  return near === undefined ? '' : `, did you mean '${suggested.find((each) => bare(each) === near)}'?`;
}

/** Wrong use that has no better hint points at the help of the command that was used. */
export function withOwnHelp(error: unknown, name: string): unknown {
  if (!isHoldfastError(error, 'USAGE') || error.hint !== catalogue.USAGE.hint) return error;
  const { message, cause, details: facts } = error;
  return new HoldfastError('USAGE', message, {
    hint: `see \`${name} --help\``,
    cause,
    ...(facts && { details: facts }),
  });
}

/** `help restore`, `help keys list`: what `--help` shows there. */
export function addHelpCommand(program: Command): void {
  const command = program.command('help').arguments('[command...]').summary('show the help page of a command');
  command.exitOverride(endOf('holdfast help')).action(() => {
    let shown = program;
    for (const word of command.args) {
      const names = shown.commands.map((each) => each.name());
      const next = shown.commands.find((each) => each.name() === word);
      shown = next ?? unknownCommand(command.args.join(' '), closest(word, names), shown);
    }
    shown.outputHelp();
  });
}

function unknownCommand(typed: string, suggestion: string | undefined, within: Command): never {
  const name = [within.parent?.name(), within.name()].filter((part) => part !== undefined).join(' ');
  const words = suggestion === undefined ? '' : `, did you mean '${suggestion}'?`;
  return fail('USAGE', `unknown command '${typed}'${words}`, { hint: `see \`${name} --help\`` });
}
