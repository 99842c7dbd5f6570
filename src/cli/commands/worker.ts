// `worker`: does the work of one host until it is told to stop; the first signal ends it in order, the second at once.

import { pino } from 'pino';
import { z } from 'zod';
import { defineCommand } from '../define.ts';
import { outcome } from '../result.ts';
import { noArguments } from './typed.ts';

export const worker = defineCommand({
  path: 'worker',
  arguments: '',
  takes: [],
  summary: 'do the work of this host: ship the log, back up, recover; runs until it is told to stop',
  details:
    'Logs JSON lines on stderr (level: HOLDFAST_LOG_LEVEL, default info). The log of the databases is shipped also while Temporal cannot be reached. The first SIGINT or SIGTERM lets running steps end or be taken over, the second leaves at once; nothing is lost either way.',
  options: [
    { flags: '--host <NAME>', description: 'which of the configured hosts this is (else the only one, or its name)' },
  ],
  examples: ['holdfast worker', 'holdfast -c /etc/holdfast/holdfast.yaml worker --host db1'],
  input: z.object({ args: noArguments, host: z.string().optional() }),
  async run({ host: named }, context) {
    const { configuration, warnings } = await context.loaded();
    const { thisHost } = await import('../../host/this-host.ts');
    const { runWorker } = await import('../../temporal/worker.ts');
    const host = thisHost(configuration, named);
    const level = process.env.HOLDFAST_LOG_LEVEL ?? 'info';
    const logger = pino({ level, base: { estate: configuration.name } }, context.io.stderr);
    for (const warning of warnings) logger.warn(warning);
    const stop = new AbortController();
    const force = new AbortController();
    const release = context.io.onInterrupt(() => {
      if (stop.signal.aborted) force.abort();
      logger.warn(
        force.signal.aborted ? 'leaving at once' : 'stopping: running steps end first; again to leave at once',
      );
      stop.abort();
    });
    try {
      await runWorker({ configuration, hosts: [host], logger, signal: stop.signal, force: force.signal });
    } finally {
      release();
    }
    // What a second signal left behind must not keep the process.
    if (force.signal.aborted) process.exit(1);
    return outcome('message', { state: 'completed', message: `the worker of '${host}' has stopped` });
  },
});
