// `keys`: the ways to open the vault; works with the vault and the keys alone.

import { z } from 'zod';
import { absoluteReference, referenceProblem } from '../../../config/index.ts';
import { exitCodes } from '../../errors/index.ts';
import type { HostKeys, KeyChangeReport } from '../../host/keys.ts';
import { confirmByTyping } from '../ask.ts';
import type { Context } from '../context.ts';
import { defineCommand } from '../define.ts';
import { type Outcome, outcome } from '../result.ts';
import { noArguments } from './typed.ts';

const oneKey = z.array(z.string()).length(1, { error: 'name one key, as the configuration or the vault calls it' });
const ALONE = 'Needs the vault and a key that opens it, neither Temporal nor a database.';

export const keysList = defineCommand({
  path: 'keys list',
  arguments: '',
  takes: [],
  summary: 'show the key slots of the vault: their kind, on which copies they are, whether they open here',
  details: `A key of the configuration that has no slot is shown too. ${ALONE}`,
  examples: ['holdfast keys list', 'holdfast keys list --json'],
  input: z.object({ args: noArguments }),
  run: (_, context) =>
    withKeys(context, async (keys) => {
      const report = await keys.list();
      return outcome('keys', { state: 'completed', ...report });
    }),
});

export const keysAdd = defineCommand({
  path: 'keys add',
  arguments: '<name>',
  takes: ['yes', 'dryRun'],
  summary: 'make the slot for a key of the configuration that the vault does not know yet',
  details: `A key file that is not there is made (mode 0600), one that is there is never overwritten. The slot is read back from every copy that answers, and opened. ${ALONE}`,
  examples: ['holdfast keys add safe'],
  input: z.object({ args: oneKey }),
  run: ({ args: [name = ''] }, context) => change(context, 'add', name, (keys) => keys.add(name)),
});

export const keysRemove = defineCommand({
  path: 'keys remove',
  arguments: '<name>',
  takes: ['yes', 'dryRun'],
  summary: 'take a way to open the vault out of it',
  details: `Asks for the name again. Refused unless another key that is at hand opens every copy right now. Whoever opened the vault with it before may have kept the vault key, which stays the same; on a copy that locks its objects the slot stays, and opens, until its lock ends. ${ALONE}`,
  examples: ['holdfast keys remove safe', 'holdfast keys remove safe --yes'],
  input: z.object({ args: oneKey }),
  run: ({ args: [name = ''] }, context) =>
    change(context, 'remove', name, async (keys) => {
      await keys.requireSlot(name);
      await confirmByTyping(context, `this takes key slot '${name}' out of the vault. type its name: `, [name]);
      return keys.remove(name);
    }),
});

export const keysRotate = defineCommand({
  path: 'keys rotate',
  arguments: '<name>',
  takes: ['yes', 'dryRun'],
  summary: 'give a key slot a new secret',
  details: `A key file is replaced by a new one, a key of AWS KMS gives a new data key, a new passphrase is read from --to. The old slot goes only when the new one was read back from every copy that answers, and opened. The vault key stays the same, so nothing is encrypted anew. After a death anywhere the same command goes on. ${ALONE}`,
  options: [{ flags: '--to <REFERENCE>', description: 'where the new passphrase is: env:NAME or file:PATH' }],
  examples: ['holdfast keys rotate host', 'holdfast keys rotate safe --to env:NEW_PASSPHRASE'],
  input: z.object({
    args: oneKey,
    to: z
      .string()
      .refine((text) => referenceProblem(text) === undefined, { error: 'expected a reference, env:NAME or file:PATH' })
      .transform((text) => absoluteReference(text, process.cwd()))
      .optional(),
  }),
  run: ({ args: [name = ''], to }, context) => change(context, 'rotate', name, (keys) => keys.rotate(name, to)),
});

export const keysTest = defineCommand({
  path: 'keys test',
  arguments: '[name]',
  takes: [],
  summary: 'open every key slot on every copy from scratch and say which work',
  details: ALONE,
  found: 'one does not, or could not be tried: a copy that is away, a secret that is not at hand',
  examples: ['holdfast keys test', 'holdfast keys test safe --json'],
  input: z.object({ args: z.array(z.string()).max(1, { error: 'name one key, or none for all' }) }),
  run: ({ args: [name] }, context) =>
    withKeys(context, async (keys) => {
      const keyTests = await keys.test(name);
      const good = keyTests.every(({ ok }) => ok);
      return outcome('key tests', { state: 'completed', keyTests }, good ? exitCodes.done : exitCodes.found);
    }),
});

async function change(
  context: Context,
  kind: 'add' | 'remove' | 'rotate',
  name: string,
  work: (keys: HostKeys) => Promise<KeyChangeReport>,
): Promise<Outcome> {
  return withKeys(context, async (keys) => {
    if (context.options.dryRun) {
      return outcome('message', { state: 'completed', dryRun: true, message: await keys.plan(kind, name) });
    }
    const { change: keyChange, message, warnings } = await work(keys);
    return outcome('message', { state: 'completed', message, keyChange, warnings });
  });
}

async function withKeys(context: Context, work: (keys: HostKeys) => Promise<Outcome>): Promise<Outcome> {
  const { HostKeys } = await import('../../host/keys.ts');
  const keys = await HostKeys.open(await context.configuration(), context.logger);
  try {
    return await work(keys);
  } finally {
    await keys.close();
  }
}
