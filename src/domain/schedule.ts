// When something is to happen, as written in the configuration (`daily 02:00`, `every 6h`), in a form that Temporal Schedules take.

import { fail } from '../errors/index.ts';
import { parseDuration } from './duration.ts';
import { zoneOffsetMs } from './moment.ts';

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

export type Schedule =
  /** Wall-clock time in the estate's time zone, each day or on one day of the week. */
  | { readonly type: 'calendar'; readonly hour: number; readonly minute: number; readonly weekday?: Weekday }
  /** Every so many seconds, counted from 1970 in UTC, as Temporal counts intervals. */
  | { readonly type: 'interval'; readonly everySeconds: number };

export const scheduleExpected =
  "a schedule such as 'daily 02:00', 'weekly sunday 03:30' or 'every 6h' (an interval of at least one minute)";

const CALENDAR = /^(?:daily|weekly (\w+)) (\d\d):(\d\d)$/;
const INTERVAL = /^every (\S+)$/;

/** Throws `MOMENT_INVALID`. */
export function parseSchedule(text: string): Schedule {
  const schedule = readCalendar(text.trim()) ?? readInterval(text.trim());
  return schedule ?? fail('MOMENT_INVALID', `expected ${scheduleExpected}, got '${text}'`);
}

function readCalendar(text: string): Schedule | undefined {
  const match = CALENDAR.exec(text);
  if (!match) return undefined;
  const [hour, minute] = [Number(match[2]), Number(match[3])];
  if (hour > 23 || minute > 59) return undefined;
  if (match[1] === undefined) return { type: 'calendar', hour, minute };
  const weekday = WEEKDAYS.find((day) => day === match[1]?.toLowerCase());
  return weekday && { type: 'calendar', hour, minute, weekday };
}

function readInterval(text: string): Schedule | undefined {
  const match = INTERVAL.exec(text);
  if (!match) return undefined;
  try {
    const everySeconds = parseDuration(match[1] ?? '');
    return everySeconds >= 60 ? { type: 'interval', everySeconds } : undefined;
  } catch {
    return undefined;
  }
}

/** Longest time between two runs, in seconds; a day with a change of clocks counts as the ordinary one. */
export function schedulePeriodSeconds(schedule: Schedule): number {
  if (schedule.type === 'interval') return schedule.everySeconds;
  return schedule.weekday === undefined ? 86_400 : 7 * 86_400;
}

/** The last instant at or before `nowMs` at which the schedule wanted to run, in milliseconds since 1970; a wall-clock time that a change of clocks skipped ran at none. */
export function previousOccurrenceMs(schedule: Schedule, zone: string, nowMs: number): number {
  if (schedule.type === 'interval') {
    const everyMs = schedule.everySeconds * 1000;
    return Math.floor(nowMs / everyMs) * everyMs;
  }
  const localNow = new Date(nowMs + zoneOffsetMs(nowMs, zone));
  // A week and a day back covers weekly schedules whose last occurrence fell into a skipped hour.
  for (let daysAgo = 0; daysAgo <= 15; daysAgo++) {
    const [year, month, day] = [localNow.getUTCFullYear(), localNow.getUTCMonth(), localNow.getUTCDate() - daysAgo];
    const wallMs = Date.UTC(year, month, day, schedule.hour, schedule.minute);
    if (schedule.weekday !== undefined && WEEKDAYS[new Date(wallMs).getUTCDay()] !== schedule.weekday) continue;
    const candidates = [wallMs - 86_400_000, wallMs + 86_400_000]
      .map((ms) => wallMs - zoneOffsetMs(ms, zone))
      .filter((ms) => ms + zoneOffsetMs(ms, zone) === wallMs && ms <= nowMs);
    if (candidates.length > 0) return Math.max(...candidates);
  }
  return Number.NEGATIVE_INFINITY;
}
