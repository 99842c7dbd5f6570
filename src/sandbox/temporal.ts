// A real Temporal server with its web UI on loopback.

import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Connection } from '@temporalio/client';
import { searchAttributes } from '../domain/ids.ts';
import { findComponents } from './components.ts';
import { reservePorts } from './ports.ts';
import { type SandboxServer, type ServerOptions, startServer, stopServer } from './server.ts';

export interface TemporalOptions extends ServerOptions {
  /** Keeps its state in `<dir>/temporal.db`; otherwise in memory, which is faster. Default false. */
  readonly persistent?: boolean;
  /** With the web UI; default true. */
  readonly withUi?: boolean;
}

export interface TemporalServer extends SandboxServer {
  readonly address: string;
  /** Base address of the web UI; empty without it. */
  readonly ui: string;
  /** Starts it again on the same ports (and data, where persistent). */
  start(): Promise<void>;
}

/** Starts the server with the namespace `default` and Holdfast's search attributes. Takes about 2 s. */
export async function startTemporal(options: TemporalOptions): Promise<TemporalServer> {
  await mkdir(options.dir, { recursive: true });
  const reservation = await reservePorts(2);
  const server = await serve(options, reservation.ports as [number, number]);
  reservation.release();
  return server;
}

/** One that was started in `dir` and has ended, where it was: persistent, it has what it had. */
export async function startTemporalAgain(
  options: TemporalOptions,
  { address, ui }: Pick<TemporalServer, 'address' | 'ui'>,
): Promise<TemporalServer> {
  const port = (url: string) => Number(new URL(url).port);
  return await serve(options, [port(`http://${address}`), port(ui)]);
}

async function serve(options: TemporalOptions, [port, uiPort]: readonly [number, number]): Promise<TemporalServer> {
  const { temporal } = await findComponents();
  const { dir, withUi = true } = options;
  const logFile = options.logFile ?? path.join(dir, 'server.log');
  const address = `127.0.0.1:${port}`;
  const args = ['server', 'start-dev', '--ip=127.0.0.1', `--port=${port}`, '--log-level=warn'];
  args.push(withUi ? `--ui-port=${uiPort}` : '--headless');
  if (options.persistent) args.push(`--db-filename=${path.join(dir, 'temporal.db')}`);
  for (const [name, type] of Object.entries(searchAttributes)) args.push(`--search-attribute=${name}=${type}`);

  const launch = () =>
    startServer({
      name: 'Temporal',
      command: temporal.path,
      args,
      logFile,
      outlive: options.outlive,
      env: options.env,
      onSpawn: options.onSpawn,
      probe: async () => {
        await answers(address);
        if (withUi) await fetch(`http://127.0.0.1:${uiPort}/`, { signal: AbortSignal.timeout(10_000) });
      },
    });
  let child = await launch();
  return {
    ...{ address, logFile, ui: withUi ? `http://127.0.0.1:${uiPort}` : '' },
    get identity() {
      return child.identity;
    },
    stop: () => stopServer(child.identity, { signal: 'SIGTERM', graceMs: 15_000 }),
    start: async () => {
      child = await launch();
    },
  };
}

/** The frontend listens before namespace and search attributes are there; without them the first workflow fails. */
async function answers(address: string): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: 5_000 });
  try {
    await connection.withDeadline(Date.now() + 5_000, async () => {
      await connection.workflowService.describeNamespace({ namespace: 'default' });
      const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
      const missing = Object.keys(searchAttributes).filter((name) => !(name in (customAttributes ?? {})));
      if (missing.length > 0) throw new Error(`search attributes ${missing.join(', ')} are not registered yet`);
    });
  } finally {
    await connection.close();
  }
}
