// Where everything of a restore lives: beside the data directory, on the same file system, so that every move is a rename.

import { createHash } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';

/** In a recovered directory until it is confirmed: tells it from the one it replaces, which is the same cluster. */
export const markerFile = 'holdfast-restore.json';

export interface RestorePaths {
  /** `<data>.holdfast`: everything of Holdfast beside this data directory. */
  readonly root: string;
  readonly lock: string;
  readonly journal: string;
  /** `<data>.holdfast/runs/<run>` */
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

export function holdfastDirectory(dataDirectory: string): string {
  return `${path.resolve(dataDirectory)}.holdfast`;
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
