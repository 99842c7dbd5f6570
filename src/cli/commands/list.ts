// `list`: the snapshots in the vault.

import { z } from 'zod';
import { defineCommand } from '../define.ts';
import { answerFrom } from '../estate-answers.ts';
import { findComponent } from '../naming.ts';
import { outcome } from '../result.ts';
import { anyComponent, COMPONENT_HELP } from './typed.ts';

export const list = defineCommand({
  path: 'list',
  arguments: '[component...]',
  takes: ['standalone'],
  summary: 'list the snapshots in the vault, newest first, with the copies that have each',
  details: COMPONENT_HELP,
  examples: ['holdfast list', 'holdfast list database/main --json'],
  input: z.object({ args: anyComponent }),
  async run({ args }, context) {
    const configuration = await context.configuration();
    const component = args.length === 0 ? undefined : findComponent(configuration, args).id;
    const { value: snapshots, temporal } = await answerFrom(
      context,
      (client) => client.snapshots(component),
      (host) => host.snapshots(component),
    );
    return outcome('snapshots', { state: 'completed', temporal, snapshots });
  },
});
