// Compares the facts that were captured with the base backup with the recovered server, which stands at the same instant or at a later one.

import { compareLsn, type Lsn } from '../../domain/lsn.ts';
import type { RecoveryCheck } from '../../domain/run-data.ts';
import { toHoldfastError } from '../../errors/index.ts';
import {
  compareFacts,
  type DatabaseFacts,
  FactsBudget,
  factsCheck,
  notCompared,
  orderIn,
  parseFacts,
  type Restored,
  readFacts,
  type SnapshotFacts,
} from '../facts/index.ts';
import { openSession, type RecoveredServer } from './recovered-session.ts';

export interface FactsToCompare {
  /** As the manifest of the base backup has them. */
  readonly was: unknown;
  /** Of the first base backup of the timeline after the target, if there is one. */
  readonly next?: SnapshotFacts;
  readonly endLsn: Lsn;
  readonly withinMs: number;
}

interface Standing {
  readonly facts: FactsToCompare;
  readonly budget: FactsBudget;
  /** The first transaction number that the recovered server has not seen. */
  readonly nextXid: bigint;
  readonly databases: readonly string[];
}

/** To be asked before anything that takes a transaction number. Never throws for what it finds. */
export async function compareRecoveredFacts(
  server: RecoveredServer,
  facts: FactsToCompare,
  databases: readonly string[],
  signal?: AbortSignal,
): Promise<RecoveryCheck[]> {
  const was = parseFacts(facts.was);
  if (was === undefined) return [notCompared('facts', 'not compared: the snapshot has none')];
  if (was === 'unknown')
    return [notCompared('facts', 'not compared: those of the snapshot are of a version that is not known here')];
  const standing = { facts, budget: new FactsBudget(facts.withinMs), nextXid: await readNextXid(server), databases };
  const checks: RecoveryCheck[] = [];
  for (const database of was.databases) checks.push(await compareDatabase(server, database, standing, signal));
  if (was.missing !== undefined)
    checks.push(notCompared('facts', `not compared: the snapshot lacks ${was.missing.join('; ')}`));
  return checks;
}

async function readNextXid(server: RecoveredServer): Promise<bigint> {
  const session = await openSession(server);
  const sql = 'select pg_snapshot_xmax(pg_current_snapshot())::text as next';
  const [row] = await session.query<{ next: string }>(sql).finally(() => session.close());
  return BigInt(row!.next);
}

async function compareDatabase(
  server: RecoveredServer,
  was: DatabaseFacts,
  { facts, budget, nextXid, databases }: Standing,
  signal?: AbortSignal,
): Promise<RecoveryCheck> {
  if (compareLsn(was.lsn, facts.endLsn) > 0)
    return notCompared(`facts ${was.name}`, `not compared: they are of ${was.moment}, after the target`);
  // Every transaction that had begun had ended, and none has begun since: it is the same instant, whatever the clocks say.
  const isSame = was.oldestXid === was.nextXid && nextXid <= BigInt(was.nextXid);
  const when = isSame ? `nothing was written since ${was.moment}` : `recovered beyond ${was.moment}`;
  if (!databases.includes(was.name)) {
    const name = `facts ${was.name}`;
    const value = `${when}: the database is not there`;
    return isSame
      ? { name, ok: false, value, verdict: 'contradicts' }
      : { name, ok: true, value: `${value} any more, it was dropped since the backup`, verdict: 'moved on' };
  }
  try {
    const session = await openSession(server, was.name);
    try {
      const { facts: is } = await readFacts((sql) => session.query(sql), {
        database: was.name,
        maximum: was.maxima.map(({ column }) => column),
        only: was.tables.filter(({ basis }) => basis === 'counted').map(({ name }) => name),
        ...{ budget, alone: true },
        ...(signal && { signal }),
      });
      const next = nextOf(facts, was.name, nextXid);
      const restored: Restored = { facts: is, relation: isSame ? 'same instant' : 'later', ...(next && { next }) };
      return factsCheck(
        was.name,
        await compareFacts(
          was,
          restored,
          orderIn((sql, values) => session.query(sql, values)),
        ),
        when,
      );
    } finally {
      await session.close();
    }
  } catch (error) {
    if (signal?.aborted) throw error;
    return { name: `facts ${was.name}`, ok: false, value: toHoldfastError(error).message };
  }
}

/** Only where everything that the recovered server shows had ended there: what a backup did not see yet bounds nothing. */
function nextOf({ next, endLsn }: FactsToCompare, database: string, nextXid: bigint): DatabaseFacts | undefined {
  const facts = next?.databases.find(({ name }) => name === database);
  if (facts === undefined || compareLsn(facts.lsn, endLsn) < 0) return undefined;
  return BigInt(facts.oldestXid) >= nextXid ? facts : undefined;
}
