// Work directories of parts that no journal tells of: their run was killed before its first line, or somebody removed the journal.

import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { OpenRestore } from '../domain/component-report.ts';
import { isRunName } from '../domain/ids.ts';
import { holdfastDirectory, journalStates, restorePaths } from '../postgres/recovery/index.ts';
import { isLockHeld } from '../process/index.ts';

/** Those that nobody has changed since `untilMs` (milliseconds since 1970), and nobody is at. */
export async function strayRuns(place: string, untilMs: number): Promise<readonly OpenRestore[]> {
  const names = await readdir(path.join(holdfastDirectory(place), 'runs')).catch(none);
  const strange = names.filter((name) => name.startsWith('part-') && isRunName(name));
  if (strange.length === 0) return [];
  const told = new Set((await journalStates(place)).map(({ run }) => run));
  const found: OpenRestore[] = [];
  for (const run of strange.filter((name) => !told.has(name))) {
    const { work, data, lock } = restorePaths(place, run);
    const seen = await stat(work).catch(none);
    if (!('mtime' in seen) || seen.mtimeMs > untilMs || (await isLockHeld(lock))) continue;
    const since = seen.mtime.toISOString();
    found.push({ run, state: 'left', dataDirectory: data, since, withoutJournal: true });
  }
  return found;
}

function none(error: unknown): readonly string[] {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
  throw error;
}
