// The audit of the recovered bank: which transfers must, may and must not be there at a moment, and whether every balance follows from them.

import pg from 'pg';
import { type LedgerLine, openingCents } from './bank.ts';

export interface Audit {
  readonly ok: boolean;
  /** Transfers found in the recovered database. */
  readonly transfers: number;
  /** Acknowledged to a client before the moment: all of them must be there. */
  readonly owed: number;
  readonly lost: readonly number[];
  /** Begun after the moment: none of them may be there. */
  readonly later: number;
  readonly tooMany: readonly number[];
  /** Accounts compared with the ledger, and those whose balance differs. */
  readonly accounts: number;
  readonly wrongBalances: readonly number[];
}

/**
 * Compares the database behind `url` with the ledger as it stood at `momentMicros` (microseconds since 1970). Business since the recovered
 * server was started is not held against it: it only counts for the balances.
 */
export async function audit(
  url: string,
  ledger: ReadonlyMap<number, LedgerLine>,
  momentMicros: number,
): Promise<Audit> {
  const { present, balances, startedMicros } = await readBank(url);
  const lines = [...ledger.values()];
  const owed = lines.filter((line) => line.acknowledgedMicros !== undefined && line.acknowledgedMicros < momentMicros);
  const later = lines.filter(({ begunMicros }) => isBetween(begunMicros, momentMicros, startedMicros));
  const lost = owed.filter((line) => !present.has(line.id)).map((line) => line.id);
  const laterIds = new Set(later.map((line) => line.id));
  const tooMany = [...present].filter((id) => laterIds.has(id) || !ledger.has(id));
  const wrongBalances = compareBalances(balances, ledger, present);
  const differences = lost.length + tooMany.length + wrongBalances.length;
  return {
    // An audit that compared nothing has shown nothing.
    ok: differences === 0 && owed.length > 0 && later.length > 0 && balances.size > 0,
    transfers: present.size,
    owed: owed.length,
    lost,
    later: later.length,
    tooMany,
    accounts: balances.size,
    wrongBalances,
  };
}

function isBetween(micros: number | undefined, after: number, before: number): boolean {
  return micros !== undefined && micros > after && micros < before;
}

interface Books {
  readonly present: ReadonlySet<number>;
  readonly balances: ReadonlyMap<number, number>;
  readonly startedMicros: number;
}

/** One consistent look, because the bank is open again. */
async function readBank(url: string): Promise<Books> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    await client.query('begin isolation level repeatable read read only');
    const transfers = await client.query<{ id: string }>('select id from bank.transfers');
    const accounts = await client.query<{ id: number; cents: string }>('select id, cents from bank.accounts');
    const started = await client.query<{ micros: string }>(
      'select (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint as micros',
    );
    return {
      present: new Set(transfers.rows.map((row) => Number(row.id))),
      balances: new Map(accounts.rows.map((row) => [row.id, Number(row.cents)])),
      startedMicros: Number(started.rows[0]?.micros),
    };
  } finally {
    await client.end();
  }
}

function compareBalances(
  balances: ReadonlyMap<number, number>,
  ledger: ReadonlyMap<number, LedgerLine>,
  present: ReadonlySet<number>,
): number[] {
  const expected = new Map([...balances.keys()].map((id) => [id, openingCents]));
  for (const id of present) {
    const line = ledger.get(id);
    if (line === undefined) continue;
    expected.set(line.from, (expected.get(line.from) ?? Number.NaN) - line.cents);
    expected.set(line.to, (expected.get(line.to) ?? Number.NaN) + line.cents);
  }
  return [...balances].filter(([id, cents]) => expected.get(id) !== cents).map(([id]) => id);
}
