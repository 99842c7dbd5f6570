// One round: each piece of work by every contender in turn, so that what changes on the machine meanwhile meets them all.

import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { lsnValue, parseLsn } from '../../src/domain/lsn.ts';
import { run } from '../../src/process/index.ts';
import { as } from '../lib/command.ts';
import type { Peers } from '../lib/peers.ts';
import { settle } from '../lib/quiet.ts';
import type { Taken as TakenWorks } from '../lib/taken.ts';
import { sizeOfTree } from '../lib/trees.ts';
import { durableAt } from './arrivals.ts';
import type { Contender, LogService, Place, Restored, Work } from './contender.ts';
import { type Digest, digestOf, requireSameDigest } from './digest.ts';
import type { Burst, Load } from './result.ts';
import { type BenchServer, DATABASE, withClient } from './server.ts';

export interface RoundsSetup {
  readonly server: BenchServer;
  readonly peers: Peers;
  readonly contenders: readonly Contender[];
  readonly work: string;
  readonly scale: number;
  /** Of the database. */
  readonly sizeBytes: number;
  readonly say: (text: string) => void;
}

/** One contender in one round. */
export interface Running {
  readonly contender: Contender;
  readonly place: Place;
  readonly log: LogService | undefined;
}

/** What one contender's rounds gave. */
export interface Taken {
  readonly works: TakenWorks<Work>;
  readonly bursts: Burst[];
  readonly loads: Load[];
}

/** Does one command of one contender, measured or otherwise looked at; servers that it started run when it resolves. */
export type Doing = (at: Running, work: Work, moment?: string) => Promise<void>;

const TRANSACTIONS = 20_000;
const CLIENTS = 2;

export function transactionsOf(scale: number): number {
  return Math.max(200, Math.round((TRANSACTIONS * scale) / CLIENTS) * CLIENTS);
}

/** Repositories are made, and everybody takes the log, while `work` runs; what was started ends with it however that ends. */
export async function inRepositories(
  setup: RoundsSetup,
  name: string,
  work: (all: readonly Running[]) => Promise<void>,
): Promise<void> {
  const all: Running[] = [];
  try {
    await begin(setup, name, all);
    await work(all);
  } finally {
    // Of a round that failed the reason is told, not what follows from it.
    await Promise.allSettled(all.map(async ({ log }) => await log?.stop()));
  }
  await end(setup, name, all);
}

async function begin(setup: RoundsSetup, name: string, all: Running[]): Promise<void> {
  for (const contender of setup.contenders) {
    const folder = path.join(setup.work, name, contender.name);
    const of = (part: string) => path.join(folder, part);
    const place = { repository: of('repository'), home: of('home'), target: of('target') };
    await mkdir(folder, { recursive: true });
    await contender.prepare(place);
    all.push({ contender, place, log: contender.log?.(place) });
  }
  for (const { log } of all) await log?.start();
  await caughtUp(setup.server, all);
}

async function end({ server, work }: RoundsSetup, name: string, all: readonly Running[]): Promise<void> {
  for (const { contender } of all) await contender.leave?.();
  await rm(path.join(work, name), { recursive: true });
  await dropBursts(server);
}

/** Everybody who takes the log has all that there is. */
export async function caughtUp(server: BenchServer, all: readonly Running[]): Promise<void> {
  // Something to wait for: an unused segment is not closed.
  await server.query("select pg_logical_emit_message(true, 'bench', '')");
  const lsn = lsnValue(parseLsn(await server.value('select pg_current_wal_flush_lsn()')));
  await server.query('select pg_switch_wal()');
  for (const { log } of all) if (log !== undefined) await durableAt(log, lsn);
}

/** Backups, restores of the last one, and a look at all that is stored. */
export async function backUpAndRestore(setup: RoundsSetup, all: readonly Running[], doing: Doing): Promise<void> {
  const each = async (work: Work, after?: (at: Running) => Promise<unknown>) => {
    for (const at of all.filter(({ contender }) => contender.works.includes(work))) {
      await doing(at, work);
      await after?.(at);
    }
  };
  await each('full');
  if (setup.server.major >= 17) {
    await changeDatabase(setup);
    await caughtUp(setup.server, all);
    await each('incremental');
  }
  const expected = await digestOfSource(setup.server);
  await each('restore', (at) => proveRestored(setup.server, at, expected));
  await each('verify');
  await each('decrypt');
}

/** A fixed number of pgbench's transactions. */
async function changeDatabase({ server, scale, say }: RoundsSetup): Promise<void> {
  const transactions = transactionsOf(scale);
  say(`${transactions} transactions`);
  const each = ['--transactions', String(transactions / CLIENTS), '--client', String(CLIENTS)];
  const how = ['--no-vacuum', '--protocol=prepared', '--random-seed=1', '--jobs', String(CLIENTS)];
  await server.run([server.bin('pgbench'), ...each, ...how, DATABASE]);
}

export async function digestOfSource(server: BenchServer): Promise<Digest> {
  return await withClient(server.environment, digestOf);
}

/** Asks the restored server for every row, then ends it and removes what was restored. Throws `CHECK_FAILED`. */
export async function proveRestored(server: BenchServer, at: Running, expected: Digest): Promise<Restored> {
  const { contender, place } = at;
  const restored = await contender.restored(place);
  try {
    await withClient(restored.environment, async (client) => {
      requireSameDigest(expected, await digestOf(client), contender.name);
      // It is no server that answers if it takes nothing.
      await client.query('create table answered ()');
    });
  } finally {
    await stopRestored(server, restored);
  }
  // Its socket may be elsewhere: a path that is too long is none.
  await rm(restored.environment.PGHOST as string, { recursive: true, force: true });
  await rm(place.target, { recursive: true, force: true });
  await server.giveDirectory(place.target);
  return restored;
}

/** Ends it with no word more than needed: nobody reads it again. */
export async function stopRestored(server: BenchServer, { dataDirectory }: Restored): Promise<void> {
  const words = [server.bin('pg_ctl'), '-D', dataDirectory, '-m', 'immediate', '-w', '-t', '120', 'stop'];
  const [program, ...args] = as(server.user, words);
  await run(program as string, args, { cwd: '/' });
}

export async function storedIn({ place }: Running): Promise<number> {
  return await sizeOfTree(place.repository);
}

/** The same start for everybody. */
export async function quiet({ peers, sizeBytes }: RoundsSetup): Promise<void> {
  await settle(peers.python.argv[0] as string, sizeBytes);
}

async function dropBursts(server: BenchServer): Promise<void> {
  const rows = await server.query("select tablename as name from pg_tables where tablename like 'burst\\_%'");
  for (const { name } of rows) await server.query(`drop table ${name}`);
}
