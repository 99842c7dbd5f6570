// Fills a database of a passing name from a dump that lies on this host, and compares what is there with the dump's own files.

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fail, type HoldfastError } from '../../../errors/index.ts';
import { withPlain } from '../../connection/index.ts';
import type { PostgresTools } from '../../tools.ts';
import type { Source } from '../../types.ts';
import { isLargeObjects, restorePasses, type TocEntry } from '../archive-toc.ts';
import { clientEnvironment, databaseArgument, inDatabase, inOwnTablespace } from '../client-environment.ts';
import { runProgram } from '../client-program.ts';
import { type Placing, placingOn } from '../spread.ts';
import type { DumpedDatabase } from '../types.ts';
import { type ComparedRows, compareRows, countLargeObjects } from './compare-rows.ts';
import { makeDatabase } from './target-database.ts';

export interface DumpAtHand {
  readonly target: Source;
  /** Of the major of the server that it goes into. */
  readonly tools: PostgresTools;
  readonly database: DumpedDatabase;
  /** In the directory format. */
  readonly dump: string;
  readonly jobs: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (words: string) => void;
}

export interface Filling {
  readonly passing: string;
  /** What is compared. */
  readonly entries: readonly TocEntry[];
  /** Default: what is compared. */
  readonly loaded?: readonly TocEntry[];
}

/** Throws `RECOVERY_MISMATCH` when the rows are not those of the dump, and what pg_restore complains of. An attempt drops what the one before has left. */
export async function fillPassing(
  at: DumpAtHand,
  { passing, entries, loaded = entries }: Filling,
): Promise<ComparedRows> {
  const { target, tools, database, dump, jobs, signal, onProgress } = at;
  const made = { major: tools.major, placing: await placingAt(at) };
  const options = spaceOptions(made.placing);
  await makeDatabase(target, passing, database, made);
  onProgress?.(`loading ${entries.length} entries of the dump`);
  try {
    await restoreInPasses(at, passing, loaded, { jobs, options });
  } catch (error) {
    // The jobs of pg_restore take locks in no common order: what two of them cannot do at once, one after the other can.
    if (jobs === 1 || !/deadlock detected/.test(JSON.stringify((error as Partial<HoldfastError>).details ?? {})))
      throw error;
    onProgress?.('loading once more by one job: two of them waited for each other');
    await makeDatabase(target, passing, database, made);
    await restoreInPasses(at, passing, loaded, { jobs: 1, options });
  }
  onProgress?.('counting rows');
  const compared = await compareRows(inDatabase(target, passing), dump, entries, signal);
  if (entries.some(isLargeObjects)) await requireLargeObjects(target, passing, database);
  signal.throwIfAborted();
  return compared;
}

/** Where a copy of the dumped database goes on the server. */
export async function placingAt({ target, database }: Pick<DumpAtHand, 'target' | 'database'>): Promise<Placing> {
  return await withPlain(target, (plain) => placingOn(plain, database.spread));
}

/** One that the server lacks would end it; without any, everything is in the database's own. */
export function spaceOptions({ apart }: Placing): readonly string[] {
  return apart.length === 0 ? ['--no-tablespaces'] : [];
}

/** A right that was given by a role which has it from another one cannot come before that: several jobs would not know. */
async function restoreInPasses(
  at: DumpAtHand,
  passing: string,
  loaded: readonly TocEntry[],
  { jobs, options }: { readonly jobs: number; readonly options: readonly string[] },
): Promise<void> {
  for (const [pass, some] of Object.entries(restorePasses(loaded))) {
    if (some.length === 0) continue;
    const list = await listFile(path.dirname(at.dump), `${pass}.list`, some);
    await pgRestore(at, passing, [`--jobs=${pass === 'rights' ? 1 : jobs}`, ...options], list);
  }
}

export async function pgRestore(
  { target, tools, dump, signal }: Pick<DumpAtHand, 'target' | 'tools' | 'dump' | 'signal'>,
  database: string,
  args: readonly string[],
  list: string,
): Promise<void> {
  const use = `--use-list=${list}`;
  const options = ['--exit-on-error', '--no-password', ...args, use, databaseArgument(database), dump];
  await runProgram(tools, 'pg_restore', options, { client: inOwnTablespace(clientEnvironment(target)), signal });
}

export async function listFile(directory: string, name: string, entries: readonly TocEntry[]): Promise<string> {
  const file = path.join(directory, name);
  await writeFile(file, `${entries.map(({ line }) => line).join('\n')}\n`, { mode: 0o600 });
  return file;
}

async function requireLargeObjects(target: Source, passing: string, { largeObjects }: DumpedDatabase): Promise<void> {
  const found = await countLargeObjects(inDatabase(target, passing));
  if (found === largeObjects) return;
  fail('RECOVERY_MISMATCH', `${found} large objects are there after the load, the dump has ${largeObjects}`);
}
