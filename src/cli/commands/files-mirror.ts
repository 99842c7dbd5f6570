// `files mirror`: the warm mirror of a component brought up now, without a snapshot.

import { z } from 'zod';
import { fail } from '../../errors/index.ts';
import { defineCommand } from '../define.ts';
import { followOrDetach } from '../follow.ts';
import { operationInput } from '../inputs.ts';
import { outcome } from '../result.ts';
import { COMPONENT_OF_FILES, filesComponent } from './files-component.ts';

export const filesMirror = defineCommand({
  path: 'files mirror',
  arguments: '[component...]',
  takes: ['yes', 'dryRun', 'detach'],
  summary: 'bring the mirror of a component up now, without a snapshot',
  details: `What its schedule does, and each snapshot at its end. A run that is already bringing it up is waited for, and what changed since is brought then. ${COMPONENT_OF_FILES}`,
  examples: ['holdfast files mirror', 'holdfast files mirror uploads --detach'],
  input: z.object({ args: z.array(z.string().min(1)) }),
  async run({ args }, context) {
    const settings = await filesComponent(context, args);
    const { id, mirror } = settings;
    if (mirror === undefined) {
      fail('USAGE', `'${id}' has no mirror`, { hint: '`mirror` in its configuration says where to' });
    }
    if (context.options.dryRun) {
      const to = `${mirror.remote ? `${mirror.remote.ssh}:` : ''}${mirror.directory}`;
      return outcome('message', { state: 'completed', dryRun: true, message: `would bring ${to} up: ${id}` });
    }
    const client = await context.client();
    const input = operationInput(await context.configuration(), settings, context.by);
    return await followOrDetach(context, client, await client.startMirror(input));
  },
});
