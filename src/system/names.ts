// A name in a directory that is open: what leads there cannot be exchanged for something else any more.

import { constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs';
import { pathOfText } from '../domain/path-text.ts';

export interface NameIn {
  /** Handle of the directory. */
  readonly directory: number;
  /** One name, as text (src/domain/path-text.ts). */
  readonly name: string;
}

/** Nothing but the place: no right to read is needed, and neither a pipe nor a device notices (open(2)). */
const O_PATH = 0o10000000;

/** For calls of `node:fs`, in this process alone. */
export function pathIn({ directory, name }: NameIn): string | Buffer {
  return pathOfText(`/proc/self/fd/${directory}/${name}`);
}

/** The entry itself, also when it is a link; undefined when there is none. */
export function lookAt(name: NameIn) {
  return lstatSync(pathIn(name), { bigint: true, throwIfNoEntry: false });
}

/** The entry itself as a place, also when it is a link; the caller closes it. */
export function openPlace(name: NameIn, flags = 0): number {
  return openSync(pathIn(name), O_PATH | constants.O_NOFOLLOW | flags);
}

/** Which mount and which file system an open file or directory is on: two of one text are on the same of both (proc(5), since Linux 3.15). */
export function mountOf(handle: number): string {
  const [, mount] = /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${handle}`, 'utf8')) ?? [];
  if (mount === undefined) throw new Error('the system does not say which mount an open file is on');
  return `${mount} ${fstatSync(handle, { bigint: true }).dev}`;
}
