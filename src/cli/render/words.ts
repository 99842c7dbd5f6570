// Sizes, times and counts as people read them.

import { describeSeconds } from '../../domain/duration.ts';
import {
  type Moment,
  momentFromDate,
  secondsBetween,
  shortMoment,
  unixMicros,
  zoneOffsetMs,
} from '../../domain/moment.ts';

export { bytesText } from '../../domain/size.ts';

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Wall-clock time in a zone, without it: `2026-11-23 06:14:07`; whole minutes without seconds. The table's head names the zone. */
export function localTime(moment: Moment, zone: string): string {
  const ms = Number(unixMicros(moment) / 1000n);
  const text = new Date(ms + zoneOffsetMs(ms, zone)).toISOString();
  const seconds = text.slice(17, 19);
  return `${text.slice(0, 10)} ${text.slice(11, 16)}${seconds === '00' ? '' : `:${seconds}`}`;
}

/** In full and unmistakable: UTC, with the estate's own time behind it where that differs. */
export function fullTime(moment: Moment, zone: string): string {
  const utc = shortMoment(moment);
  return zone === 'UTC' ? utc : `${utc} (${localTime(moment, zone)} ${zone})`;
}

export function agoText(moment: Moment, now: Date): string {
  const seconds = secondsBetween(moment, momentFromDate(now));
  if (seconds < 0) return 'just now';
  return `${roughly(seconds)} ago`;
}

/** One unit is enough for how long ago: `5 h`. */
function roughly(seconds: number): string {
  if (seconds < 5400) return describeSeconds(seconds < 60 ? Math.round(seconds) : Math.round(seconds / 60) * 60);
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

export function durationMsText(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : describeSeconds(ms / 1000);
}

/** How far what is given back is from the moment that was asked for. */
export function skewText(skewSeconds: number | undefined): string {
  if (skewSeconds === undefined) return '';
  const side = skewSeconds < 0 ? 'after' : 'before';
  return `, ${durationMsText(Math.abs(skewSeconds) * 1000)} ${side} the moment that was asked for`;
}

/** Columns as wide as their widest cell; nothing behind the last. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('   ')
      .trimEnd(),
  );
}
