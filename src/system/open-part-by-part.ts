// A path on which no part may be a link, gone by its parts: for kernels that cannot do it in one call.

import { closeSync, constants, lstatSync, openSync } from 'node:fs';

const O_PATH = 0o10000000;
const SLASH = 0x2f;

/** Absolute. Throws as `node:fs` does, `ELOOP` where a part is a symbolic link; the caller closes it. */
export function openPartByPart(path: string | Uint8Array, flags: number): number {
  const parts = partsOf(Buffer.from(path as string));
  const last = parts.pop() ?? Buffer.from('.');
  let directory = openSync('/', O_PATH | constants.O_DIRECTORY);
  try {
    for (const part of parts) {
      const parent = directory;
      directory = opened(parent, part, O_PATH | constants.O_DIRECTORY);
      closeSync(parent);
    }
    return opened(directory, last, flags);
  } finally {
    closeSync(directory);
  }
}

function opened(directory: number, part: Buffer, flags: number): number {
  const place = Buffer.concat([Buffer.from(`/proc/self/fd/${directory}/`), part]);
  try {
    return openSync(place, flags | constants.O_NOFOLLOW);
  } catch (error) {
    // Asked for a directory, the system says of a link that it is none.
    if (!lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink()) throw error;
    throw Object.assign(new Error('ELOOP: a part of the path is a symbolic link', { cause: error }), {
      code: 'ELOOP',
      syscall: 'open',
    });
  }
}

function partsOf(path: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let from = 0; from < path.length; ) {
    const end = path.indexOf(SLASH, from);
    const to = end < 0 ? path.length : end;
    if (to > from) parts.push(path.subarray(from, to));
    from = to + 1;
  }
  return parts;
}
