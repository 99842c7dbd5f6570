// Runs pg_dump, pg_restore and psql for us, and turns what they complain of into the error of the catalogue that helps.

import path from 'node:path';
import { type ErrorCode, HoldfastError, isHoldfastError } from '../../errors/index.ts';
import { type ProcessResult, run } from '../../process/index.ts';
import type { PostgresTools } from '../tools.ts';
import type { ClientEnvironment } from './client-environment.ts';

export interface ProgramOptions {
  readonly client?: ClientEnvironment;
  readonly cwd?: string;
  readonly signal: AbortSignal;
  readonly input?: string | Uint8Array;
  readonly maxStdoutBytes?: number;
}

/** What the programs print, and what it means; the first that fits counts. */
const complaints: readonly (readonly [RegExp, ErrorCode, string?])[] = [
  [/No space left on device|Disk quota exceeded/i, 'NO_SPACE'],
  [/server version mismatch|unsupported version \(\d/i, 'TOOL_VERSION'],
  [/no pg_hba\.conf entry/i, 'DATABASE_HBA'],
  [/password authentication failed|no password supplied/i, 'DATABASE_AUTH'],
  [
    /permission denied to create database/i,
    'DATABASE_PRIVILEGE',
    'run: ALTER ROLE … CREATEDB; for the role that loads',
  ],
  [
    /row-level security/i,
    'DATABASE_PRIVILEGE',
    'a dump must see every row: run ALTER ROLE … BYPASSRLS; for the role that dumps',
  ],
  [
    /permission denied|must be (superuser|owner|able to SET ROLE)/i,
    'DATABASE_PRIVILEGE',
    'a role that dumps needs GRANT pg_read_all_data TO …; and SELECT on the large objects; see docs/restoration-procedures.md',
  ],
  [
    /(type|function|schema|collation|relation|extension|operator class|text search configuration) .+ does not exist/i,
    'TARGET_UNFIT',
    'what it needs is not brought along: make it there first, or load it into a database of its own with `--into NAME`',
  ],
  [/connection to server|could not connect|server closed the connection/i, 'DATABASE_UNREACHABLE'],
];

/** Throws as `run` does, and what the table above makes of the program's last words. */
export async function runProgram(
  tools: PostgresTools,
  program: string,
  args: readonly string[],
  { client, ...options }: ProgramOptions,
): Promise<ProcessResult> {
  const given = client === undefined ? {} : { env: client.env, secrets: client.secrets };
  try {
    return await run(path.join(tools.binDirectory, program), args, { ...options, ...given });
  } catch (error) {
    throw explained(error);
  }
}

function explained(error: unknown): unknown {
  if (!isHoldfastError(error, 'PROCESS_FAILED')) return error;
  const words = String(error.details?.stderrTail ?? '');
  const found = complaints.find(([pattern]) => pattern.test(words));
  if (found === undefined) return error;
  const [, code, hint] = found;
  const details = error.details === undefined ? {} : { details: error.details };
  return new HoldfastError(code, error.message, { ...(hint === undefined ? {} : { hint }), cause: error, ...details });
}
