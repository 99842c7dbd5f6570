// Sessions on a recovered server: through its private socket, as its own superuser, with nothing of the source loaded into them.

import pg from 'pg';
import { fail, HoldfastError } from '../../errors/index.ts';
import { ifAbsent } from './durable-files.ts';

export interface RecoveredServer {
  readonly socketDirectory: string;
  readonly port: number;
  /** Roles to try, best first. */
  readonly roles: readonly string[];
}

export interface RecoveredSession {
  readonly role: string;
  query<Row extends pg.QueryResultRow>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

const connectMs = 15_000;
/** Of a server that is not there yet, or was killed a moment ago and has not let go of its socket. */
const noAnswer: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE']);
const defaultStatementMs = 10 * 60_000;
/** What a role or database asks to have loaded stays out; the session's own options win over both. */
const harmlessSession =
  '-c session_preload_libraries= -c local_preload_libraries= -c default_transaction_read_only=off';
/** Only a superuser may set the first of them; any other role is asked for nothing but the superuser's name. */
const leastSession = '-c local_preload_libraries= -c default_transaction_read_only=off';

/**
 * Opens a session as the superuser that initialised the cluster, whatever its name. Throws `RECOVERY_FAILED` when the server
 * does not let us in; `undefined` from `tryOpenSession` while it is not ready.
 */
export async function openSession(
  server: RecoveredServer,
  database = 'postgres',
  statementMs = defaultStatementMs,
): Promise<RecoveredSession> {
  const session = await tryOpenSession(server, database, statementMs);
  return session ?? fail('RECOVERY_FAILED', 'the recovered server does not accept connections');
}

export async function tryOpenSession(
  server: RecoveredServer,
  database = 'postgres',
  statementMs = defaultStatementMs,
): Promise<RecoveredSession | undefined> {
  for (const role of server.roles) {
    const client = await connect(server, role, database, statementMs);
    if (client === 'not ready') return undefined;
    if (client === 'no such role') continue;
    const superuser = (await client.query('select rolname from pg_roles where oid = 10')).rows[0]?.rolname as string;
    if (superuser === role) return sessionOf(client, role);
    await client.end();
    const own = await connect(server, superuser, database, statementMs);
    if (typeof own === 'string')
      fail('RECOVERY_FAILED', `the superuser '${superuser}' of the recovered server may not log in`);
    return sessionOf(own, superuser);
  }
  return fail('RECOVERY_FAILED', `the recovered server knows none of the roles ${server.roles.join(', ')}`);
}

async function connect(
  { socketDirectory, port }: RecoveredServer,
  user: string,
  database: string,
  statementMs: number,
  options = harmlessSession,
): Promise<pg.Client | 'not ready' | 'no such role'> {
  const client = new pg.Client({
    host: socketDirectory,
    port,
    user,
    database,
    connectionTimeoutMillis: connectMs,
    statement_timeout: statementMs,
    query_timeout: statementMs + 10_000,
    application_name: 'holdfast',
    options,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    const { code, message } = error as Error & { code?: string };
    if (code === '28000') return 'no such role';
    if (code === '42501' && options === harmlessSession) {
      return connect({ socketDirectory, port, roles: [] }, user, database, statementMs, leastSession);
    }
    if (code === '57P03' || isNotThere(error) || noAnswer.has(code ?? '') || /timeout|terminated/i.test(message))
      return 'not ready';
    throw new HoldfastError('RECOVERY_FAILED', `the recovered server refuses a session in '${database}': ${message}`, {
      cause: error,
    });
  }
}

function isNotThere(error: unknown): boolean {
  try {
    return ifAbsent(true)(error);
  } catch {
    return false;
  }
}

function sessionOf(client: pg.Client, role: string): RecoveredSession {
  return {
    role,
    query: async (sql, values) => {
      try {
        return (await client.query(sql, values === undefined ? undefined : [...values])).rows;
      } catch (error) {
        const { message } = error as Error;
        throw new HoldfastError('RECOVERY_FAILED', `the recovered server answered: ${message}`, { cause: error });
      }
    },
    close: async () => {
      await client.end().catch(() => undefined);
    },
  };
}
