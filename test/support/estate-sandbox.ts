// A whole sandbox for one test file, driven as a person drives it: through `bin/holdfast`, with a worker that can be killed.

import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import pg from 'pg';
import { type RunningProcess, start, tryRun } from '../../src/process/index.ts';
import { sandboxMark } from '../../src/sandbox/find-processes.ts';
import { holdfastProgram, type Sandbox, sandboxDown, sandboxUp, startWorker } from '../../src/sandbox/index.ts';
import { keepLog } from './keep-log.ts';
import { waitFor } from './wait-for.ts';

// biome-ignore lint/suspicious/noExplicitAny: what a command prints is looked at field by field.
export type Json = any;

export interface Answer {
  readonly exit: number | undefined;
  /** The object on stdout. */
  readonly json: Json;
  readonly stdout: string;
  readonly stderr: string;
}

const finalStates = ['completed', 'failed', 'refused', 'rolled back', 'stuck', 'cancelled'];
const patient = { limitMs: 600_000, pauseMs: 300 };

/** Started at once, brought down and removed after the file. */
export async function estateSandbox(options: { readonly postgres?: number } = {}): Promise<EstateSandbox> {
  // In the directory of the run, which brings it down when this process does not come to it.
  const parent = await mkdtemp(path.join(process.env.HOLDFAST_TEST_RUN ?? os.tmpdir(), 'estate-'));
  await chmod(parent, 0o755);
  const dir = path.join(parent, 'estate');
  after(async () => {
    await sandboxDown({ dir });
    await rm(parent, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  });
  // A test that counts what there is has no use for a backup that comes when the clock strikes six.
  const sandbox = await sandboxUp({ dir, incremental: false, ...options });
  for (const name of ['worker', 'postgres']) await keepLog(path.join(sandbox.logs, `${name}.log`));
  return new EstateSandbox(sandbox);
}

export class EstateSandbox {
  readonly sandbox: Sandbox;
  #worker: number | undefined;

  constructor(sandbox: Sandbox) {
    this.sandbox = sandbox;
    this.#worker = sandbox.pids.worker?.pid;
  }

  /** However it ends is an answer. */
  async holdfast(args: readonly string[], configuration = this.sandbox.configuration): Promise<Answer> {
    const env = { HOLDFAST_CONFIG: configuration };
    const result = await tryRun(holdfastProgram(), [...args, '--json'], { env, deadlineMs: 600_000 });
    const { exitCode: exit, stdout, stderrTail: stderr } = result;
    return { exit, stdout, stderr, json: stdout.trim() === '' ? undefined : JSON.parse(stdout) };
  }

  /** Of a command that answers by itself when the worker takes more than some seconds, as it may on a busy machine: asked until the worker was heard. */
  async heard(...args: string[]): Promise<Answer> {
    return waitFor(
      `the worker to answer \`${args.join(' ')}\``,
      async () => {
        const answer = await this.holdfast(args);
        return answer.json?.temporal?.error === undefined ? answer : undefined;
      },
      patient,
    );
  }

  async done(...args: string[]): Promise<Json> {
    const { exit, json, stdout, stderr } = await this.holdfast(args);
    assert.equal(exit, 0, `${args.join(' ')}: ${stdout}${stderr}`);
    return json;
  }

  /** Starts a run without waiting for it, and gives its id. */
  async detached(...args: string[]): Promise<string> {
    const { run } = await this.done(...args, '--detach', '--yes');
    return run.id;
  }

  /** What a run is when it has ended, whatever its end. */
  async ended(run: string): Promise<Json> {
    return waitFor(
      `the end of ${run}`,
      async () => {
        const { json } = await this.holdfast(['show', run]);
        return finalStates.includes(json?.run?.state) ? json : undefined;
      },
      patient,
    );
  }

  /** What `show` prints of a run, as text. */
  async shown(run: string): Promise<string> {
    return (await this.holdfast(['show', run])).stdout;
  }

  async completed(run: string): Promise<Json> {
    const shown = await this.ended(run);
    assert.equal(shown.run.state, 'completed', JSON.stringify(shown));
    return shown;
  }

  /** The one component of `status`, whatever its exit status. */
  async component(): Promise<Json> {
    const { json } = await this.holdfast(['status']);
    return json?.components?.[0];
  }

  async query(sql: string, url = this.sandbox.postgres.url): Promise<Record<string, string>[]> {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 30_000 });
    client.on('error', () => undefined);
    await client.connect();
    return client
      .query(sql)
      .then(({ rows }) => rows as Record<string, string>[])
      .finally(() => client.end());
  }

  async value(sql: string, url?: string): Promise<string> {
    const [row] = await this.query(sql, url);
    return String(Object.values(row ?? {})[0]);
  }

  /** Now, by the clock of the server. */
  moment(): Promise<string> {
    return this.value(`select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`);
  }

  async pgbench(...args: string[]): Promise<RunningProcess> {
    const { bindir, url } = this.sandbox.postgres;
    const { password, port } = new URL(url);
    const env = { PGHOST: '127.0.0.1', PGPORT: port, PGUSER: 'postgres', PGPASSWORD: password };
    const child = await start(path.join(bindir, 'pgbench'), [...args, 'postgres'], { env, cwd: '/' });
    child.stdout?.resume();
    child.stdin?.end();
    return child;
  }

  /** As a power cut would end it: the whole group, at once. */
  async killWorker(): Promise<void> {
    assert.ok(this.#worker);
    process.kill(-this.#worker, 'SIGKILL');
    await this.workerGone();
  }

  /** Gives its process id; `stopAt` gives it a signal at a line of a journal (test/support/stop-at-journal-line.ts). */
  async startWorker(configuration = this.sandbox.configuration, stopAt?: string): Promise<number> {
    const { directory, temporal, logs } = this.sandbox;
    const preload = path.join(import.meta.dirname, 'stop-at-journal-line.ts');
    const stopping = stopAt && { STOP_AT_JOURNAL_LINE: stopAt, NODE_OPTIONS: `--import=${preload}` };
    const worker = await startWorker({
      ...{ configuration, address: temporal.address, logFile: path.join(logs, 'worker.log'), outlive: true },
      env: { ...sandboxMark(directory, 'worker'), ...(stopping || {}) },
    });
    this.#worker = worker.pid;
    return worker.pid;
  }

  /** One that has no way to Temporal by its configuration: nothing says when it is ready. */
  async startWorkerApart(configuration: string): Promise<void> {
    const { directory, logs } = this.sandbox;
    const worker = await start(holdfastProgram(), ['worker', '-c', configuration], {
      ...{ logFile: path.join(logs, 'worker.log'), outlive: true },
      env: { HOLDFAST_LOG_LEVEL: 'info', ...sandboxMark(directory, 'worker') },
    });
    this.#worker = worker.pid;
  }

  /** Resolves when the process is gone, whoever ended it. */
  async workerGone(): Promise<void> {
    const pid = this.#worker;
    assert.ok(pid);
    await waitFor(
      'the worker to be gone',
      async () => {
        const { stdout } = await tryRun('ps', ['-o', 'stat=', '-p', String(pid)]);
        return stdout.trim() === '' || stdout.startsWith('Z');
      },
      patient,
    );
    this.#worker = undefined;
  }
}
