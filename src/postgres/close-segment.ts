// Ends a segment of the log now, so that all before it is closed and goes to the copies: the position up to which everything must be there.

import { type Lsn, parseLsn } from '../domain/lsn.ts';
import type { Moment } from '../domain/moment.ts';
import { fail } from '../errors/index.ts';
import { type PlainConnection, quoteIdentifier, withPlain } from './connection/index.ts';
import type { Source } from './types.ts';

export interface LogPoint {
  /** Everything before it was written when `moment` was read. */
  readonly lsn: Lsn;
  /** The server's clock. */
  readonly moment: Moment;
  readonly way: 'segment switch' | 'restore point';
}

interface Rights extends Record<string, unknown> {
  readonly role: string;
  readonly standby: boolean;
  readonly may_switch: boolean;
  readonly may_name: boolean;
}

const rightsSql = `select current_user::text as role, pg_is_in_recovery() as standby,
  has_function_privilege('pg_switch_wal()', 'execute') as may_switch,
  has_function_privilege('pg_create_restore_point(text)', 'execute') as may_name`;

/** End of the closed segment. Throws `DATABASE_PRIVILEGE`, and `DATABASE_SETTING` for a standby. */
export async function closeSegment(source: Source): Promise<Lsn> {
  return withPlain(source, async (connection) => {
    const rights = await readRights(connection);
    return rights.may_switch ? await switchSegment(connection) : mayNot(rights);
  });
}

/** A segment is closed, or where the role may not, a restore point of this name is written. Throws as `closeSegment` does. */
export async function makePoint(source: Source, name: string): Promise<LogPoint> {
  return withPlain(source, async (connection) => {
    const rights = await readRights(connection);
    if (!rights.may_switch && !rights.may_name) return mayNot(rights);
    const clock = `to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
    const [now] = await connection.query<{ now: Moment }>('read its clock', `select ${clock} as now`);
    const moment = now?.now as Moment;
    if (rights.may_switch) return { lsn: await switchSegment(connection), moment, way: 'segment switch' };
    const sql = 'select pg_create_restore_point($1)::text as lsn';
    const [row] = await connection.query<{ lsn: string }>('write a restore point', sql, [name]);
    return { lsn: parseLsn(row?.lsn ?? ''), moment, way: 'restore point' };
  });
}

async function readRights(connection: PlainConnection): Promise<Rights> {
  const [rights] = await connection.query<Rights>('ask whether it may switch the log', rightsSql);
  if (rights?.standby) fail('DATABASE_SETTING', 'a standby cannot close a segment', { hint: 'check the primary' });
  return rights ?? fail('INTERNAL', 'the server does not say what the role may do');
}

/** An idle server would not switch, so something small is written first. */
async function switchSegment(connection: PlainConnection): Promise<Lsn> {
  await connection.query('write to the log', "select pg_logical_emit_message(false, 'holdfast', 'check')");
  const [row] = await connection.query<{ lsn: string }>('close a segment', 'select pg_switch_wal()::text as lsn');
  return parseLsn(row?.lsn ?? '');
}

function mayNot({ role: name }: Rights): never {
  const role = quoteIdentifier(name);
  return fail('DATABASE_PRIVILEGE', `role ${role} may not close a segment of the log`, {
    hint: `run: GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() TO ${role};`,
  });
}
