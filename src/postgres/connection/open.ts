// Opens plain and replication connections from a source's url, with our own deadlines, and never lets the url out.

import type { Duplex } from 'node:stream';
import pg from 'pg';
import { fail, HoldfastError } from '../../errors/index.ts';
import { type Answer, readAnswer, type TextRow } from '../protocol/result.ts';
import { Wire } from '../protocol/wire.ts';
import type { Source } from '../types.ts';
import { databaseError, type ErrorContext } from './database-error.ts';
import { ReadMemory } from './read-memory.ts';

export interface ConnectionDeadlines {
  /** Log-in included; default 15 s. */
  readonly connectMs?: number;
  /** One statement; default 60 s. */
  readonly statementMs?: number;
}

export interface PlainOptions extends ConnectionDeadlines {
  /** Once aborted, the socket is destroyed: what is asked ends with `CANCELLED` at once, however long the server would take, and nothing is sent any more. */
  readonly signal?: AbortSignal;
}

const CONNECT_MS = 15_000;
const STATEMENT_MS = 60_000;
const KEEP_ALIVE_MS = 10_000;

/** An ordinary session, for questions. */
export interface PlainConnection {
  readonly context: ErrorContext;
  /** Values as `pg` gives them; `doing` completes "cannot … at server" in errors. `limitMs`: a shorter limit than the session's. */
  query<Row extends pg.QueryResultRow>(
    doing: string,
    sql: string,
    values?: readonly unknown[],
    limitMs?: number,
  ): Promise<Row[]>;
  close(): Promise<void>;
}

/** A session of the replication protocol; the messages are ours to read after a `copy` answer. */
export interface ReplicationConnection {
  readonly context: ErrorContext;
  readonly wire: Wire;
  /** Runs one command. `silenceMs`: how long the server may say nothing; default the statement's deadline. */
  command(doing: string, sql: string, silenceMs?: number): Promise<Answer>;
  /** Rows of the first set of a command that only answers. */
  rows(doing: string, sql: string): Promise<readonly TextRow[]>;
  /** Any error of this session as one of the catalogue. */
  explain(error: unknown, doing: string): HoldfastError;
  close(): void;
}

export async function openPlain(source: Source, options: PlainOptions = {}): Promise<PlainConnection> {
  const { statementMs = STATEMENT_MS, signal } = options;
  requireWanted(signal);
  const { client, context } = await connect(source, options, {
    statement_timeout: statementMs,
    // The server's own timeout answers first; this one is for a server that answers no more.
    query_timeout: statementMs + 5_000,
  });
  const onAbort = () => socketOf(client).destroy();
  signal?.addEventListener('abort', onAbort, { once: true });
  return {
    context,
    query: async (doing, sql, values, limitMs) => {
      requireWanted(signal);
      const limit = limitMs === undefined ? {} : { query_timeout: limitMs };
      try {
        return (await client.query({ text: sql, ...(values && { values: [...values] }), ...limit })).rows;
      } catch (error) {
        requireWanted(signal);
        throw databaseError(error, doing, context);
      }
    },
    close: async () => {
      signal?.removeEventListener('abort', onAbort);
      await endWithin(client, 5_000);
    },
  };
}

function requireWanted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) fail('CANCELLED', 'the session was ended by us');
}

/** Runs `work` with a plain connection that is closed afterwards. */
export async function withPlain<T>(
  source: Source,
  work: (connection: PlainConnection) => Promise<T>,
  options: PlainOptions = {},
): Promise<T> {
  const connection = await openPlain(source, options);
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

/** `slot`: also the name that the server knows the session by, as `synchronous_standby_names` lists it. */
export async function openReplication(
  source: Source,
  deadlines: ConnectionDeadlines & { readonly slot?: string } = {},
): Promise<ReplicationConnection> {
  const name = deadlines.slot === undefined ? {} : { application_name: deadlines.slot };
  const memory = new ReadMemory();
  const opened = await connect(source, deadlines, { replication: 'true', stream: () => memory.socket(), ...name });
  const context = deadlines.slot === undefined ? opened.context : { ...opened.context, slot: deadlines.slot };
  const socket = takeSocket(opened.client);
  const wire = new Wire(socket, (chunk) => memory.giveBack(chunk));
  const explain = (error: unknown, doing: string) => databaseError(error, doing, context);
  const command = async (doing: string, sql: string, silenceMs = deadlines.statementMs ?? STATEMENT_MS) => {
    try {
      wire.query(sql);
      return await readAnswer(wire, silenceMs);
    } catch (error) {
      throw explain(error, doing);
    }
  };
  return {
    context,
    wire,
    command,
    explain,
    rows: async (doing, sql) => (await command(doing, sql)).sets[0]?.rows ?? [],
    close: () => void wire.broken(new HoldfastError('CANCELLED', 'the connection was closed by us')),
  };
}

/** From here on the messages are read by us: the library's reader copies them and cannot pause between two. */
function takeSocket(client: pg.Client): Duplex {
  const stream = socketOf(client);
  stream.removeAllListeners('data');
  return stream;
}

function socketOf(client: pg.Client): Duplex {
  return (client as unknown as { connection: { stream: Duplex } }).connection.stream;
}

async function connect(
  source: Source,
  { connectMs = CONNECT_MS }: ConnectionDeadlines,
  extra: Readonly<Record<string, unknown>>,
): Promise<{ client: pg.Client; context: ErrorContext }> {
  const client = makeClient(source, connectMs, extra);
  const context = contextOf(client);
  // Errors between two questions end the session; the next question tells.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return { client, context };
  } catch (error) {
    await endWithin(client, 1_000);
    throw databaseError(error, 'connect', context);
  }
}

function makeClient(
  { url, component, database }: Source,
  connectMs: number,
  extra: Readonly<Record<string, unknown>>,
): pg.Client {
  try {
    if (!/^postgres(ql)?:\/\//.test(url)) throw new Error('not a url');
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: connectMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
      application_name: 'holdfast',
      ...extra,
    });
    if (database !== undefined) {
      const parameters = (client as unknown as { connectionParameters: { database: string } }).connectionParameters;
      client.database = database;
      parameters.database = database;
    }
    return client;
  } catch {
    // The cause would show the url.
    return fail('SECRET_UNRESOLVED', `the url of '${component}' is not the url of a PostgreSQL database`, {
      hint: 'expected postgresql://role:password@host:port/database',
    });
  }
}

function contextOf(client: pg.Client): ErrorContext {
  return {
    server: `${client.host}:${client.port}/${client.database ?? ''}`,
    role: client.user ?? '',
    password: typeof client.password === 'string' ? client.password : '',
  };
}

async function endWithin(client: pg.Client, limitMs: number): Promise<void> {
  const timer = setTimeout(() => socketOf(client).destroy(), limitMs);
  await client.end().catch(() => undefined);
  clearTimeout(timer);
}
