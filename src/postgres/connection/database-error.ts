// Turns what a server, a socket or the client library says into an error of the catalogue, with the exact statement or line that helps.

import { type ErrorCode, HoldfastError, toHoldfastError } from '../../errors/index.ts';

export interface ErrorContext {
  /** `host:port/database`, never the password. */
  readonly server: string;
  readonly role: string;
  readonly slot?: string;
  /** Never to be seen in a message. */
  readonly password: string;
}

interface Told {
  readonly message: string;
  readonly code: string;
  readonly detail: string;
}

type Rule = (told: Told, context: ErrorContext) => [ErrorCode, string, string?] | undefined;

const unreachable = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ENOENT',
  'EACCES',
  // admin shutdown, crash shutdown, cannot connect now, too many connections, statement timeout
  '57P01',
  '57P02',
  '57P03',
  '57014',
  '08006',
  '08P01',
]);

const rules: readonly Rule[] = [
  ({ code, message }, context) =>
    code === '28000' && /pg_hba\.conf/.test(message) ? hba(message, context) : undefined,
  ({ code, message }, { role }) =>
    code === '28P01' || code === '28000' || code === '3D000' || /SASL|password/.test(message)
      ? ['DATABASE_AUTH', message, `check role '${role}', its password and the database in the url`]
      : undefined,
  ({ code, message }, { role }) =>
    code === '42501' && /replication role|WAL sender|replication slots|REPLICATION/i.test(message)
      ? ['DATABASE_PRIVILEGE', message, `run: ${alterRole(role)}`]
      : undefined,
  ({ code, message }, { role }) =>
    code === '42501' ? ['DATABASE_PRIVILEGE', message, `grant it to role '${role}'`] : undefined,
  ({ code, message }, { slot }) =>
    code === '55006' && /replication slot/.test(message) ? ['SLOT_BUSY', message, busyHint(slot)] : undefined,
  ({ code, message }) =>
    (code === '42704' && /replication slot/.test(message)) ||
    (code === '58P01' && /WAL segment|removed/.test(message)) ||
    (code === '55000' && /(read from|no longer (access|get changes from)).*replication slot/.test(message))
      ? ['SLOT_LOST', message]
      : undefined,
  ({ code, message, detail }) => settingRule(code, `${message} ${detail}`, message),
  ({ code, message }) => (unreachable.has(code) || code === '53300' ? ['DATABASE_UNREACHABLE', message] : undefined),
  ({ message }) =>
    /^(timeout expired|Query read timeout|Connection terminated|Client has encountered|Client was closed)/.test(message)
      ? ['DATABASE_UNREACHABLE', lowerFirst(message)]
      : undefined,
];

/** `doing`: what was asked for, as in `cannot <doing> at db:5432/postgres`. Already translated errors pass. */
export function databaseError(cause: unknown, doing: string, context: ErrorContext): HoldfastError {
  if (cause instanceof HoldfastError) return cause;
  const told = tell(cause, context);
  const details = told.code === '' ? {} : { details: { sqlstate: told.code } };
  for (const rule of rules) {
    const found = rule(told, context);
    if (found === undefined) continue;
    const [code, why, hint] = found;
    // The cause is not kept: objects of the client library hold the connection's parameters.
    return new HoldfastError(code, `cannot ${doing} at ${context.server}: ${why}`, {
      ...(hint === undefined ? {} : { hint }),
      ...details,
    });
  }
  const { message } = toHoldfastError(new Error(told.message));
  return new HoldfastError('INTERNAL', `cannot ${doing} at ${context.server}: ${message}`, details);
}

export function alterRole(role: string): string {
  return `ALTER ROLE ${quoteIdentifier(role)} REPLICATION;`;
}

/** PostgreSQL manual, "SQL Key Words": reserved, or reserved but for functions and types, in any of 15 to 18. */
const reserved = new Set(
  `all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation column concurrently
  constraint create cross current_catalog current_date current_role current_schema current_time current_timestamp current_user default
  deferrable desc distinct do else end except false fetch for foreign freeze from full grant group having ilike in initially inner intersect
  into is isnull join lateral leading left like limit localtime localtimestamp natural not notnull null offset on only or order outer
  overlaps placing primary references returning right select session_user similar some symmetric system_user table tablesample then to
  trailing true union unique user using variadic verbose when where window with`.split(/\s+/),
);

/** As a statement takes it: in quotes where it has to be. */
export function quoteIdentifier(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) && !reserved.has(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

function tell(cause: unknown, { password }: ErrorContext): Told {
  const fields = (typeof cause === 'object' && cause !== null ? cause : {}) as Record<string, unknown>;
  // Several addresses were tried: each failed, the last one's error stands for all.
  const errors = Array.isArray(fields.errors) ? (fields.errors as unknown[]) : [];
  if (errors.length > 0 && !fields.message) return tell(errors.at(-1), { server: '', role: '', password });
  const text = String(fields.message ?? cause) || String(fields.code ?? 'unknown error');
  const message = password === '' ? text : text.replaceAll(password, '…').replaceAll(encodeURIComponent(password), '…');
  return { message, code: String(fields.code ?? ''), detail: String(fields.detail ?? '') };
}

/** The line that pg_hba.conf lacks, from what the server says it was looking for. */
function hba(message: string, { role }: ErrorContext): [ErrorCode, string, string] {
  const user = quoteHba(/user "([^"]*)"/.exec(message)?.[1] ?? role);
  const host = /host "([^"]*)"/.exec(message)?.[1];
  const isReplication = /replication connection/.test(message);
  const database = isReplication ? 'replication' : quoteHba(/database "([^"]*)"/.exec(message)?.[1] ?? 'all');
  const isLocal = host === undefined || host === '[local]';
  const kind = isLocal ? 'local' : /SSL encryption|SSL on/.test(message) ? 'hostssl' : 'host';
  const address = isLocal ? '' : ` ${host}/${host.includes(':') ? 128 : 32}`;
  const line = `${kind} ${database} ${user}${address} scram-sha-256`;
  return ['DATABASE_HBA', message, `add this line to pg_hba.conf and reload: ${line}`];
}

function quoteHba(name: string): string {
  return /^[A-Za-z0-9_]+$/.test(name) && !['all', 'replication'].includes(name) ? name : `"${name}"`;
}

function settingRule(code: string, text: string, message: string): [ErrorCode, string, string] | undefined {
  const change = (setting: string, value: string): [ErrorCode, string, string] => [
    'DATABASE_SETTING',
    message,
    `run: ALTER SYSTEM SET ${setting} = ${value}; then restart the server`,
  ];
  if (code === '55000' && /wal_level/.test(text)) return change('wal_level', "'replica'");
  if (code === '53400' && /replication slots/.test(text)) return change('max_replication_slots', '<more than now>');
  if (code === '53300' && /max_wal_senders/.test(text)) return change('max_wal_senders', '<more than now>');
  return undefined;
}

function busyHint(slot: string | undefined): string {
  const where = slot === undefined ? '' : ` WHERE slot_name = '${slot}'`;
  return `is a second worker running? see: SELECT active_pid FROM pg_replication_slots${where}`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
