// `copies`: the copies of the vault, a new one, bringing one that was away up to date, and accepting one that was put back.

import { z } from 'zod';
import { type Configuration, componentsOf } from '../../../config/index.ts';
import { closest } from '../../domain/closest.ts';
import type { CopiesReport } from '../../domain/copies-report.ts';
import { isBad } from '../../domain/copy-verified.ts';
import { exitCodes, fail } from '../../errors/index.ts';
import { confirmByTyping } from '../ask.ts';
import type { Context } from '../context.ts';
import { defineCommand } from '../define.ts';
import { answerFrom } from '../estate-answers.ts';
import { followOrDetach } from '../follow.ts';
import { putBackLines, seedLines } from '../render/copies.ts';
import { outcome } from '../result.ts';
import { noArguments } from './typed.ts';

export const copies = defineCommand({
  path: 'copies',
  arguments: '',
  takes: ['standalone'],
  summary: 'show what each copy of the vault holds and lacks, and which digits of 3-2-1-1-0 they keep together',
  details: 'A copy that was put back to an older state is noticed by what the host that answers has seen it hold.',
  found: 'a copy is away, behind, was put back, or was found damaged when it was last verified',
  examples: ['holdfast copies', 'holdfast copies --json'],
  input: z.object({ args: noArguments }),
  async run(_, context) {
    const { timezone } = await context.configuration();
    const { value, temporal } = await askCopies(context);
    const good =
      value.copies.every(
        ({ state, holds, verified }) =>
          state === 'ready' && holds?.state === 'complete' && !(verified && isBad(verified)),
      ) && value.heads.putBack.length === 0;
    return outcome(
      'copies',
      { state: 'completed', timezone, temporal, ...value },
      good ? exitCodes.done : exitCodes.found,
    );
  },
});

function askCopies(context: Context) {
  return answerFrom<CopiesReport>(
    context,
    (client) => client.copies(),
    (host) => host.copies(),
  );
}

export const copiesAdd = defineCommand({
  path: 'copies add',
  arguments: '<copy>',
  takes: ['yes', 'dryRun', 'detach'],
  summary:
    'make an empty store of the configuration a copy of this vault, and bring it everything that the others have',
  details:
    'Shows first how much that is, and asks. Refused when the store holds anything, or another vault. The store is tried as `setup` does. Can be repeated after any failure: what is there is not copied again.',
  examples: ['holdfast copies add us --dry-run', 'holdfast copies add us'],
  input: z.object({ args: z.array(z.string()).length(1, { error: 'name one copy' }) }),
  async run({ args: [copy = ''] }, context) {
    const configuration = await context.configuration();
    checkCopy(configuration, copy);
    const { SeedHere } = await import('../../host/seed-copy.ts');
    const here = await SeedHere.open(configuration, context.logger, copy);
    try {
      const { dryRun } = context.options;
      const seed = await here.plan();
      if (dryRun) return outcome('seed', { state: 'completed', dryRun: true, seed });
      if (!context.options.yes) for (const line of seedLines({ state: 'completed', seed })) context.note(line);
      await confirmByTyping(context, 'proceed? type the name of the copy: ', [copy]);
      const client = await context.client();
      await here.adopt();
      const input = { estate: configuration.name, host: catchUpHost(configuration, copy), copy };
      return await followOrDetach(context, client, await client.startCatchUp(input));
    } finally {
      await here.close();
    }
  },
});

export const copiesAccept = defineCommand({
  path: 'copies accept',
  arguments: '<copy>',
  takes: ['yes', 'dryRun'],
  summary: 'say that a copy was put back to an older state on purpose, so that deletions go on',
  details:
    "'all' names every copy. Shows what was lost and asks. Kept in the vault for every host; the next loss is another one. Needs the vault and a key that opens it.",
  examples: ['holdfast copies accept us', 'holdfast copies accept all --yes'],
  input: z.object({ args: z.array(z.string()).length(1, { error: "name one copy, or 'all'" }) }),
  async run({ args: [copy = ''] }, context) {
    const configuration = await context.configuration();
    if (copy !== 'all') checkCopy(configuration, copy);
    const { value } = await askCopies(context);
    const lost = value.heads.putBack.filter((each) => copy === 'all' || each.copy === copy);
    if (lost.length === 0) {
      fail('NOT_FOUND', `nothing is known of copy '${copy}' that was put back`, { hint: 'see `holdfast copies`' });
    }
    for (const line of putBackLines(lost)) context.note(line);
    const words = lost.map((each) => `${each.copy} ${each.component}`).join(', ');
    if (context.options.dryRun) {
      return outcome('message', { state: 'completed', dryRun: true, message: `would accept: ${words}` });
    }
    await confirmByTyping(context, 'accept this? type the name again: ', [copy]);
    const { acceptHere } = await import('../../host/accept-put-back.ts');
    await acceptHere(configuration, context.logger, lost, context.by);
    return outcome('message', { state: 'completed', message: `accepted: ${words}` });
  },
});

export const catchUp = defineCommand({
  path: 'copies catch-up',
  arguments: '<copy>',
  takes: ['yes', 'dryRun', 'detach'],
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
  takes: ['yes', 'dryRun'],
  summary: 'put good bytes of another copy where a copy has damaged or missing ones',
  details:
    'Repairs what its listings show now and what the last `test integrity` found; each object is verified on both sides right before. Snapshots that a copy never had come with `copies catch-up`. Needs the vault and a key that opens it, not Temporal.',
  found: 'something could not be repaired',
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
  const used = [...new Set(componentsOf(configuration).map(({ host }) => host))];
  const site = configuration.vault.copies[copy]?.site;
  const near = used.find((host) => configuration.hosts[host]?.site === site);
  return near ?? used[0] ?? fail('CONFIG_INVALID', 'no host is configured');
}
