// `check`: proves the way of the log end to end, and everything a backup and a restore will need.

import { z } from 'zod';
import { describeSeconds } from '../../domain/duration.ts';
import { CHECK_WAIT_SECONDS, type CheckReport } from '../../domain/setup-report.ts';
import { exitCodes } from '../../errors/index.ts';
import { defineCommand } from '../define.ts';
import { answerFrom } from '../estate-answers.ts';
import { findComponents } from '../naming.ts';
import { outcome } from '../result.ts';
import { anyComponent, COMPONENT_HELP } from './typed.ts';

const WAITS = `a segment of the log is closed and waited for on every copy, up to ${describeSeconds(CHECK_WAIT_SECONDS)}`;

export const check = defineCommand({
  path: 'check',
  arguments: '[component...]',
  takes: ['yes', 'dryRun', 'standalone'],
  summary: 'close a segment of the log and wait until it is on every copy; ask all that a backup needs',
  details: `${COMPONENT_HELP} Without one, all are checked.`,
  found: 'a check is not ok',
  examples: ['holdfast check', 'holdfast check database/main --json'],
  input: z.object({ args: anyComponent }),
  async run({ args }, context) {
    const configuration = await context.configuration();
    const components = findComponents(configuration, args);
    if (context.options.dryRun) {
      const names = components.map(({ id }) => id).join(', ');
      return outcome('message', { state: 'completed', dryRun: true, message: `would close a segment of ${names}` });
    }
    const reports: CheckReport[] = [];
    for (const { id, kind } of components) {
      const say = (words: string) => context.note(`note: ${id}: ${words}`);
      if (kind === 'database') say(WAITS);
      const { value } = await answerFrom(
        context,
        (client) => client.check(id),
        (host) => host.check(id, { onDoubt: say }),
        { mayAskBoth: false },
      );
      reports.push(value);
    }
    const ok = reports.every((report) => report.ok);
    return outcome('check', { state: 'completed', components: reports }, ok ? exitCodes.done : exitCodes.found);
  },
});
