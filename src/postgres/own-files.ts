// Files of ours in the state directory of a host: what a disk that is full, or cannot be written, means.

import { fail, HoldfastError } from '../errors/index.ts';

/** `what` completes "no room for …". Throws `NO_SPACE`, `STORE_UNAVAILABLE`. */
export async function keepInState<T>(what: string, directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT') fail('NO_SPACE', `no room for ${what} in '${directory}'`, { cause });
    return fail('STORE_UNAVAILABLE', `${what} cannot be written to '${directory}': ${message}`, {
      hint: 'look at the disk of the state directory, and at how many files the worker may open',
      cause,
    });
  }
}
