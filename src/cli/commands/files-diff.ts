// `files diff`: in what two snapshots of files, or a snapshot and the disk, differ.

import { z } from 'zod';
import { defineCommand } from '../define.ts';
import { answerFrom } from '../estate-answers.ts';
import { outcome } from '../result.ts';
import { unlessInterrupted } from '../unless-interrupted.ts';
import { COMPONENT_OF_FILES, filesComponent, onlyPaths, pathFlag } from './files-component.ts';

export const filesDiff = defineCommand({
  path: 'files diff',
  arguments: '<a> <b> [component...]',
  takes: ['standalone'],
  summary: 'tell what was created, changed and removed between two snapshots, or a snapshot and the disk',
  details: [
    'A and B are each the id of a snapshot, a moment (the newest snapshot that was complete by then), latest, or now: the disk, where a file is read only when its size does not tell.',
    'At most 500 differences are listed; the counts are of all. What roots, rules or rights keep out of one of the two is told as not compared, never as removed.',
    COMPONENT_OF_FILES,
  ].join('\n'),
  options: [pathFlag],
  examples: [
    'holdfast files diff latest now',
    'holdfast files diff 2026-11-22T06:00:00Z latest uploads --path /srv/uploads/2026',
    'holdfast files diff 20261122T060000Z-3f9a1c2b latest --json',
  ],
  bytes: ['path'],
  input: z.object({
    args: z.array(z.string().min(1)).min(2, { error: "name two of: a snapshot's id, a moment, latest, now" }),
    path: onlyPaths,
  }),
  async run({ args, path: paths }, context) {
    const [one = '', other = '', ...words] = args;
    const { id: component } = await filesComponent(context, words);
    const request = { component, one, other, ...(paths && { paths }) };
    const { value, temporal } = await unlessInterrupted(
      context,
      answerFrom(
        context,
        (client) => client.diffFiles(request),
        (host) => host.diffFiles(request),
        { mayAskBoth: false },
      ),
    );
    return outcome('files diff', { state: 'completed', temporal, filesDiff: value });
  },
});
