// What a person may ask to be recovered to, as typed after `--to`.

import { fail } from '../errors/index.ts';
import { closest } from './closest.ts';
import { type Lsn, tryParseLsn } from './lsn.ts';
import { type Moment, parseMoment } from './moment.ts';

export type Target =
  | { readonly type: 'time'; readonly moment: Moment }
  | { readonly type: 'lsn'; readonly lsn: Lsn }
  | { readonly type: 'xid'; readonly xid: string }
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'latest' }
  | { readonly type: 'immediate' };

/** What may be typed, by kind; the hint of a target that is wrong tells of its own kind. */
const forms = {
  lsn: "a position in the log as PostgreSQL's pg_current_wal_lsn() gives it, such as lsn:0/3000148",
  xid: 'a transaction as pg_current_xact_id() gives it, from 3 on, such as xid:1234',
  name: 'a restore point that pg_create_restore_point() made, such as name:before_upgrade',
} as const;
type Prefix = keyof typeof forms;
const prefixes = Object.keys(forms) as Prefix[];
const anyForm =
  'write a moment such as 2026-11-23T05:59:59Z, lsn:0/3000148, xid:1234, name:before_upgrade, latest, or immediate';
/** 64-bit transaction ids with their epoch, as `pg_current_xact_id()` gives them, or the 32-bit ones of the log. */
const LARGEST_XID = 2n ** 64n - 1n;
/** Names of restore points are cut at 63 bytes by the server (PostgreSQL manual, "Backup Control Functions"). */
const LONGEST_NAME_BYTES = 63;

/** A moment without a zone is read in `zone`. Throws `MOMENT_INVALID`, whose hint fits the kind of target that was typed. */
export function parseTarget(text: string, zone: string): Target {
  const trimmed = text.trim();
  if (trimmed === 'latest' || trimmed === 'immediate') return { type: trimmed };
  const [, kind, value = ''] = /^([a-z]+):(.*)$/is.exec(trimmed) ?? [];
  if (kind === 'lsn') return { type: 'lsn', lsn: readLsn(value) };
  if (kind === 'xid') return { type: 'xid', xid: parseXid(value) };
  if (kind === 'name') return { type: 'name', name: parseName(value) };
  if (/^\d{4}-/.test(trimmed)) return { type: 'time', moment: parseMoment(trimmed, zone) };
  if (kind === 'snapshot') {
    return fail('MOMENT_INVALID', `a database is recovered to a moment, not to a snapshot: '${text}'`, {
      hint: `\`holdfast list\` shows whose snapshot it is, and of when: write that moment, or for a dump dump:${value}`,
    });
  }
  return fail('MOMENT_INVALID', `expected a target to recover to, got '${text}'`, { hint: nearestForm(trimmed, kind) });
}

function nearestForm(typed: string, kind: string | undefined): string {
  const word = closest(kind ?? typed, kind === undefined ? ['latest', 'immediate'] : prefixes);
  if (word === undefined) return anyForm;
  return kind === undefined ? `did you mean '${word}'?` : `did you mean '${word}:'? it is ${forms[word as Prefix]}`;
}

function readLsn(text: string): Lsn {
  const lsn = tryParseLsn(text);
  return lsn ?? refuse('lsn', `expected a log position, got '${text}'`);
}

/** Ids below 3 are reserved and end no transaction of a user. */
function parseXid(text: string): string {
  if (!/^\d{1,20}$/.test(text) || BigInt(text) < 3n || BigInt(text) > LARGEST_XID) {
    refuse('xid', `expected the number of a transaction, got '${text}'`);
  }
  return BigInt(text).toString();
}

function parseName(text: string): string {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes === 0 || bytes > LONGEST_NAME_BYTES) {
    refuse('name', `expected the name of a restore point of 1 to ${LONGEST_NAME_BYTES} bytes, got '${text}'`);
  }
  return text;
}

function refuse(kind: Prefix, message: string): never {
  return fail('MOMENT_INVALID', message, { hint: `write ${forms[kind]}` });
}
