// The roots of all indexes of a recovered server as a check of each database.

import type { RecoveryCheck } from '../../domain/run-data.ts';
import { toHoldfastError } from '../../errors/index.ts';
import { readIndexRoots } from './index-roots.ts';
import { openSession, type RecoveredServer } from './recovered-session.ts';

/** Of all databases together: with very many indexes the rest is told as not read. */
const WITHIN_MS = 2 * 60_000;
const MOST_NAMED = 10;

/** Never throws for what it finds. */
export async function checkIndexRoots(
  server: RecoveredServer,
  databases: readonly string[],
): Promise<readonly RecoveryCheck[]> {
  const untilMs = performance.now() + WITHIN_MS;
  const ofAll = (check: Omit<RecoveryCheck, 'name'>) =>
    databases.map((database) => ({ name: nameOf(database), ...check }));
  try {
    // What was replayed is on the disk only after a checkpoint, which a server that goes on recovering makes when its primary's log says so.
    if (!(await writeOut(server))) {
      const value = 'read of B-trees alone, with their tables: the server stays in recovery';
      return ofAll({ ok: true, value, notDone: true });
    }
  } catch (error) {
    return ofAll({ ok: false, value: toHoldfastError(error).message });
  }
  const checks: RecoveryCheck[] = [];
  for (const database of databases) checks.push(await checkDatabase(server, database, untilMs));
  return checks;
}

const nameOf = (database: string) => `index roots ${database}`;

async function writeOut(server: RecoveredServer): Promise<boolean> {
  const session = await openSession(server);
  try {
    const [row] = await session.query<{ recovering: boolean }>('select pg_is_in_recovery() as recovering');
    if (row?.recovering !== false) return false;
    await session.query('checkpoint');
    return true;
  } finally {
    await session.close();
  }
}

async function checkDatabase(server: RecoveredServer, database: string, untilMs: number): Promise<RecoveryCheck> {
  const name = nameOf(database);
  try {
    const session = await openSession(server, database);
    try {
      const { indexes, read, notBuilt, wrong } = await readIndexRoots(session, untilMs);
      if (wrong.length > 0) return { name, ok: false, value: some(wrong) };
      const left = notBuilt === 0 ? '' : `; ${notBuilt} are invalid, as they were: a concurrent build did not end`;
      if (read === indexes) return { name, ok: true, value: `${indexes} indexes can be searched${left}` };
      const value = `${read} of ${indexes} indexes can be searched; for the rest the time was over${left}`;
      return { name, ok: true, value, notDone: true };
    } finally {
      await session.close();
    }
  } catch (error) {
    return { name, ok: false, value: toHoldfastError(error).message };
  }
}

function some(words: readonly string[]): string {
  const more = words.length - MOST_NAMED;
  return [...words.slice(0, MOST_NAMED), ...(more > 0 ? [`${more} more`] : [])].join('; ');
}
