// The log lines of Temporal's own machinery, in the log of the worker and in its form.

import type { Logger as TemporalLogger } from '@temporalio/worker';
import type { Logger } from 'pino';

/** Levels by Temporal's names; what it calls information is for whoever develops it. */
const levels = { TRACE: 'trace', DEBUG: 'trace', INFO: 'debug', WARN: 'warn', ERROR: 'error' } as const;

export function temporalLogger(logger: Logger): TemporalLogger {
  const own = logger.child({ part: 'temporal' });
  const log = (level: keyof typeof levels) => (message: string, meta?: object) =>
    own[levels[level]](meta ?? {}, message);
  return {
    log: (level, message, meta) => log(level)(message, meta),
    trace: log('TRACE'),
    debug: log('DEBUG'),
    info: log('INFO'),
    warn: log('WARN'),
    error: log('ERROR'),
  };
}
