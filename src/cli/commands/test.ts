// `test integrity`: whether what the copies hold is what was stored, as closely as asked.

import { z } from 'zod';
import { anyHost } from '../../../config/index.ts';
import { type ComponentIntegrity, integrityLevels } from '../../domain/integrity.ts';
import { requireProven } from '../../domain/integrity-end.ts';
import type { VerificationScope } from '../../domain/operations.ts';
import { exitCodes, toHoldfastError } from '../../errors/index.ts';
import { defineCommand } from '../define.ts';
import { followOrDetach } from '../follow.ts';
import { findComponent } from '../naming.ts';
import { type Outcome, outcome } from '../result.ts';
import { checkCopy } from './copies.ts';
import { anyComponent, COMPONENT_HELP, durationOption, sizeOption } from './typed.ts';

const daysExpected = { error: 'expected a number of days from 1 to 3650, such as 30' };
const withinOption = z.coerce.number(daysExpected).int(daysExpected).positive(daysExpected).max(3650, daysExpected);

export const testIntegrity = defineCommand({
  path: 'test integrity',
  arguments: '[component...]',
  takes: ['yes', 'dryRun', 'detach', 'standalone'],
  summary: 'look at what each copy holds by its own bytes, and keep the result as proof',
  details: `${COMPONENT_HELP} Without one, all are looked at. Levels: 'listed' (manifests open, everything is there with its size), 'attested' (the store's own checksums), 'hashed' (every byte read), 'decrypted' (every chunk opened and compared).`,
  found:
    'anything is damaged or missing, or could not be looked at (a copy that is away); what --budget and --time leave is none of that',
  options: [
    { flags: '--level <LEVEL>', description: 'listed, attested, hashed (default) or decrypted' },
    { flags: '--copy <COPY>', description: 'only this copy' },
    {
      flags: '--within <DAYS>',
      description: 'what was seen good at this level in so many days counts, and is not read again',
    },
    {
      flags: '--budget <SIZE>',
      description: 'read at most so much (20GiB), longest ago first; the rest is not checked',
    },
    { flags: '--time <DURATION>', description: 'begin nothing more after so long (2h)' },
  ],
  examples: [
    'holdfast test integrity',
    'holdfast test integrity database/main --level decrypted --copy eu',
    'holdfast test integrity --within 30 --budget 200GiB --time 4h --json',
  ],
  input: z.object({
    args: anyComponent,
    level: z.enum(integrityLevels, { error: `expected one of ${integrityLevels.join(', ')}` }).default('hashed'),
    copy: z.string().optional(),
    within: withinOption.optional(),
    budget: sizeOption.optional(),
    time: durationOption.optional(),
  }),
  async run({ args, level, copy, within, budget, time }, context) {
    const configuration = await context.configuration();
    if (copy !== undefined) checkCopy(configuration, copy);
    const component = args.length === 0 ? undefined : findComponent(configuration, args);
    const scope: VerificationScope = {
      level,
      ...(component && { component: component.id }),
      ...(copy !== undefined && { copy }),
      ...(within !== undefined && { withinDays: within }),
      ...(budget !== undefined && { budgetBytes: budget }),
      ...(time !== undefined && { timeSeconds: time }),
    };
    if (context.options.dryRun) {
      const what = `${component?.id ?? 'all components'} on ${copy ?? 'every copy'}`;
      return outcome('message', { state: 'completed', dryRun: true, message: `would look at ${what}: ${level}` });
    }
    if (context.options.standalone) {
      const { HostIntegrity } = await import('../../host/integrity.ts');
      const host = await HostIntegrity.open(configuration, context.logger);
      try {
        const integrity = await host.verify(scope);
        return ended(integrity, scope);
      } finally {
        await host.close();
      }
    }
    const client = await context.client();
    const { name: estate, digest } = configuration;
    const host = component?.host ?? anyHost(configuration);
    return followOrDetach(
      context,
      client,
      await client.startVerify({ estate, host, digest, by: context.by, ...scope }),
    );
  },
});

/** As the run ends that does the same. */
function ended(integrity: readonly ComponentIntegrity[], scope: VerificationScope): Outcome {
  try {
    requireProven(integrity, scope);
    return outcome('integrity', { state: 'completed', integrity });
  } catch (error) {
    return outcome(
      'integrity',
      { state: 'failed', error: toHoldfastError(error).toJSON(), integrity },
      exitCodes.found,
    );
  }
}
