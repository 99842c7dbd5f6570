// A file of this host, opened to be read: whatever took its place since it was seen, no link is followed.

import { constants, openSync } from 'node:fs';
import { pathOfText } from '../../domain/path-text.ts';
import { openStraight } from '../../system/index.ts';
import type { LocalSource } from '../types.ts';

/** Nobody waits for the other end of a pipe. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The caller closes it. Throws as `node:fs` does. */
export function openSource(source: LocalSource): number {
  if (typeof source === 'string') return openSync(source, FLAGS);
  if (source instanceof Uint8Array) return openSync(Buffer.from(source), FLAGS);
  return openStraight(pathOfText(source.straight), FLAGS);
}
