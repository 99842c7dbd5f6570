// `copies`: the copies of the vault, and bringing one that was away up to date.

import { z } from 'zod';
import type { Configuration } from '../../../config/index.ts';
import { closest } from '../../domain/closest.ts';
import { exitCodes, fail } from '../../errors/index.ts';
import { defineCommand } from '../define.ts';
import { answerFrom } from '../estate-answers.ts';
import { followOrDetach } from '../follow.ts';
import { outcome } from '../result.ts';
import { noArguments } from './typed.ts';

export const copies = defineCommand({
  path: 'copies',
  arguments: '',
  summary: 'show the copies of the vault and whether each can be reached',
  details: 'Leaves with 4 when a copy is away.',
  examples: ['holdfast copies', 'holdfast copies --json'],
  standalone: true,
  input: z.object({ args: noArguments }),
  async run(_, context) {
    const { value, temporal } = await answerFrom(
      context,
      (client) => client.copies(),
      (host) => host.copies(),
    );
    const good = value.every((copy) => copy.state === 'ready');
    return outcome('copies', { state: 'completed', temporal, copies: value }, good ? exitCodes.done : exitCodes.found);
  },
});

export const catchUp = defineCommand({
  path: 'copies catch-up',
  arguments: '<copy>',
  summary: 'bring a copy that was away up to date from the others',
  details: 'Happens by itself as well; this does it now and shows how far it is.',
  examples: ['holdfast copies catch-up us'],
  input: z.object({ args: z.array(z.string()).length(1, { error: 'name one copy' }) }),
  async run({ args: [copy = ''] }, context) {
    const configuration = await context.configuration();
    checkCopy(configuration, copy);
    if (context.options.dryRun) {
      return outcome('message', { state: 'completed', dryRun: true, message: `would bring copy ${copy} up to date` });
    }
    const client = await context.client();
    const input = { estate: configuration.name, host: catchUpHost(configuration, copy), copy };
    return followOrDetach(context, client, await client.startCatchUp(input));
  },
});

export const copiesRepair = defineCommand({
  path: 'copies repair',
  arguments: '[copy]',
  summary: 'put good bytes of another copy where a copy has damaged or missing ones',
  details:
    'Repairs what its listings show now and what the last `test integrity` found; each object is verified on both sides right before. Snapshots that a copy never had come with `copies catch-up`. Needs the vault and a key that opens it, not Temporal. Leaves with 4 when something could not be repaired.',
  examples: ['holdfast copies repair eu', 'holdfast copies repair --json'],
  input: z.object({ args: z.array(z.string()).max(1, { error: 'name one copy, or none for all' }) }),
  async run({ args: [copy] }, context) {
    const configuration = await context.configuration();
    if (copy !== undefined) checkCopy(configuration, copy);
    if (context.options.dryRun) {
      const message = `would repair ${copy === undefined ? 'every copy' : `copy ${copy}`}`;
      return outcome('message', { state: 'completed', dryRun: true, message });
    }
    const { HostIntegrity } = await import('../../host/integrity.ts');
    const host = await HostIntegrity.open(configuration, context.logger);
    try {
      const repairs = await host.repair(copy);
      const isWhole = repairs.every(({ unrepaired }) => unrepaired.length === 0);
      return outcome('repairs', { state: 'completed', repairs }, isWhole ? exitCodes.done : exitCodes.found);
    } finally {
      await host.close();
    }
  },
});

export function checkCopy(configuration: Configuration, copy: string): void {
  const names = Object.keys(configuration.vault.copies);
  if (names.includes(copy)) return;
  const suggestion = closest(copy, names);
  const hint = suggestion === undefined ? `copies: ${names.join(', ')}` : `did you mean '${suggestion}'?`;
  fail('USAGE', `no copy '${copy}' is configured`, { hint });
}

/** A host of the copy's own site spares the way between sites twice; any host with a database will do. */
function catchUpHost(configuration: Configuration, copy: string): string {
  const used = [...new Set(Object.values(configuration.database).map(({ host }) => host))];
  const site = configuration.vault.copies[copy]?.site;
  const near = used.find((host) => configuration.hosts[host]?.site === site);
  return near ?? used[0] ?? fail('CONFIG_INVALID', 'no host is configured');
}
