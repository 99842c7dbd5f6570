// Asks the server at production's own address whether it is the cluster and timeline that a swap has put there.

import { type ErrorCode, fail, type HoldfastError, isHoldfastError } from '../../errors/index.ts';
import { quoteIdentifier, withPlain } from '../connection/index.ts';
import type { Source } from '../types.ts';

const sql = `
  select (select system_identifier::text from pg_control_system()) as "systemId", pg_is_in_recovery() as recovering,
         case when not pg_is_in_recovery() then pg_walfile_name(pg_current_wal_lsn()) end as segment`;

interface Answer extends Record<string, unknown> {
  readonly systemId: string;
  readonly recovering: boolean;
  readonly segment: string | null;
}

/**
 * Roles, passwords and databases are of the data's moment: a server that refuses our login is no reason to undo a restore that was
 * proved already. It becomes a warning with the statement that mends it. Throws `DATABASE_IDENTITY` when another server answers
 * there, and what a connection throws that finds nobody.
 */
export async function verifyProduction(
  source: Source,
  expected: { readonly systemId: string; readonly timeline: number },
): Promise<readonly string[]> {
  const ask = withPlain(source, (connection) => connection.query<Answer>('ask who it is', sql));
  const answer = await ask.catch((error: unknown) => {
    if (isHoldfastError(error, ...refusedLogin)) return error;
    throw error;
  });
  if (!Array.isArray(answer)) return [refusedWarning(source, answer)];
  const [row] = answer;
  const timeline = Number.parseInt(row?.segment?.slice(0, 8) ?? '', 16);
  if (row?.systemId === expected.systemId && !row.recovering && timeline === expected.timeline) return [];
  return fail(
    'DATABASE_IDENTITY',
    `the server at the configured address is cluster ${row?.systemId} on timeline ${timeline}`,
    {
      hint: 'does the configured url lead to the restored data directory?',
      details: { expected, got: { systemId: row?.systemId, timeline } },
    },
  );
}

/** The server answers, and lets us not in or not ask. */
export const refusedLogin: readonly ErrorCode[] = ['DATABASE_AUTH', 'DATABASE_HBA', 'DATABASE_PRIVILEGE'];

/** In words, with what a superuser has to run; the password is never shown. */
function refusedWarning({ url }: Source, error: HoldfastError): string {
  return (
    `the data is proved, but the server refuses the configured login: ${error.message}; until that is mended the log is not received and ` +
    `no backup is taken. ${mending(url, error)}, then \`holdfast check\``
  );
}

function mending(url: string, error: HoldfastError): string {
  const { username, pathname } = new URL(url);
  const role = quoteIdentifier(decodeURIComponent(username));
  const database = quoteIdentifier(decodeURIComponent(pathname.slice(1)) || decodeURIComponent(username));
  if (error.details?.sqlstate === '3D000') return `run as superuser: CREATE DATABASE ${database};`;
  if (error.code !== 'DATABASE_AUTH') return error.hint;
  const password = "PASSWORD '<the one in the configured url>'";
  return (
    `the role's password was probably changed after the recovered moment. run as superuser: ALTER ROLE ${role} ${password}; ` +
    `(if the role was made after it: CREATE ROLE ${role} LOGIN REPLICATION ${password};)`
  );
}
