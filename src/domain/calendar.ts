// Which day, ISO week, month or year of a time zone a moment lies in.

import { type Moment, unixMicros, zoneClock } from './moment.ts';

export type Period = 'daily' | 'weekly' | 'monthly' | 'yearly';

const DAY_MS = 86_400_000;

/** Names periods: `2026-11-23`, `2026-W48` (ISO 8601: weeks begin on Monday and belong to the year of their Thursday), `2026-11`, `2026`. */
export function calendarOf(zone: string): (period: Period, moment: Moment) => string {
  const offsetMs = zoneClock(zone);
  return (period, moment) => {
    const ms = Number(unixMicros(moment) / 1000n);
    // The wall clock written as if it were UTC: a day with a change of clocks is still one day.
    const wall = new Date(ms + offsetMs(ms));
    const day = wall.toISOString().slice(0, 10);
    if (period === 'daily') return day;
    if (period === 'weekly') return isoWeek(wall);
    return day.slice(0, period === 'monthly' ? 7 : 4);
  };
}

function isoWeek(wall: Date): string {
  const midnight = Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth(), wall.getUTCDate());
  const thursday = new Date(midnight + (3 - ((wall.getUTCDay() + 6) % 7)) * DAY_MS);
  const first = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  const week = Math.floor((thursday.getTime() - first) / DAY_MS / 7) + 1;
  return `${thursday.getUTCFullYear()}-W${String(week).padStart(2, '0')}`;
}
