// Sessions of a restore of a table: on production, proved to be the planned cluster first, and on a database that is ours alone.

import { fail } from '../../../errors/index.ts';
import { type PlainConnection, withPlain } from '../../connection/index.ts';
import type { Source } from '../../types.ts';
import { speakAlike } from './row-sum.ts';

/** Reading and comparing all of a large table is one statement. */
const STATEMENT_MS = 12 * 60 * 60_000;

export interface ClusterSeen {
  readonly systemId: string;
  readonly timeline: number;
  readonly major: number;
}

/** Asked in ways that any role may use. Throws `TARGET_UNFIT` for a standby. */
export async function clusterOf(plain: PlainConnection): Promise<ClusterSeen> {
  const sql = `select (select system_identifier::text from pg_control_system()) as "systemId", pg_is_in_recovery() as standby,
    current_setting('server_version_num')::int / 10000 as major`;
  const [row] = await plain.query<{ systemId: string; standby: boolean; major: number }>('ask who it is', sql);
  if (row?.standby !== false) {
    return fail('TARGET_UNFIT', 'the server is a standby: nothing can be written into it', {
      hint: 'does the configured url lead to the primary?',
    });
  }
  const [at] = await plain.query<{ file: string }>(
    'ask for its timeline',
    'select pg_walfile_name(pg_current_wal_lsn()) as file',
  );
  return { systemId: row.systemId, major: row.major, timeline: Number.parseInt(at?.file.slice(0, 8) ?? '', 16) };
}

/** Throws `DATABASE_IDENTITY` when another cluster answers, or the same one on another timeline: nobody has decided about that one. */
export async function proveCluster(plain: PlainConnection, expected: ClusterSeen): Promise<void> {
  const { systemId, timeline } = await clusterOf(plain);
  if (systemId !== expected.systemId) {
    fail(
      'DATABASE_IDENTITY',
      `the server at ${plain.context.server} is cluster ${systemId}, expected ${expected.systemId}`,
    );
  }
  if (timeline === expected.timeline) return;
  fail(
    'DATABASE_IDENTITY',
    `the server at ${plain.context.server} is on timeline ${timeline}, planned was ${expected.timeline}`,
    {
      hint: 'it was restored or promoted meanwhile: plan again; nothing was touched',
    },
  );
}

/** Every session that writes into production begins here. */
export async function onProduction<T>(
  target: Source,
  expected: ClusterSeen,
  work: (plain: PlainConnection) => Promise<T>,
): Promise<T> {
  const prove = async (plain: PlainConnection) => {
    await proveCluster(plain, expected);
    return await work(plain);
  };
  return await comparing(target, prove);
}

/** On whatever server: values become text in one way. */
export async function comparing<T>(source: Source, work: (plain: PlainConnection) => Promise<T>): Promise<T> {
  const speak = async (plain: PlainConnection) => {
    await speakAlike(plain);
    // The locks of a session that nobody hears any more go within seconds, not when its statement ends.
    await plain.query('watch the connection', "set client_connection_check_interval = '5s'");
    // Whoever holds a table for long is named, not waited for.
    await plain.query('bound the wait', "set lock_timeout = '10s'");
    return await work(plain);
  };
  return await withPlain(source, speak, { statementMs: STATEMENT_MS });
}

/** All or nothing. `check` is asked right before it ends: whoever lost the right to the step meanwhile leaves nothing. */
export async function inTransaction<T>(
  plain: PlainConnection,
  work: () => Promise<T>,
  check?: () => Promise<void>,
): Promise<T> {
  await plain.query('begin', 'begin');
  try {
    const result = await work();
    await check?.();
    await plain.query('commit', 'commit');
    return result;
  } catch (error) {
    await plain.query('roll back', 'rollback').catch(() => undefined);
    throw error;
  }
}
