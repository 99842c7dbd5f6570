// pgbench at full speed, beside nobody and beside each who takes the log: how many transactions, and how long a commit is only on the server.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lsnValue, parseLsn } from '../../src/domain/lsn.ts';
import { fail } from '../../src/errors/index.ts';
import { as, quoted, shell } from '../lib/command.ts';
import { measure } from '../lib/measure.ts';
import { turnOf } from '../lib/rounds.ts';
import { lagOf, type Probe } from './arrivals.ts';
import type { LogService } from './contender.ts';
import { recovers } from './log.ts';
import type { Load } from './result.ts';
import { caughtUp, quiet, type RoundsSetup, type Running, type Taken } from './rounds.ts';
import { type BenchServer, DATABASE, withClient } from './server.ts';

const LOAD_S = 15;
const CLIENTS = 4;
const JOBS = 2;
const probeEveryMs = 40;

/** A trial need not be long. */
export function loadSeconds(scale: number): number {
  return scale >= 1 ? LOAD_S : 6;
}

/** Nobody takes the log when it resolves. */
export async function loads(
  setup: RoundsSetup,
  round: number,
  all: readonly Running[],
  taken: ReadonlyMap<string, Taken>,
  unburdened: Load[],
): Promise<void> {
  const logging = all.filter((at) => at.log !== undefined && recovers(at));
  for (const { log } of logging) await log?.stop();
  for (const at of turnOf([undefined, ...logging], round)) {
    await at?.log?.start();
    if (at !== undefined) await caughtUp(setup.server, [at]);
    const load = await loadBeside(setup, at?.log);
    await at?.log?.stop();
    const name = at?.contender.name ?? 'nobody';
    const lag = load.lag === undefined ? '' : `, lag p99 ${load.lag.p99S.toFixed(2)} s`;
    setup.say(`load       ${name.padEnd(13)}  ${load.tps.toFixed(0)} TPS${lag}`);
    (at === undefined ? unburdened : taken.get(name)?.loads)?.push(load);
  }
}

async function loadBeside(setup: RoundsSetup, log: LogService | undefined): Promise<Load> {
  const { server, peers, work, scale } = setup;
  await server.query('checkpoint');
  await quiet(setup);
  const folder = path.join(work, 'load');
  await server.giveDirectory(folder);
  const out = path.join(folder, 'pgbench');
  const how = ['--client', String(CLIENTS), '--jobs', String(JOBS), '--protocol=prepared'];
  const pgbench = quoted([server.bin('pgbench'), ...how, '--time', String(loadSeconds(scale)), DATABASE]);
  const command = { argv: as(server.user, shell(`${pgbench} > ${out}`)), cwd: '/', env: server.environment };
  const stop = new AbortController();
  const probing = probe(server, stop.signal);
  const beside = { server: server.pid, ...log?.pids() };
  const measurement = await measure(peers.python.argv[0] as string, command, { beside }).finally(() => stop.abort());
  const probes = await probing;
  const tps = readTps(await readFile(out, 'utf8'));
  const lag = log && lagOf(probes, await log.arrivals());
  // The load of a trial may end before a segment is full.
  if (log !== undefined && lag === undefined && scale >= 1) {
    fail('CHECK_FAILED', 'not one commit became durable in the repository');
  }
  return { tps, measurement, ...(lag && { lag }) };
}

/** A small commit now and then: when its client knew of it, and a position behind it. */
async function probe(server: BenchServer, stop: AbortSignal): Promise<Probe[]> {
  const probes: Probe[] = [];
  await withClient(server.environment, async (client) => {
    while (!stop.aborted) {
      await client.query('insert into probe default values');
      const atMs = performance.timeOrigin + performance.now();
      const { rows } = await client.query<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn');
      probes.push({ lsn: lsnValue(parseLsn(rows[0]?.lsn ?? '')), atMs });
      await sleep(probeEveryMs, undefined, { signal: stop }).catch(() => undefined);
    }
  });
  return probes;
}

/** Of what pgbench prints, without the time of connecting. Throws `CHECK_FAILED` for transactions that failed. */
export function readTps(text: string): number {
  const failed = /number of failed transactions: (\d+)/.exec(text)?.[1] ?? '0';
  const tps = /^tps = ([\d.]+) \(without initial connection time\)/m.exec(text)?.[1];
  if (tps === undefined || failed !== '0') {
    return fail('CHECK_FAILED', `pgbench did not do its work (${failed} transactions failed): ${text.slice(-400)}`);
  }
  return Number(tps);
}
