// Takes a logical backup: globals and every chosen database dumped one after the other, each proven whole, stored, and committed last.

import { rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from 'pino';
import type { ComponentId } from '../../domain/component.ts';
import type { Moment } from '../../domain/moment.ts';
import { factsWarnings } from '../../domain/snapshot-words.ts';
import { fail, HoldfastError, isHoldfastError } from '../../errors/index.ts';
import type { LocalFile, SnapshotId, SnapshotOnCopies, SnapshotWriter, Vault } from '../../vault/types.ts';
import { readServerClock } from '../backup/physical-details.ts';
import { withPlain } from '../connection/index.ts';
import {
  chosenIn,
  type DatabaseFacts,
  FactsBudget,
  type FactsChoice,
  noChoice,
  summarizeFacts,
  withMissing,
} from '../facts/index.ts';
import { identify } from '../identity.ts';
import { type FindToolsOptions, findTools, type PostgresTools } from '../tools.ts';
import type { ClusterIdentity, Source } from '../types.ts';
import { clientEnvironment, databaseArgument } from './client-environment.ts';
import { runProgram } from './client-program.ts';
import { dumpDatabase } from './dump-database.ts';
import { type ChosenDatabases, chooseDatabases, type DatabaseChoice } from './list-databases.ts';
import { type Spool, withSpool } from './spool.ts';
import type { DumpedDatabase, LogicalDetails } from './types.ts';

export interface TakeDumpOptions {
  readonly source: Source;
  readonly vault: Vault;
  /** `snapshotId` is chosen by the run: a repeated attempt has the same and finds what an earlier one committed. */
  readonly request: { readonly snapshotId: SnapshotId; readonly component: ComponentId; readonly host: string };
  readonly choice: DatabaseChoice;
  /** Connections that pg_dump opens beside its own for each database. */
  readonly jobs: number;
  /** Directory for the dumps on their way, of this component alone. */
  readonly spoolDirectory: string;
  readonly onProgress?: (words: string) => void;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly tools?: FindToolsOptions;
  /** What is noted of each database; default what there is without a choice. */
  readonly facts?: FactsChoice;
}

/** Retention class, and kind, of what this takes. */
export const LOGICAL = 'logical';
const GLOBALS = 'globals.sql';
/** Rows as text can be larger than what the server keeps of them; the last dump of the database is the better guess. */
const MARGIN = 1.1;

/**
 * Resolves with the committed snapshot. Throws `TOOL_VERSION` and `NO_SPACE` before anything runs, `BACKUP_INVALID` when a dump is not whole,
 * `POLICY_UNMET`, `CANCELLED`, and the `DATABASE_…` errors. Nothing is committed then, and nothing left on the disk.
 */
export async function takeDump(options: TakeDumpOptions): Promise<SnapshotOnCopies> {
  const { source, vault, request, signal } = options;
  const earlier = await vault.completeSnapshot(request.component, request.snapshotId);
  if (earlier !== undefined) return earlier;
  const cluster = await identify(source);
  const tools = await findTools(cluster.major, options.tools);
  const databases = await chooseDatabases(source, cluster.major, options.choice);
  try {
    return await withSpool(options.spoolDirectory, signal, async (spool) => {
      const needed = await neededBytes(options, databases);
      await spool.requireSpace(needed.bytes, `the dump of '${needed.database}'`);
      return await new Dump(options, { cluster, tools, databases, spool }).run();
    });
  } catch (error) {
    throw signal.aborted && !isHoldfastError(error, 'CANCELLED')
      ? new HoldfastError('CANCELLED', 'the dump was cancelled', { cause: error })
      : error;
  }
}

/** One database lies there at a time, so the largest one counts. */
async function neededBytes({ vault, request }: TakeDumpOptions, { chosen }: ChosenDatabases) {
  const snapshots = await vault.listSnapshots(request.component);
  const last = snapshots.find(({ kind }) => kind === LOGICAL)?.engine as LogicalDetails | undefined;
  const guesses = chosen.map(({ name, serverBytes }) => {
    const before = last?.databases.find((known) => known.name === name)?.dumpBytes;
    return { database: name, bytes: Math.ceil((before ?? serverBytes) * MARGIN) };
  });
  return guesses.reduce((largest, guess) => (guess.bytes > largest.bytes ? guess : largest));
}

interface Parts {
  readonly cluster: ClusterIdentity;
  readonly tools: PostgresTools;
  readonly databases: ChosenDatabases;
  readonly spool: Spool;
}

class Dump {
  private readonly options: TakeDumpOptions;
  private readonly parts: Parts;
  private sizeBytes = 0;
  private readonly facts: DatabaseFacts[] = [];
  private readonly lackingFacts: string[] = [];

  constructor(options: TakeDumpOptions, parts: Parts) {
    this.options = options;
    this.parts = parts;
  }

  async run(): Promise<SnapshotOnCopies> {
    const { source, vault, request, signal, logger } = this.options;
    const { snapshotId: id, component, host } = request;
    const from = await readServerClock(source);
    const writer = await vault.writeSnapshot({ id, component, host, kind: LOGICAL, class: LOGICAL, from });
    try {
      const globals = await this.addGlobals(writer);
      const databases = await this.addDatabases(writer);
      const engine = this.details(globals, databases);
      signal.throwIfAborted();
      const snapshot = await writer.commit({ to: latestOf(databases), state: 'clean', engine });
      logger.info({ snapshot: id, copies: snapshot.copies, databases: databases.length }, 'dump committed');
      return snapshot;
    } catch (error) {
      await writer.abandon();
      throw error;
    }
  }

  private details(globals: LogicalDetails['globals'], databases: readonly DumpedDatabase[]): LogicalDetails {
    const { cluster, tools, databases: chosen } = this.parts;
    const { systemId, versionNum, major } = cluster;
    const { leftOut } = chosen;
    const { sizeBytes } = this;
    const facts = withMissing(this.facts, this.lackingFacts);
    const { version: dumpVersion } = tools;
    return { systemId, versionNum, major, dumpVersion, databases, leftOut, globals, sizeBytes, facts };
  }

  private async addGlobals(writer: SnapshotWriter): Promise<LogicalDetails['globals']> {
    const { source, onProgress, signal } = this.options;
    const { tools, spool } = this.parts;
    onProgress?.('dumping roles and tablespaces');
    const passwords = await mayReadPasswords(source);
    const file = path.join(spool.directory, GLOBALS);
    const args = ['--globals-only', '--no-password', ...(passwords ? [] : ['--no-role-passwords'])];
    const client = clientEnvironment(source);
    const { PGDATABASE: database } = client.env;
    const first = database === undefined ? [] : [databaseArgument(database)];
    const { stdout } = await runProgram(tools, 'pg_dumpall', [...args, ...first], { client, signal });
    if (!/^-- PostgreSQL database cluster dump complete$/m.test(stdout)) {
      fail('BACKUP_INVALID', 'the dump of the globals has no end');
    }
    await writeFile(file, stdout, { mode: 0o600 });
    const sizeBytes = Buffer.byteLength(stdout);
    await this.store(writer, [await localFile(file, GLOBALS, sizeBytes)]);
    await rm(file);
    return { path: GLOBALS, passwords, sizeBytes };
  }

  private async addDatabases(writer: SnapshotWriter): Promise<readonly DumpedDatabase[]> {
    const { source, jobs, signal, onProgress } = this.options;
    const { tools, databases, spool } = this.parts;
    const dumped: DumpedDatabase[] = [];
    const choice = this.options.facts ?? noChoice;
    const budget = new FactsBudget(choice.withinMs);
    const own = await databaseOfUrl(source);
    for (const [index, database] of databases.chosen.entries()) {
      const place = `'${database.name}', ${index + 1} of ${databases.chosen.length}`;
      onProgress?.(`dumping ${place}`);
      const directory = path.join(spool.directory, String(database.oid));
      const facts = { maximum: chosenIn(choice, database.name, database.name === own), budget };
      const request = { source, tools, database, jobs, directory, signal, facts };
      const { database: done, files, facts: found, problems } = await dumpDatabase(request);
      if (found !== undefined) this.facts.push(found);
      this.lackingFacts.push(...problems);
      onProgress?.(`storing ${place}`);
      await writer.addDirectory({ path: done.path, mode: 0o700, mtimeSeconds: Math.floor(Date.now() / 1000) });
      const local = files.map(({ name, sizeBytes }) =>
        localFile(path.join(directory, name), path.posix.join(done.path, name), sizeBytes),
      );
      await this.store(writer, await Promise.all(local));
      await rm(directory, { recursive: true });
      dumped.push(done);
    }
    return dumped;
  }

  /** What the vault read is what was proven: nothing may have changed, shrunk or gone in between. */
  private async store(writer: SnapshotWriter, files: readonly LocalFile[]): Promise<void> {
    const sizes = new Map(files.map(({ entry, sizeBytes }) => [entry.path, sizeBytes]));
    let wrong: string | undefined;
    await writer.addLocalFiles(files, (result) => {
      if ('code' in result) wrong ??= `'${result.path}' cannot be read: ${result.code}`;
      else if (result.isTorn || result.sizeBytes !== sizes.get(result.path))
        wrong ??= `'${result.path}' changed after it was dumped`;
      else this.sizeBytes += result.sizeBytes;
    });
    if (wrong !== undefined) fail('BACKUP_INVALID', wrong);
    this.options.signal.throwIfAborted();
  }
}

async function databaseOfUrl(source: Source): Promise<string> {
  const sql = 'select current_database()::text as name';
  const [row] = await withPlain(source, (plain) => plain.query<{ name: string }>('ask which database it is', sql));
  return row!.name;
}

async function mayReadPasswords(source: Source): Promise<boolean> {
  const sql = `select has_table_privilege('pg_catalog.pg_authid', 'select') as may`;
  return await withPlain(source, async (plain) => {
    const [row] = await plain.query<{ may: boolean }>('ask what the role may', sql);
    return row!.may;
  });
}

async function localFile(source: string, name: string, sizeBytes: number): Promise<LocalFile> {
  const { mtimeMs } = await stat(source);
  const entry = { path: name, mode: 0o600, mtimeSeconds: Math.floor(mtimeMs / 1000), chunking: 'content' } as const;
  return { entry, source, sizeBytes };
}

function latestOf(databases: readonly DumpedDatabase[]): Moment {
  return databases
    .map(({ moment }) => moment)
    .sort()
    .at(-1) as Moment;
}

/** What a restore from this snapshot will lack, in words. */
export function dumpWarnings({ engine }: SnapshotOnCopies): readonly string[] {
  const { globals, leftOut, facts } = engine as LogicalDetails;
  const without =
    'roles were dumped without their passwords, because our role may not read pg_authid: after a restore of the globals they have none';
  const out = `left out: ${leftOut.join(', ')} (by the configuration, or because they allow no connections)`;
  return [
    ...(globals.passwords ? [] : [without]),
    ...(leftOut.length === 0 ? [] : [out]),
    ...factsWarnings(summarizeFacts(facts)),
  ];
}
