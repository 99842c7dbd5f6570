// A small bank that keeps running: transfers between accounts in PostgreSQL, each written into a ledger outside the database as well.

import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

export interface Transfer {
  readonly id: number;
  readonly from: number;
  readonly to: number;
  readonly cents: number;
}

/** A transfer as the ledger knows it; times are microseconds since 1970 by the server's and by our own clock (one machine). */
export interface LedgerLine extends Transfer {
  /** Server clock inside the transaction, before its commit. */
  readonly begunMicros?: number;
  /** Our clock after the server said that it was committed. */
  readonly acknowledgedMicros?: number;
}

export interface BankOptions {
  readonly url: string;
  /** One JSON object a line, appended as transfers begin and are acknowledged. */
  readonly ledgerPath: string;
  readonly accounts?: number;
  readonly clients?: number;
  /** Pause of one client between two transfers, in milliseconds. */
  readonly pauseMs?: number;
}

export const openingCents = 100_000;

/** Our clock in microseconds, rounded up to the next millisecond: an acknowledgement is never dated before it came. */
export const nowMicros = () => (Date.now() + 1) * 1000;

/** Rows of tables that this role may read are counted with each backup, and compared after a restore. */
export const countingRight = 'grant pg_read_all_data to holdfast';

/** Makes the bank's tables: accounts with an opening balance, and the transfers between them. */
export async function openBank(url: string, accounts = 500): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`
      create schema bank;
      create table bank.accounts (id int primary key, cents bigint not null);
      create table bank.transfers (id bigint primary key, source int not null references bank.accounts,
        target int not null references bank.accounts, cents bigint not null check (cents > 0));
      insert into bank.accounts select id, ${openingCents} from generate_series(1, ${accounts}) as id;
      ${countingRight};`);
  } finally {
    await client.end();
  }
}

export class Bank {
  readonly #options: Required<BankOptions>;
  readonly #ledger = new Map<number, LedgerLine>();
  readonly #stop = new AbortController();
  #clients: Promise<void>[] = [];
  #nextId = 1;
  #acknowledged = 0;

  constructor(options: BankOptions) {
    this.#options = { accounts: 500, clients: 4, pauseMs: 15, ...options };
  }

  /** Every transfer that was ever begun. */
  get ledger(): ReadonlyMap<number, LedgerLine> {
    return this.#ledger;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  start(): void {
    this.#clients = Array.from({ length: this.#options.clients }, () => this.#serve());
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#clients);
  }

  /** One teller: reconnects for as long as the bank is open, because databases go away and come back. */
  async #serve(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const client = new pg.Client({ connectionString: this.#options.url, connectionTimeoutMillis: 5_000 });
      // Without a listener a connection that is cut between two queries would end the process.
      client.on('error', () => undefined);
      try {
        await client.connect();
        while (!this.#stop.signal.aborted) {
          await this.#transfer(client);
          await sleep(this.#options.pauseMs);
        }
      } catch {
        await sleep(250);
      } finally {
        await client.end().catch(() => undefined);
      }
    }
  }

  async #transfer(client: pg.Client): Promise<void> {
    const transfer = this.#draw();
    const { id, from, to, cents } = transfer;
    this.#write(transfer);
    await client.query('begin');
    await client.query('update bank.accounts set cents = cents - $2 where id = $1', [
      Math.min(from, to),
      from < to ? cents : -cents,
    ]);
    await client.query('update bank.accounts set cents = cents + $2 where id = $1', [
      Math.max(from, to),
      from < to ? cents : -cents,
    ]);
    const clock = await client.query<{ micros: string }>(
      `insert into bank.transfers values ($1, $2, $3, $4)
       returning (extract(epoch from clock_timestamp()) * 1000000)::bigint as micros`,
      [id, from, to, cents],
    );
    const begunMicros = Number(clock.rows[0]?.micros);
    this.#write({ ...transfer, begunMicros });
    await client.query('commit');
    this.#write({ ...transfer, begunMicros, acknowledgedMicros: nowMicros() });
    this.#acknowledged += 1;
  }

  #draw(): Transfer {
    const pick = () => 1 + Math.floor(Math.random() * this.#options.accounts);
    const from = pick();
    let to = pick();
    while (to === from) to = pick();
    return { id: this.#nextId++, from, to, cents: 1 + Math.floor(Math.random() * 500) };
  }

  #write(line: LedgerLine): void {
    this.#ledger.set(line.id, line);
    appendFileSync(this.#options.ledgerPath, `${JSON.stringify(line)}\n`);
  }
}
