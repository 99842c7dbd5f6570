// pgbench as the rest of the bank: steady load beside the transfers, and its own books that must agree.

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type RunningProcess, run, start } from '../../process/index.ts';

export interface LoadOptions {
  readonly url: string;
  readonly bindir: string;
  readonly logFile: string;
  /** pgbench's scale: 100,000 accounts and about 15 MB each; default 10. */
  readonly scale?: number;
  readonly transactionsPerSecond?: number;
}

export class Load {
  readonly #options: Required<LoadOptions>;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: LoadOptions) {
    this.#options = { scale: 10, transactionsPerSecond: 150, ...options };
  }

  async prepare(): Promise<void> {
    const { scale } = this.#options;
    await run(this.#program, ['-i', '-q', '-s', String(scale)], { env: this.#env, deadlineMs: 300_000 });
  }

  /** pgbench ends when the server goes away; it is started again until `stop`. */
  start(): void {
    this.#running = this.#keepRunning();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Whether pgbench's four books agree, and hold something. */
  async agrees(): Promise<boolean> {
    const client = new pg.Client({ connectionString: this.#options.url });
    await client.connect();
    try {
      const sums = await client.query<{ sums: string[]; n: string }>(
        `select array[(select sum(abalance) from pgbench_accounts), (select sum(bbalance) from pgbench_branches),
           (select sum(tbalance) from pgbench_tellers), (select sum(delta) from pgbench_history)]::text[] as sums,
           (select count(*) from pgbench_history) as n`,
      );
      const row = sums.rows[0];
      return row !== undefined && Number(row.n) > 0 && new Set(row.sums).size === 1;
    } finally {
      await client.end();
    }
  }

  get #program(): string {
    return path.join(this.#options.bindir, 'pgbench');
  }

  get #env(): Record<string, string> {
    const url = new URL(this.#options.url);
    return {
      PGHOST: url.hostname,
      PGPORT: url.port,
      PGUSER: decodeURIComponent(url.username),
      PGPASSWORD: decodeURIComponent(url.password),
      PGDATABASE: url.pathname.slice(1),
    };
  }

  async #keepRunning(): Promise<void> {
    const { transactionsPerSecond, logFile } = this.#options;
    const args = ['-n', '-c', '4', '-j', '1', '-T', '86400', '-R', String(transactionsPerSecond)];
    while (!this.#stop.signal.aborted) {
      const child: RunningProcess = await start(this.#program, args, {
        env: this.#env,
        logFile,
        signal: this.#stop.signal,
      });
      await child.finished;
      if (!this.#stop.signal.aborted) await sleep(300);
    }
  }
}
