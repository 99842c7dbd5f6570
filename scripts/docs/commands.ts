// Fills the part of docs/cli.md between its marks with every command's own words; the rest of the page is written by hand.

import { allCommands } from '../../src/cli/commands/index.ts';
import type { AnyCommand } from '../../src/cli/define.ts';
import { exitCodeLines, globalOptions } from '../../src/cli/program.ts';

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
  const options = command.options?.map(({ flags, description }) => optionRow(flags, description)) ?? [];
  return [
    `### \`${command.path}\``,
    '',
    `\`${usage.filter((part) => part !== '').join(' ')}\`: ${command.summary}.`,
    ...(command.details === undefined ? [] : ['', ...command.details.split('\n')]),
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
