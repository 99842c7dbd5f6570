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

/** Compares the database behind `url` with the ledger as it stood at `momentMicros` (microseconds since 1970). */
export async function audit(
  url: string,
  ledger: ReadonlyMap<number, LedgerLine>,
  momentMicros: number,
): Promise<Audit> {
  const { present, balances } = await readBank(url);
  const lines = [...ledger.values()];
  const owed = lines.filter((line) => line.acknowledgedMicros !== undefined && line.acknowledgedMicros < momentMicros);
  const later = lines.filter((line) => line.begunMicros !== undefined && line.begunMicros > momentMicros);
  const lost = owed.filter((line) => !present.has(line.id)).map((line) => line.id);
  const laterIds = new Set(later.map((line) => line.id));
  const tooMany = [...present].filter((id) => laterIds.has(id) || !ledger.has(id));
  const wrongBalances = compareBalances(balances, ledger, present);
  return {
    // An audit that compared nothing has shown nothing.
    ok:
      lost.length + tooMany.length + wrongBalances.length === 0 &&
      owed.length > 0 &&
      later.length > 0 &&
      balances.size > 0,
    transfers: present.size,
    owed: owed.length,
    lost,
    later: later.length,
    tooMany,
    accounts: balances.size,
    wrongBalances,
  };
}

async function readBank(url: string): Promise<{ present: Set<number>; balances: Map<number, number> }> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    const transfers = await client.query<{ id: string }>('select id from bank.transfers');
    const accounts = await client.query<{ id: number; cents: string }>('select id, cents from bank.accounts');
    return {
      present: new Set(transfers.rows.map((row) => Number(row.id))),
      balances: new Map(accounts.rows.map((row) => [row.id, Number(row.cents)])),
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
