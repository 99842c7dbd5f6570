// `sandbox`: real components on this machine to try things with, and their end.

import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { z } from 'zod';
import { type Configuration, loadConfiguration } from '../../../config/index.ts';
import { shellWord } from '../../domain/shell-word.ts';
import { exitCodes, toHoldfastError } from '../../errors/index.ts';
import type { ServerLeft } from '../../host/servers-left.ts';
import type { DownResult, SandboxUp } from '../../sandbox/index.ts';
import { isThere } from '../../system/index.ts';
import { defineCommand } from '../define.ts';
import { outcome } from '../result.ts';
import { noArguments } from './typed.ts';

const directory = z
  .string({ error: "say where, for example '--dir /srv/sandbox'" })
  .min(1, { error: 'name a directory' });
const dirOption = { flags: '--dir <DIR>', description: 'where everything of the sandbox lives' };

export const sandboxUpCommand = defineCommand({
  path: 'sandbox up',
  arguments: '',
  takes: ['yes', 'dryRun'],
  summary: 'start PostgreSQL, two S3 regions, Temporal with its UI and a worker on loopback',
  details:
    'Writes DIR/holdfast.yaml, the configuration to use with -c, and DIR/sandbox.json, which says where everything is; returns when all is ready. Of a sandbox that is there, also after `sandbox down`, it starts again what is down, with its data and on its ports; what else was settled when it was made stays. Needs the components that `npm run setup` installs.',
  options: [
    dirOption,
    { flags: '--postgres <MAJOR>', description: 'major version of PostgreSQL (else the newest that is set up)' },
    { flags: '--files', description: 'also protect a folder of files, DIR/statements' },
    { flags: '--no-worker', description: 'neither set the vault up nor start a worker' },
  ],
  examples: ['holdfast sandbox up --dir /tmp/sandbox', 'holdfast sandbox up --dir /tmp/sandbox --postgres 15 --json'],
  found: 'PostgreSQL stays down, left to a restore in the middle of exchanging its data',
  input: z.object({
    args: noArguments,
    dir: directory,
    postgres: z.coerce.number({ error: 'expected a major version such as 17' }).int().positive().optional(),
    worker: z.boolean().default(true),
    files: z.boolean().default(false),
  }),
  async run({ dir, postgres, worker, files }, context) {
    const { sandboxUp } = await import('../../sandbox/index.ts');
    if (context.options.dryRun) {
      return outcome('message', { state: 'completed', dryRun: true, message: `would start a sandbox in '${dir}'` });
    }
    const sandbox = await sandboxUp({
      dir: path.resolve(dir),
      worker,
      files,
      ...(postgres === undefined ? {} : { postgres }),
      onProgress: (text) => context.note(text),
    });
    const exit = sandbox.postgresLeftTo === undefined ? exitCodes.done : exitCodes.found;
    return outcome('message', { state: 'completed', message: upWords(sandbox), sandbox }, exit);
  },
});

function upWords({ configuration, pids, postgresLeftTo: run }: SandboxUp): string {
  const use = `use it with: -c ${configuration}`;
  if (run === undefined) return `the sandbox is ready; ${use}`;
  const alone = pids.worker === undefined ? ' --standalone' : '';
  return `up, without postgres: ${run} is in the middle of exchanging its data; \`holdfast show ${run}\` tells whether it goes on, and where it does not, \`holdfast rollback ${run}${alone}\` brings the old data back; ${use}`;
}

export const sandboxDownCommand = defineCommand({
  path: 'sandbox down',
  arguments: '',
  takes: ['yes', 'dryRun'],
  summary: 'stop everything that a sandbox started, and nothing else; its files stay',
  details:
    'Refused for a directory that is none of a sandbox, whatever servers work below it. Servers that restores have left below its directory end with it, those of another sandbox that lies in it do not; one that was left elsewhere goes on, and is named with the command that ends it without Temporal. Its stores are asked for that for 20 s at most.',
  options: [dirOption],
  examples: ['holdfast sandbox down --dir /tmp/sandbox'],
  input: z.object({ args: noArguments, dir: directory }),
  async run({ dir }, context) {
    const { requireSandbox, sandboxDown } = await import('../../sandbox/index.ts');
    if (context.options.dryRun) {
      await requireSandbox(path.resolve(dir));
      return outcome('message', { state: 'completed', dryRun: true, message: `would stop the sandbox in '${dir}'` });
    }
    // Asked as long as its stores answer.
    const left = await leftElsewhere(path.resolve(dir), context.logger);
    const down = { ...(await sandboxDown({ dir: path.resolve(dir) })), ...left };
    return outcome('message', { state: 'completed', message: downWords(down), sandbox: down });
  },
});

interface LeftElsewhere {
  readonly left: readonly (ServerLeft & { readonly stop: string })[];
  readonly notKnown: readonly string[];
}

/** A store that hangs must not keep anybody from taking a sandbox down; local ones answer at once, on a busy machine within seconds. */
const ASKED_MS = 20_000;

/** Servers of its restores outside of its directory: its own are found by their processes. */
async function leftElsewhere(dir: string, logger: Logger): Promise<LeftElsewhere> {
  const tooLate = new AbortController();
  const late = sleep(ASKED_MS, undefined, { signal: tooLate.signal }).then(() => ({
    left: [],
    notKnown: [`its stores gave no answer within ${ASKED_MS / 1000} s`],
  }));
  late.catch(() => undefined);
  return await Promise.race([lookElsewhere(dir, logger), late]).finally(() => tooLate.abort());
}

async function lookElsewhere(dir: string, logger: Logger): Promise<LeftElsewhere> {
  const { readSandbox } = await import('../../sandbox/index.ts');
  const { serversLeft } = await import('../../host/servers-left.ts');
  try {
    const { directory, configuration: file, state } = (await readSandbox(dir)) ?? {};
    if (file === undefined || directory === undefined || !(await isThere(file))) return { left: [], notKnown: [] };
    const { configuration } = await loadConfiguration(file);
    // Once it is down, its regions would be waited for in vain.
    const asked = state === 'stopped' ? withoutBuckets(configuration) : configuration;
    const { servers, notKnown } = await serversLeft(asked, { logger });
    const root = await realOf(directory);
    const places = await Promise.all(servers.map(({ dataDirectory }) => realOf(dataDirectory)));
    const left = servers
      .filter((_, index) => !`${places[index]}/`.startsWith(`${root}/`))
      .map((server) => ({ ...server, stop: `holdfast -c ${shellWord(file)} stop ${server.run} --standalone` }));
    return { left, notKnown };
  } catch (error) {
    return { left: [], notKnown: [toHoldfastError(error).message] };
  }
}

/** As processes are seen to work in it: a link may lead there. */
const realOf = (place: string) => realpath(place).catch(() => place);

function withoutBuckets(configuration: Configuration): Configuration {
  const { vault } = configuration;
  const copies = Object.fromEntries(Object.entries(vault.copies).filter(([, { s3 }]) => s3 === undefined));
  return { ...configuration, vault: { ...vault, copies } };
}

function downWords({ stopped, left, notKnown }: DownResult & LeftElsewhere): string {
  const names = stopped.map(({ part, dataDirectory }) =>
    dataDirectory === undefined ? part : `${part} in ${dataDirectory}`,
  );
  return [
    names.length === 0 ? 'nothing was running' : `stopped ${names.join(', ')}`,
    ...left.map(
      ({ run, component, dataDirectory, stop }) =>
        `the server that ${run} of ${component} left in ${dataDirectory} goes on: \`${stop}\` ends it`,
    ),
    ...notKnown.map((what) => `whether a restore has left a server elsewhere is not known: ${what}`),
  ].join('; ');
}
