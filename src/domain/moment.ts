// A moment: one instant in UTC with microseconds, as PostgreSQL keeps them, in a text whose order is the order of time.

import { fail } from '../errors/index.ts';

/** `2026-11-23T05:59:59.123456Z`: always UTC, always six digits, so that comparing texts compares instants. */
export type Moment = string & { readonly __brand: 'Moment' };

const CANONICAL = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
/** PostgreSQL counts microseconds from 2000-01-01 UTC (`timestamptz`, PostgreSQL manual, "Date/Time Types"). */
const POSTGRES_EPOCH_MS = 946_684_800_000n;

export function isMoment(text: string): text is Moment {
  return CANONICAL.test(text);
}

export function momentFromUnixMicros(micros: bigint): Moment {
  const ms = micros >= 0n ? micros / 1000n : (micros - 999n) / 1000n;
  const rest = Number(micros - ms * 1000n);
  return `${new Date(Number(ms)).toISOString().slice(0, -1)}${String(rest).padStart(3, '0')}Z` as Moment;
}

export function unixMicros(moment: Moment): bigint {
  return BigInt(Date.parse(`${moment.slice(0, 23)}Z`)) * 1000n + BigInt(moment.slice(23, 26));
}

/** From PostgreSQL's own count of microseconds since 2000-01-01 UTC. */
export function momentFromPostgresMicros(micros: bigint): Moment {
  return momentFromUnixMicros(micros + POSTGRES_EPOCH_MS * 1000n);
}

export function postgresMicros(moment: Moment): bigint {
  return unixMicros(moment) - POSTGRES_EPOCH_MS * 1000n;
}

export function momentFromDate(date: Date): Moment {
  return momentFromUnixMicros(BigInt(date.getTime()) * 1000n);
}

/** The moment as people and programs without microseconds read it: no trailing zeros, `Z`. */
export function shortMoment(moment: Moment): string {
  return moment.replace(/\.?0+Z$/, 'Z');
}

/** The second that it lies in, as it is shown to people. */
export function wholeSecond(moment: Moment): Moment {
  return moment.replace(/\.\d+Z$/, '.000000Z') as Moment;
}

export function secondsBetween(earlier: Moment, later: Moment): number {
  return Number(unixMicros(later) - unixMicros(earlier)) / 1e6;
}

const ISO = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,6}))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?$/;

/**
 * Reads a moment as a person writes it: strict ISO 8601, with a zone, or without one in the named `zone` (IANA name).
 * Throws `MOMENT_INVALID` for anything else: fields out of range (a lenient reader once took `13am` for 13:00), local times
 * that a change of clocks skipped, and local times that happened twice (the hint names both).
 */
export function parseMoment(text: string, zone: string): Moment {
  const match = ISO.exec(text.trim());
  if (!match) fail('MOMENT_INVALID', `expected a moment in ISO 8601, got '${text}'`);
  const [, year, month, day, hour, minute, second = '0', fraction = ''] = match;
  const fields = [year, month, day, hour, minute, second].map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const asIfUtcMs = Date.UTC(fields[0], fields[1] - 1, fields[2], fields[3], fields[4], fields[5]);
  if (!sameFields(asIfUtcMs, fields)) fail('MOMENT_INVALID', `'${text}' names a date or time that does not exist`);
  const micros = BigInt(fraction.padEnd(6, '0'));
  const offsetMs = match[8] === undefined ? localOffsetMs(asIfUtcMs, zone, text) : writtenOffsetMs(match[8], text);
  return momentFromUnixMicros(BigInt(asIfUtcMs - offsetMs) * 1000n + micros);
}

function sameFields(ms: number, [year, month, day, hour, minute, second]: readonly number[]): boolean {
  const date = new Date(ms);
  return (
    date.getUTCFullYear() === year &&
    date.getUTCMonth() + 1 === month &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second
  );
}

function writtenOffsetMs(zone: string, text: string): number {
  if (zone === 'Z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(':', '') || '0');
  if (hours > 15 || minutes > 59) fail('MOMENT_INVALID', `'${text}' has an impossible zone '${zone}'`);
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

function localOffsetMs(asIfUtcMs: number, zone: string, text: string): number {
  // Offsets a day before and after cover both sides of any change of clocks; those that lead back to the same wall time are real.
  const candidates = [...new Set([asIfUtcMs - 86_400_000, asIfUtcMs + 86_400_000].map((ms) => zoneOffsetMs(ms, zone)))];
  const real = candidates.filter((offset) => zoneOffsetMs(asIfUtcMs - offset, zone) === offset);
  if (real.length === 1) return real[0] as number;
  if (real.length === 0) fail('MOMENT_INVALID', `'${text}' does not exist in '${zone}': the clocks were put forward`);
  const both = real.map((offset) => `${text.trim()}${offsetText(offset)}`).join(' or ');
  return fail('MOMENT_INVALID', `'${text}' happened twice in '${zone}'`, { hint: `write ${both}` });
}

function offsetText(offsetMs: number): string {
  const minutes = Math.abs(offsetMs) / 60_000;
  const two = (n: number) => String(Math.floor(n)).padStart(2, '0');
  return `${offsetMs < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`;
}

/** Offset of an IANA zone from UTC at an instant, in milliseconds, east positive. Throws `MOMENT_INVALID` for an unknown zone. */
export function zoneOffsetMs(atMs: number, zone: string): number {
  return zoneClock(zone)(atMs);
}

/** The same for many instants of one zone: making the formatter costs more than using it. */
export function zoneClock(zone: string): (atMs: number) => number {
  const format = zoneFormat(zone);
  return (atMs) => {
    const parts = format.formatToParts(new Date(atMs));
    const get = (type: string) => Number(parts.find((part) => part.type === type)?.value);
    const wall = Date.UTC(get('year'), get('month') - 1, get('day'), get('hour'), get('minute'), get('second'));
    return wall - Math.floor(atMs / 1000) * 1000;
  };
}

function zoneFormat(zone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch {
    return fail('MOMENT_INVALID', `unknown time zone '${zone}'`, {
      hint: 'use an IANA name such as Europe/Berlin or UTC',
    });
  }
}
