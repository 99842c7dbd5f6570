// `sandbox`: real components on this machine to try things with, and their end.

import path from 'node:path';
import { z } from 'zod';
import { exitCodes } from '../../errors/index.ts';
import type { SandboxUp } from '../../sandbox/index.ts';
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
  details: 'Refused for a directory that is none of a sandbox, whatever servers work below it.',
  options: [dirOption],
  examples: ['holdfast sandbox down --dir /tmp/sandbox'],
  input: z.object({ args: noArguments, dir: directory }),
  async run({ dir }, context) {
    const { requireSandbox, sandboxDown } = await import('../../sandbox/index.ts');
    if (context.options.dryRun) {
      await requireSandbox(path.resolve(dir));
      return outcome('message', { state: 'completed', dryRun: true, message: `would stop the sandbox in '${dir}'` });
    }
    const down = await sandboxDown({ dir: path.resolve(dir) });
    const names = down.stopped.map(({ part }) => part).join(', ');
    const message = down.stopped.length === 0 ? 'nothing was running' : `stopped ${names}`;
    return outcome('message', { state: 'completed', message, sandbox: down });
  },
});
