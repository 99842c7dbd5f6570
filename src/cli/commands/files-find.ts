// `files find`: in which snapshots a path is.

import { z } from 'zod';
import { exitCodes } from '../../errors/index.ts';
import { defineCommand } from '../define.ts';
import { answerFrom } from '../estate-answers.ts';
import { outcome } from '../result.ts';
import { unlessInterrupted } from '../unless-interrupted.ts';
import { COMPONENT_OF_FILES, filesComponent } from './files-component.ts';

export const filesFind = defineCommand({
  path: 'files find',
  arguments: '<path> [component...]',
  takes: ['standalone'],
  summary: 'tell in which snapshots a path is, newest first; equal states in a row are one line',
  details: [
    'PATH is absolute, as it is on the host or as it is printed; with any of * ? [ ] !, or without a slash in front, it is a pattern in the syntax of .gitignore, and what is below a directory that it matches is found, too. At most 100 paths are told.',
    'A path that is in no snapshot is told apart from one that no root of then has, that the rules of then left out, or that could not be read then.',
    COMPONENT_OF_FILES,
  ].join('\n'),
  examples: [
    'holdfast files find /srv/uploads/2026/report.pdf',
    "holdfast files find '*.pdf' uploads --json",
    "holdfast files find '/srv/uploads/2026/**' files/uploads",
  ],
  found: 'no snapshot has it',
  bytes: ['args'],
  input: z.object({ args: z.array(z.string().min(1, { error: 'name a path or a pattern' })).min(1) }),
  async run({ args }, context) {
    const [wanted = '', ...words] = args;
    const { id: component } = await filesComponent(context, words);
    const request = { component, wanted };
    const { value: filesFound, temporal } = await unlessInterrupted(
      context,
      answerFrom(
        context,
        (client) => client.findFiles(request),
        (host) => host.findFiles(request),
        { mayAskBoth: false },
      ),
    );
    const isFound = filesFound.paths.length > 0;
    const exit = isFound ? exitCodes.done : exitCodes.found;
    return outcome('files found', { state: 'completed', temporal, filesFound }, exit);
  },
});
