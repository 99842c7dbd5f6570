// What a person may ask to be recovered to, as typed after `--to`.

import { fail } from '../errors/index.ts';
import { type Lsn, parseLsn } from './lsn.ts';
import { type Moment, parseMoment } from './moment.ts';

export type Target =
  | { readonly type: 'time'; readonly moment: Moment }
  | { readonly type: 'lsn'; readonly lsn: Lsn }
  | { readonly type: 'xid'; readonly xid: string }
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'latest' }
  | { readonly type: 'immediate' };

const hint =
  'write a moment such as 2026-11-23T05:59:59Z, lsn:0/3000148, xid:1234, name:before_upgrade, latest, or immediate';
/** 64-bit transaction ids with their epoch, as `pg_current_xact_id()` gives them, or the 32-bit ones of the log. */
const LARGEST_XID = 2n ** 64n - 1n;
/** Names of restore points are cut at 63 bytes by the server (PostgreSQL manual, "Backup Control Functions"). */
const LONGEST_NAME_BYTES = 63;

/** A moment without a zone is read in `zone`. Throws `MOMENT_INVALID`. */
export function parseTarget(text: string, zone: string): Target {
  const trimmed = text.trim();
  if (trimmed === 'latest' || trimmed === 'immediate') return { type: trimmed };
  const [, kind, value = ''] = /^(lsn|xid|name):(.*)$/s.exec(trimmed) ?? [];
  if (kind === 'lsn') return { type: 'lsn', lsn: parseLsn(value) };
  if (kind === 'xid') return { type: 'xid', xid: parseXid(value) };
  if (kind === 'name') return { type: 'name', name: parseName(value) };
  if (!/^\d{4}-/.test(trimmed)) fail('MOMENT_INVALID', `expected a target to recover to, got '${text}'`, { hint });
  return { type: 'time', moment: parseMoment(trimmed, zone) };
}

/** Ids below 3 are reserved and end no transaction of a user. */
function parseXid(text: string): string {
  if (!/^\d{1,20}$/.test(text) || BigInt(text) < 3n || BigInt(text) > LARGEST_XID) {
    fail('MOMENT_INVALID', `expected the number of a transaction, got '${text}'`, { hint });
  }
  return BigInt(text).toString();
}

function parseName(text: string): string {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes === 0 || bytes > LONGEST_NAME_BYTES) {
    fail('MOMENT_INVALID', `expected the name of a restore point of 1 to ${LONGEST_NAME_BYTES} bytes, got '${text}'`, {
      hint,
    });
  }
  return text;
}
