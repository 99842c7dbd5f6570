// What is said where Temporal or a worker does not answer, by a command that can do without: that it can.

import { HoldfastError, isHoldfastError } from '../errors/index.ts';

export function orAlone(error: unknown): never {
  if (!isHoldfastError(error, 'TEMPORAL_UNREACHABLE', 'NO_WORKER')) throw error;
  const hint = `${error.hint}; or, on the host of the data, with '--standalone': without Temporal`;
  const details = error.details === undefined ? {} : { details: error.details };
  throw new HoldfastError(error.code, error.message, { hint, cause: error, ...details });
}
