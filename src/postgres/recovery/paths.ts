// Where everything of a restore lives: beside the data directory, or in it where that is a mount point, so that every move is a rename.

import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { insideName, staysInPlace } from './own-place.ts';

/** In a recovered directory until it is confirmed: tells it from the one it replaces, which is the same cluster. */
export const markerFile = 'holdfast-restore.json';

export interface RestorePaths {
  /** `<data>.holdfast`, or `pgsql_tmp.holdfast` in a data directory that is a mount point or a link. */
  readonly root: string;
  readonly lock: string;
  readonly journal: string;
  /** `runs/<run>` in it. */
  readonly work: string;
  readonly plan: string;
  readonly data: string;
  readonly spool: string;
  /** Settings of the recovered server, made by us. */
  readonly quarantine: string;
  /** Settings files of the snapshot, put aside until the recovered server is promoted. */
  readonly aside: string;
  readonly log: string;
  readonly socket: string;
}

/** Everything of Holdfast for a directory: beside it, or inside one that cannot be renamed; always on the same file system. */
export function holdfastDirectory(dataDirectory: string): string {
  const directory = path.resolve(dataDirectory);
  return staysInPlace(directory) ? path.join(realpathSync(directory), insideName) : `${directory}.holdfast`;
}

/** Where a moment is recovered to that is only looked into for a while: on the file system that is made for such data. */
export function cloneDirectory(dataDirectory: string): string {
  return `${dataDirectory}.clone`;
}

/** Where production's old data is kept until a person confirms. */
export function keptDirectory(dataDirectory: string, stamp: string): string {
  return staysInPlace(dataDirectory)
    ? path.join(holdfastDirectory(dataDirectory), `before-${stamp}`)
    : `${dataDirectory}.before-${stamp}`;
}

export function restorePaths(dataDirectory: string, run: string): RestorePaths {
  const root = holdfastDirectory(dataDirectory);
  const work = path.join(root, 'runs', run);
  return {
    root,
    lock: path.join(root, 'lock'),
    journal: path.join(root, 'journal', `${run}.jsonl`),
    work,
    plan: path.join(work, 'plan.json'),
    data: path.join(work, 'data'),
    spool: path.join(work, 'spool'),
    quarantine: path.join(work, 'quarantine'),
    aside: path.join(work, 'aside'),
    log: path.join(work, 'quarantine', 'server.log'),
    socket: socketDirectory(work),
  };
}

/** A socket's path has at most 107 bytes on Linux (unix(7)); where the work directory is too deep, a short private one stands in. */
const socketPathBytes = 107;

function socketDirectory(work: string): string {
  const near = path.join(work, 'socket');
  if (Buffer.byteLength(`${near}/.s.PGSQL.65535.lock`) <= socketPathBytes) return near;
  return path.join(os.tmpdir(), `holdfast-${createHash('sha256').update(work).digest('hex').slice(0, 16)}`);
}
