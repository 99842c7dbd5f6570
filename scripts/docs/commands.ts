// Fills the part of docs/cli.md between its marks with every command's own words; the rest of the page is written by hand.

import { allCommands } from '../../src/cli/commands/index.ts';
import { type AnyCommand, detailsOf } from '../../src/cli/define.ts';
import { exitCodeLines } from '../../src/cli/program.ts';
import { globalOptions } from '../../src/cli/shared-options.ts';

const BEGIN = '<!-- commands: made by `node scripts/docs.mjs` from src/cli/commands -->';
const END = '<!-- end of commands -->';

export function renderCommands(page: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`docs/cli.md lacks '${BEGIN}' or '${END}'`);
  return `${page.slice(0, begin)}${BEGIN}\n\n${commandsText()}\n${page.slice(end)}`;
}

function commandsText(): string {
  return [
    '### Everywhere',
    '',
    '`-c` and `--json` are for every command. The others are refused by a command that does not take them.',
    '',
    '| option | meaning |',
    '|---|---|',
    ...globalOptions.map(({ flags, description }) => optionRow(flags, description)),
    '',
    '| exit status | meaning |',
    '|---|---|',
    ...exitCodeLines.map((line) => `| ${line.replace(/ {2}/, ' | ')} |`),
    '',
    ...allCommands.flatMap(commandText),
  ].join('\n');
}

function commandText(command: AnyCommand): string[] {
  const usage = ['holdfast', command.path, command.options?.length ? '[options]' : '', command.arguments];
  const details = detailsOf(command);
  const taken = globalOptions.flatMap(({ flags, shared }) =>
    shared !== undefined && command.takes.includes(shared) ? [`\`${flags}\``] : [],
  );
  const options = command.options?.map(({ flags, description }) => optionRow(flags, description)) ?? [];
  return [
    `### \`${command.path}\``,
    '',
    `\`${usage.filter((part) => part !== '').join(' ')}\`: ${command.summary}.`,
    ...(details === undefined ? [] : ['', ...details.split('\n')]),
    ...(taken.length === 0 ? [] : ['', `Takes ${taken.join(', ')}.`]),
    ...(options.length === 0 ? [] : ['', '| option | meaning |', '|---|---|', ...options]),
    '',
    '```',
    ...command.examples,
    '```',
    '',
  ];
}

function optionRow(flags: string, description: string): string {
  return `| \`${flags}\` | ${description.replaceAll('|', '\\|')} |`;
}
