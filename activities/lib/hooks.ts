// The commands of a component around what is done: one before, which must succeed, and one after, which always runs when the first was begun.

import type { Logger } from 'pino';
import type { HookSettings } from '../../config/index.ts';
import { HoldfastError, toHoldfastError } from '../../src/errors/index.ts';
import { run } from '../../src/process/index.ts';
import type { ActivityProgress } from './activity-runner.ts';

interface Surroundings {
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly report: (progress: ActivityProgress) => void;
}

/** Throws what `work` throws; what the command after it says is told only when the work went well. */
export async function withHooks<T>(
  hooks: HookSettings | undefined,
  surroundings: Surroundings,
  work: () => Promise<T>,
): Promise<T> {
  const { before, after, withinSeconds = 0 } = hooks ?? {};
  const { signal, logger } = surroundings;
  const call = async (name: string, words: readonly string[] | undefined, until?: AbortSignal) => {
    const [command, ...args] = words ?? [];
    if (command === undefined) return;
    surroundings.report({ note: `running the hook '${name}': ${command}` });
    try {
      await run(command, args, { deadlineMs: withinSeconds * 1000, ...(until && { signal: until }) });
    } catch (error) {
      const { code, message, hint } = toHoldfastError(error);
      throw new HoldfastError(code, `the hook '${name}' failed: ${message}`, { hint, cause: error });
    }
  };
  const end = () => call('after', after);
  let result: T;
  try {
    await call('before', before, signal);
    result = await work();
  } catch (error) {
    // The first failure is the one that is told.
    await end().catch((second: unknown) => logger.warn({ code: toHoldfastError(second).code }, String(second)));
    throw error;
  }
  await end();
  return result;
}
