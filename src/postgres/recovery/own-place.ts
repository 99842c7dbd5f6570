// Whether a directory can get another name, or only what is in it: a mount point and a link stay where they are.

import { lstatSync, readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';

/**
 * Everything of Holdfast inside a directory that cannot be renamed. Servers leave it alone, and no base backup takes what begins with
 * `pgsql_tmp` along (PostgreSQL manual, "Streaming Replication Protocol", BASE_BACKUP): any other name would be copied with all the old data in it.
 */
export const insideName = 'pgsql_tmp.holdfast';

/** What stays in a mount point when everything else in it is exchanged. */
const staying = new Set([insideName, 'lost+found']);

export const isExchanged = (name: string) => !staying.has(name);

/** A link, a mount point (of the same file system too), or the root of a volume of its own. Not one that is absent or leads nowhere. */
export function staysInPlace(directory: string): boolean {
  const there = lstatSync(directory, { throwIfNoEntry: false });
  if (there === undefined) return false;
  if (there.isSymbolicLink()) return statSync(directory, { throwIfNoEntry: false }) !== undefined;
  if (!there.isDirectory()) return false;
  return there.dev !== statSync(path.dirname(directory)).dev || mountPoints().includes(realpathSync(directory));
}

/** The first mount point below a directory. */
export function mountedBelow(directory: string): string | undefined {
  const real = realpathSync(directory);
  return mountPoints().find((point) => point.startsWith(`${real}/`));
}

/** As this process sees them (proc(5), `mountinfo`); none where the system does not tell. */
function mountPoints(): readonly string[] {
  let text: string;
  try {
    text = readFileSync('/proc/self/mountinfo', 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const points = text.split('\n').map((line) => line.split(' ')[4] ?? '');
  return points.map((point) =>
    point.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8))),
  );
}
