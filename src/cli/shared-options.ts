// The options that do not belong to one command: for every one, or for those that take it.

import { fail } from '../errors/index.ts';
import { allCommands } from './commands/index.ts';
import type { AnyCommand, SharedOption } from './define.ts';

export const globalOptions: readonly {
  readonly flags: string;
  readonly description: string;
  /** Only of the commands that take it. */
  readonly shared?: SharedOption;
}[] = [
  { flags: '-c, --config <FILE>', description: 'configuration file (else HOLDFAST_CONFIG, else ./holdfast.yaml)' },
  { flags: '--json', description: 'print one JSON object on stdout, everything else on stderr' },
  {
    flags: '--yes',
    description: 'answer beforehand whatever a person would be asked; never approves a plan',
    shared: 'yes',
  },
  { flags: '--dry-run', description: 'show what would be done and do nothing', shared: 'dryRun' },
  { flags: '--detach', description: 'start the run and return at once with its id', shared: 'detach' },
  {
    flags: '--standalone',
    description:
      'ask no Temporal server: answer from the vault, act by the journal beside the data (on the host of the data)',
    shared: 'standalone',
  },
];

export const sharedOptions = globalOptions.flatMap(({ flags, shared }) =>
  shared === undefined ? [] : [{ flags, shared }],
);

/** An option that means nothing to a command is refused: who typed it believes that it does something. */
export function checkTaken({ path, takes }: AnyCommand, options: Readonly<Record<SharedOption, boolean>>): void {
  for (const { shared, flags } of sharedOptions) {
    if (!options[shared] || takes.includes(shared)) continue;
    const able = allCommands
      .filter((command) => command.takes.includes(shared))
      .map((command) => `\`${command.path}\``);
    fail('USAGE', `'${flags}' means nothing to 'holdfast ${path}'`, { hint: `it is for ${able.join(', ')}` });
  }
  if (options.standalone && options.detach) {
    fail('USAGE', "'--standalone' works in this process: there is nothing to detach from");
  }
}
