// The log: a burst of it while it is taken, as much that the server had kept before, and a recovery over it.

import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lsnDistance, lsnValue, parseLsn } from '../../src/domain/lsn.ts';
import { fail } from '../../src/errors/index.ts';
import { as, shell } from '../lib/command.ts';
import { measure } from '../lib/measure.ts';
import { durableAt } from './arrivals.ts';
import type { LogService } from './contender.ts';
import type { Digest } from './digest.ts';
import type { Burst } from './result.ts';
import {
  caughtUp,
  type Doing,
  digestOfSource,
  proveRestored,
  quiet,
  type RoundsSetup,
  type Running,
  type Taken,
} from './rounds.ts';
import type { BenchServer } from './server.ts';

const BURST_BYTES = 1_100_000_000;
const ROWS_AT_ONCE = 20_000;

export function burstBytes(scale: number): number {
  return Math.max(40_000_000, Math.round(BURST_BYTES * scale));
}

/** Of whose log more is asked than what a base backup needs. */
export function recovers({ contender }: Running): boolean {
  return contender.works.includes('recovery');
}

type Logging = Running & { readonly log: LogService };

/** A moment behind which there is log, and what the database held then. */
interface Moment {
  readonly at: string;
  readonly digest: Digest;
}

/** A burst for each who takes the log, alone; then everybody recovers to the end of the first one. */
export async function burstsAndRecovery(
  setup: RoundsSetup,
  all: readonly Running[],
  taken: ReadonlyMap<string, Taken>,
  doing: Doing,
): Promise<void> {
  const logging = all.filter((at): at is Logging => at.log !== undefined && recovers(at));
  for (const at of all) if (!recovers(at)) await at.log?.stop();
  const backlogs = new Map<string, number>();
  const bursts: { readonly name: string; readonly burst: Omit<Burst, 'backlogS'> }[] = [];
  let moment: Moment | undefined;
  for (const [number, at] of logging.entries()) {
    const others = logging.filter((each) => each !== at);
    for (const { log } of others) await log.stop();
    const { burst, endLsn } = await burstFor(setup, at, number);
    bursts.push({ name: at.contender.name, burst });
    moment ??= await momentNow(setup.server);
    for (const other of others) backlogs.set(other.contender.name, await takeKept(setup, other, endLsn));
  }
  for (const { name, burst } of bursts) {
    const backlogS = backlogs.get(name) ?? Number.NaN;
    taken.get(name)?.bursts.push({ ...burst, backlogS });
    const rate = (seconds: number) => `${(burst.bytes / 1e6 / seconds).toFixed(0)} MB/s`;
    setup.say(`burst      ${name.padEnd(13)}  ${rate(burst.wallS)}, kept log ${rate(backlogS)}`);
  }
  if (moment === undefined) return;
  await caughtUp(setup.server, logging);
  for (const at of logging) {
    await doing(at, 'recovery', moment.at);
    await proveRestored(setup.server, at, moment.digest);
  }
}

/** There is a commit behind it at once: whoever looks for the end of a moment finds it there. */
export async function momentNow(server: BenchServer): Promise<Moment> {
  const digest = await digestOfSource(server);
  const format = `'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'`;
  const at = await server.value(`select to_char(clock_timestamp() at time zone 'UTC', ${format})`);
  await sleep(10);
  await server.query('insert into probe default values');
  return { at, digest };
}

async function takeKept({ server }: RoundsSetup, { log }: Logging, endLsn: bigint): Promise<number> {
  await server.query('checkpoint');
  const startedMs = performance.timeOrigin + performance.now();
  await log.start();
  return ((await durableAt(log, endLsn)) - startedMs) / 1000;
}

export async function burstFor(setup: RoundsSetup, at: Logging, number: number) {
  const { server, peers } = setup;
  const { folder, psql } = await prepareBurst(setup, number);
  await server.query('checkpoint');
  await caughtUp(server, [at]);
  await quiet(setup);
  const script = `${psql.join(' ')}; until [ -e ${folder}/durable ]; do sleep 0.02; done`;
  const command = { argv: as(server.user, shell(script)), cwd: '/', env: server.environment };
  const measuring = measure(peers.python.argv[0] as string, command, {
    beside: { server: server.pid, ...at.log.pids() },
  });
  return await Promise.all([measuring, watchBurst(server, at.log, folder)]).then(([measurement, seen]) => ({
    burst: { ...seen.figures, measurement },
    endLsn: seen.endLsn,
  }));
}

async function prepareBurst({ server, work, scale }: RoundsSetup, number: number) {
  const folder = path.join(work, `burst-${number}`);
  // What an earlier round was told there is not what this one is.
  await rm(folder, { recursive: true, force: true });
  await server.giveDirectory(folder);
  await writeFile(`${folder}/burst.sql`, burstSql(folder, `burst_${number}`, burstBytes(scale)));
  const psql = [server.bin('psql'), '-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-f', `${folder}/burst.sql`];
  return { folder, psql };
}

/** As much log as a burst while nobody takes it; gives its end. */
export async function keepBurst(setup: RoundsSetup, number: number): Promise<bigint> {
  const { server } = setup;
  await server.run((await prepareBurst(setup, number)).psql);
  const endLsn = lsnValue(parseLsn(await server.value('select pg_current_wal_flush_lsn()')));
  await server.query('select pg_switch_wal()');
  await server.query('checkpoint');
  return endLsn;
}

/** Batches of rows as somebody loads them, each a transaction, until there is enough log; the server tells where and when it began and ended. */
function burstSql(folder: string, table: string, bytes: number): string {
  const told = "select pg_current_wal_flush_lsn() || ' ' || extract(epoch from clock_timestamp()) * 1000";
  return `\\o ${folder}/begun
${told};
\\o
create table ${table} (like document);
do $$
declare
  began pg_lsn := pg_current_wal_insert_lsn();
  behind bigint := 0;
begin
  loop
    insert into ${table} select * from document where id > behind and id <= behind + ${ROWS_AT_ONCE};
    if found then behind := behind + ${ROWS_AT_ONCE}; else behind := 0; end if;
    commit;
    exit when pg_wal_lsn_diff(pg_current_wal_insert_lsn(), began) >= ${bytes};
  end loop;
end $$;
\\o ${folder}/ended
${told};
`;
}

async function watchBurst(server: BenchServer, log: LogService, folder: string) {
  try {
    const [begun, ended] = [await told(`${folder}/begun`), await told(`${folder}/ended`)];
    // Its unit is a segment: what is in an unfinished one is never taken by whoever takes whole ones.
    await server.query('select pg_switch_wal()');
    const endLsn = lsnValue(ended.lsn);
    const durableMs = await durableAt(log, endLsn);
    const figures = {
      bytes: lsnDistance(begun.lsn, ended.lsn),
      wallS: (durableMs - begun.atMs) / 1000,
      behindS: Math.max(0, durableMs - ended.atMs) / 1000,
    };
    return { figures, endLsn };
  } finally {
    await writeFile(`${folder}/durable`, '');
  }
}

const patienceMs = 600_000;

async function told(file: string) {
  for (const giveUpAt = Date.now() + patienceMs; ; await sleep(10)) {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (text.endsWith('\n')) {
      const [lsn = '', ms] = text.trim().split(' ');
      return { lsn: parseLsn(lsn), atMs: Number(ms) };
    }
    if (Date.now() > giveUpAt) fail('CHECK_FAILED', `the burst did not get to '${file}'`);
  }
}
