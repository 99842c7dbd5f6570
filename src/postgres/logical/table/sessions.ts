// Sessions of a restore of a table: on production, proved to be the planned cluster first, and on a database that is ours alone.

import { setTimeout as sleep } from 'node:timers/promises';
import { fail } from '../../../errors/index.ts';
import { type PlainConnection, type PlainOptions, withPlain } from '../../connection/index.ts';
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

/** Every session that writes into production begins here. An abort of `signal` ends it at once. */
export async function onProduction<T>(
  target: Source,
  expected: ClusterSeen,
  work: (plain: PlainConnection) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const prove = async (plain: PlainConnection) => {
    await proveCluster(plain, expected);
    return await work(plain);
  };
  return await comparing(target, prove, signal);
}

/** On whatever server: values become text in one way. */
export async function comparing<T>(
  source: Source,
  work: (plain: PlainConnection) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const speak = async (plain: PlainConnection) => {
    await speakAlike(plain);
    // The locks of a session that nobody hears any more go within seconds, not when its statement ends.
    await plain.query('watch the connection', "set client_connection_check_interval = '5s'");
    // Whoever holds a table for long is named, not waited for.
    await plain.query('bound the wait', "set lock_timeout = '10s'");
    return await work(plain);
  };
  const options: PlainOptions = { statementMs: STATEMENT_MS, ...(signal && { signal }) };
  return await withPlain(source, speak, options);
}

/** How long the session of an earlier attempt is waited for after it was told to end: one that commits is not stopped any more. */
const ENDING = { tries: 150, pauseMs: 200 } as const;
/** Of a run, in the database of the session. */
const KEY = 'hashtextextended($1, 0)';
const holdersSql = `select pg_terminate_backend(pid) as told from pg_locks where locktype = 'advisory' and granted and objsubid = 1
  and database = (select oid from pg_database where datname = current_database()) and pid <> pg_backend_pid()
  and ((classid::int8 << 32) | objid::int8) = ${KEY}`;

/**
 * Makes this the only session of the run that places anything: one of an earlier attempt, which nobody hears any more, is ended and waited for. After it
 * whatever that one did is either committed and seen, or never will be. `check` throws for whoever is the earlier attempt itself. Throws `LOCKED`.
 */
export async function beOnlySession(plain: PlainConnection, run: string, check?: () => Promise<void>): Promise<void> {
  const key = [`holdfast ${run}`];
  for (let attempt = 1; attempt <= ENDING.tries; attempt += 1) {
    await check?.();
    const [row] = await plain.query<{ held: boolean }>(
      'hold the run',
      `select pg_try_advisory_lock(${KEY}) as held`,
      key,
    );
    if (row?.held === true) return;
    await plain.query('end the session of an earlier attempt', holdersSql, key);
    await sleep(ENDING.pauseMs);
  }
  fail('LOCKED', `a session of an earlier attempt of ${run} does not end at ${plain.context.server}`, {
    hint: "see it: SELECT pid, state, wait_event, query FROM pg_stat_activity WHERE application_name = 'holdfast'",
  });
}

/**
 * Work that ends with a commit, which nobody leaves in doubt: when it is aborted, the server's session is ended by another one, and `found` looks
 * whether it had committed. Then it is done, and what it did is the answer; else the abort is. What cannot be found out now is found by the next attempt.
 */
export async function untilKnown<T>(
  at: { readonly target: Source; readonly expected: ClusterSeen; readonly signal: AbortSignal },
  work: (plain: PlainConnection) => Promise<T>,
  found: (plain: PlainConnection) => Promise<T | undefined>,
): Promise<T> {
  const { target, expected, signal } = at;
  try {
    return await onProduction(target, expected, work, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    const done = await onProduction(target, expected, found);
    if (done === undefined) throw error;
    return done;
  }
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
