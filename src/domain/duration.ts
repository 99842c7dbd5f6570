// Durations as people write them in the configuration (`15min`, `6h`, `90d`) and read them in reports.

import { fail } from '../errors/index.ts';

const SECONDS_PER_UNIT = { s: 1, min: 60, h: 3600, d: 86_400 } as const;
const DURATION = /^(\d{1,9})(s|min|h|d)$/;
/** A century: what is longer is a slip of the finger, and would leave the range of dates. */
const LONGEST_SECONDS = 100 * 366 * 86_400;

/** What a reader of a bad duration is told. */
export const durationExpected = 'a duration such as 30s, 15min, 6h or 90d';

/** Seconds; a bare number is refused, because nobody knows its unit (`m` might be minutes or months). Throws `MOMENT_INVALID`. */
export function parseDuration(text: string): number {
  const [, digits = '', unit = ''] = DURATION.exec(text.trim()) ?? [];
  const seconds = Number(digits) * (SECONDS_PER_UNIT[unit as keyof typeof SECONDS_PER_UNIT] ?? Number.NaN);
  if (!(seconds > 0) || seconds > LONGEST_SECONDS)
    fail('MOMENT_INVALID', `expected ${durationExpected}, got '${text}'`);
  return seconds;
}

/** Shortest exact spelling in the configuration's own units: 900 is `15min`. */
export function writeDuration(seconds: number): string {
  for (const unit of ['d', 'h', 'min'] as const) {
    if (seconds >= SECONDS_PER_UNIT[unit] && seconds % SECONDS_PER_UNIT[unit] === 0) {
      return `${seconds / SECONDS_PER_UNIT[unit]}${unit}`;
    }
  }
  return `${seconds}s`;
}

/** For reports, to two places of meaning: `3 s`, `14 min`, `3 h 59 min`, `2 d 4 h`. */
export function describeSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 && !Number.isInteger(seconds) ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) {
    const rest = Math.round(seconds - minutes * 60);
    return minutes < 10 && rest > 0 && rest < 60 ? `${minutes} min ${rest} s` : `${minutes} min`;
  }
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 ? `${days} d` : `${days} d ${hours % 24} h`;
}
